// SPDX-License-Identifier: Apache-2.0
// Every call of llama.cpp is in this file; the library's names change between releases.
#include "engines/llama/llama_backend.h"

#include <dynamo/base/assert.h>
#include <dynamo/base/log.h>
#include <dynamo/engines/batching/gbnf.h>
#include <dynamo/engines/batching/vocabulary.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ggml-backend.h>
#include <llama.h>
#include <unistd.h>

namespace dynamo::engines::llama {
namespace {

using batching::BatchToken;
using batching::DecodeStatus;
using batching::ModelFacts;
using batching::SequenceId;
using batching::TokenId;

constexpr const char* kLog = "engines::llama";
constexpr std::uint32_t kContextDefaultMax = 8192;
/// Ids kept for prefixes of ended requests beside those of running ones. Ids cost nothing in a
/// unified cache; 64 is more conversations than 8192 cells hold.
constexpr std::uint32_t kSequencesMin = 64;
constexpr std::uint32_t kUbatchCpu = 48;  // Config::n_ubatch says why
constexpr std::uint32_t kUbatchGpu = 512;

// --- the library's log ---------------------------------------------------------------------------

/// Joins the pieces of a line and remembers the last error, which is all that the library says
/// about why a model did not load.
class LogRouter {
 public:
  static LogRouter& instance() {
    static LogRouter router;
    return router;
  }
  void write(ggml_log_level level, std::string_view text) {
    std::lock_guard lock(mutex_);
    if (level != GGML_LOG_LEVEL_CONT) level_ = level;
    line_ += text;
    constexpr std::size_t kLineMax = 4096;
    if (!line_.ends_with('\n') && line_.size() < kLineMax) return;
    while (line_.ends_with('\n')) line_.pop_back();
    if (level_ == GGML_LOG_LEVEL_ERROR) last_error_ = line_;
    if (!line_.empty()) DYN_LOG_AT(ours(level_), kLog, "library", {{"message", line_}});
    line_.clear();
  }
  std::string take_last_error() {
    std::lock_guard lock(mutex_);
    return std::exchange(last_error_, {});
  }

 private:
  /// One level lower than the library thinks: it tells its life at "info".
  static LogLevel ours(ggml_log_level level) {
    switch (level) {
      case GGML_LOG_LEVEL_ERROR:
        return LogLevel::error;
      case GGML_LOG_LEVEL_WARN:
        return LogLevel::warn;
      case GGML_LOG_LEVEL_INFO:
        return LogLevel::debug;
      default:
        return LogLevel::trace;
    }
  }
  std::mutex mutex_;
  std::string line_;
  ggml_log_level level_ = GGML_LOG_LEVEL_INFO;
  std::string last_error_;
};

void on_log(ggml_log_level level, const char* text, void* /*user*/) {
  LogRouter::instance().write(level, text);
}

void on_abort(const char* message) {
  DYN_LOG_ERROR(kLog, "library_aborts", {{"message", message}});
}

void initialize_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    // On an abort the library would start gdb to print a backtrace, for seconds.
    ::setenv("GGML_NO_BACKTRACE", "1", 0);
    llama_log_set(on_log, nullptr);
    ggml_set_abort_callback(on_abort);
    llama_backend_init();  // its tables live as long as the process
  });
}

// --- ownership -----------------------------------------------------------------------------------

struct ModelDeleter {
  void operator()(llama_model* model) const noexcept { llama_model_free(model); }
};
struct ContextDeleter {
  void operator()(llama_context* context) const noexcept { llama_free(context); }
};
using ModelPtr = std::unique_ptr<llama_model, ModelDeleter>;
using ContextPtr = std::unique_ptr<llama_context, ContextDeleter>;

/// llama_batch owns five arrays.
class Batch {
 public:
  explicit Batch(std::uint32_t tokens_max)
      : batch_(llama_batch_init(static_cast<std::int32_t>(tokens_max), 0, 1)) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  ~Batch() { llama_batch_free(batch_); }

  void fill(std::span<const BatchToken> tokens) {
    batch_.n_tokens = static_cast<std::int32_t>(tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      batch_.token[i] = static_cast<llama_token>(tokens[i].token);
      batch_.pos[i] = static_cast<llama_pos>(tokens[i].position);
      batch_.n_seq_id[i] = 1;
      batch_.seq_id[i][0] = static_cast<llama_seq_id>(tokens[i].sequence);
      batch_.logits[i] = tokens[i].wants_logits ? 1 : 0;
    }
  }
  const llama_batch& get() const noexcept { return batch_; }

 private:
  llama_batch batch_;
};

// --- vocabulary ----------------------------------------------------------------------------------

/// What each token stands for in an answer; control tokens stand for nothing.
batching::Vocabulary read_vocabulary(const llama_vocab& vocabulary) {
  const auto count = llama_vocab_n_tokens(&vocabulary);
  std::vector<std::string> texts(static_cast<std::size_t>(count));
  std::vector<TokenId> ends;
  std::array<char, 256> buffer{};
  for (llama_token id = 0; id < count; ++id) {
    if (llama_vocab_is_eog(&vocabulary, id)) {
      ends.push_back(static_cast<TokenId>(id));
      continue;
    }
    std::string& text = texts[static_cast<std::size_t>(id)];
    const auto size = llama_token_to_piece(&vocabulary, id, buffer.data(),
                                           static_cast<std::int32_t>(buffer.size()), 0, false);
    if (size >= 0) {
      text.assign(buffer.data(), static_cast<std::size_t>(size));
    } else {  // longer than the buffer
      text.resize(static_cast<std::size_t>(-size));
      llama_token_to_piece(&vocabulary, id, text.data(), -size, 0, false);
    }
  }
  return {std::move(texts), std::move(ends)};
}

// --- backend -------------------------------------------------------------------------------------

class LlamaBackend final : public batching::Backend {
 public:
  LlamaBackend(ModelPtr model, llama_context_params parameters)
      : model_(std::move(model)),
        vocabulary_(llama_model_get_vocab(model_.get())),
        parameters_(parameters),
        batch_(parameters.n_batch) {
    parameters_.abort_callback = [](void* self) {
      return static_cast<LlamaBackend*>(self)->abort_.load(std::memory_order_relaxed);
    };
    parameters_.abort_callback_data = this;
    std::int32_t count = 0;
    const llama_token* suppressed = llama_vocab_get_suppress_tokens(vocabulary_, &count);
    if (suppressed != nullptr) suppressed_.assign(suppressed, suppressed + count);
  }

  /// Makes the context; what it really has (it rounds) becomes the facts.
  Result<void> reset() override {
    context_.reset();
    context_.reset(llama_init_from_model(model_.get(), parameters_));
    if (context_ == nullptr) {
      return fail(Errc::invalid_argument,
                  "llama.cpp could not make a context: " + LogRouter::instance().take_last_error());
    }
    if (!adapters_.empty()) {
      if (llama_set_adapters_lora(context_.get(), adapters_.data(), adapters_.size(),
                                  adapter_scales_.data()) != 0) {
        return fail(Errc::invalid_argument, "llama.cpp could not apply the adapters");
      }
    }
    memory_ = llama_get_memory(context_.get());
    return {};
  }
  void set_facts(ModelFacts facts) { facts_ = std::move(facts); }
  const llama_context* context() const noexcept { return context_.get(); }
  Result<void> load_adapters(const std::vector<LoraAdapter>& adapters) {
    for (const LoraAdapter& adapter : adapters) {
      // Freed with the model.
      llama_adapter_lora* loaded = llama_adapter_lora_init(model_.get(), adapter.path.c_str());
      if (loaded == nullptr) {
        return fail(Error(Errc::invalid_argument, "cannot load the adapter " + adapter.path + ": " +
                                                      LogRouter::instance().take_last_error())
                        .with_param("lora"));
      }
      adapters_.push_back(loaded);
      adapter_scales_.push_back(adapter.scale);
    }
    return {};
  }

  const ModelFacts& facts() const noexcept override { return facts_; }

  DecodeStatus decode(std::span<const BatchToken> batch) override {
    // The library asserts, and so ends the process, on what is checked here.
    DYN_ASSERT(!batch.empty() && batch.size() <= facts_.batch_tokens);
    batch_.fill(batch);
    try {
      switch (llama_decode(context_.get(), batch_.get())) {
        case 0:
          return DecodeStatus::ok;
        case 1:
          return DecodeStatus::no_room;
        case 2:
          return DecodeStatus::aborted;
        default:
          return DecodeStatus::failed;
      }
    } catch (const std::exception& failure) {
      DYN_LOG_ERROR(kLog, "decode_threw", {{"what", failure.what()}});
      return DecodeStatus::failed;
    }
  }

  std::span<const float> logits(std::size_t index) override {
    float* row = llama_get_logits_ith(context_.get(), static_cast<std::int32_t>(index));
    DYN_ASSERT(row != nullptr);
    for (const llama_token token : suppressed_)
      row[token] = -std::numeric_limits<float>::infinity();
    return {row, facts_.vocabulary_tokens};
  }

  void share(SequenceId from, SequenceId to, std::uint32_t begin, std::uint32_t end) override {
    const auto first = static_cast<llama_pos>(begin);
    const auto last = static_cast<llama_pos>(end);
    llama_memory_seq_rm(memory_, static_cast<llama_seq_id>(to), first, last);
    llama_memory_seq_cp(memory_, static_cast<llama_seq_id>(from), static_cast<llama_seq_id>(to),
                        first, last);
  }
  bool truncate(SequenceId sequence, std::uint32_t begin) override {
    return llama_memory_seq_rm(memory_, static_cast<llama_seq_id>(sequence),
                               begin == 0 ? -1 : static_cast<llama_pos>(begin), -1);
  }
  void request_abort() noexcept override { abort_.store(true, std::memory_order_relaxed); }

  Result<std::unique_ptr<batching::Grammar>> make_grammar(std::string_view gbnf) const override {
    std::call_once(texts_once_, [this] {
      texts_ = std::make_shared<const batching::Vocabulary>(read_vocabulary(*vocabulary_));
    });
    return batching::make_gbnf_grammar(gbnf, texts_);
  }

 private:
  ModelPtr model_;
  const llama_vocab* vocabulary_;
  mutable std::once_flag texts_once_;  // grammars are rare; their table is made for the first one
  mutable std::shared_ptr<const batching::Vocabulary> texts_;
  llama_context_params parameters_;
  ContextPtr context_;
  llama_memory_t memory_ = nullptr;
  ModelFacts facts_;
  Batch batch_;
  std::vector<llama_token> suppressed_;
  std::vector<llama_adapter_lora*> adapters_;
  std::vector<float> adapter_scales_;
  std::atomic<bool> abort_{false};
};

// --- loading -------------------------------------------------------------------------------------

ggml_type ggml_type_of(CacheType type) {
  switch (type) {
    case CacheType::f32:
      return GGML_TYPE_F32;
    case CacheType::f16:
      return GGML_TYPE_F16;
    case CacheType::bf16:
      return GGML_TYPE_BF16;
    case CacheType::q8_0:
      return GGML_TYPE_Q8_0;
    case CacheType::q5_1:
      return GGML_TYPE_Q5_1;
    case CacheType::q5_0:
      return GGML_TYPE_Q5_0;
    case CacheType::q4_1:
      return GGML_TYPE_Q4_1;
    case CacheType::q4_0:
      return GGML_TYPE_Q4_0;
  }
  return GGML_TYPE_F16;
}

llama_load_mode load_mode_of(LoadMode mode) {
  switch (mode) {
    case LoadMode::automatic:
      return LLAMA_LOAD_MODE_AUTO;
    case LoadMode::none:
      return LLAMA_LOAD_MODE_NONE;
    case LoadMode::mmap:
      return LLAMA_LOAD_MODE_MMAP;
    case LoadMode::mlock:
      return LLAMA_LOAD_MODE_MLOCK;
    case LoadMode::mmap_mlock:
      return LLAMA_LOAD_MODE_MMAP_MLOCK;
    case LoadMode::direct_io:
      return LLAMA_LOAD_MODE_DIRECT_IO;
  }
  return LLAMA_LOAD_MODE_AUTO;
}

std::unexpected<Error> wrong(const char* key, std::string message) {
  return fail(
      Error(Errc::invalid_argument, std::string(key) + " " + std::move(message)).with_param(key));
}

Result<void> check_file(const std::filesystem::path& path) {
  std::error_code failure;
  if (!std::filesystem::exists(path, failure)) {
    return fail(Errc::not_found, "no such model file: " + path.string());
  }
  std::ifstream file(path, std::ios::binary);
  std::array<char, 4> magic{};
  if (!file.read(magic.data(), magic.size())) {
    return fail(std::filesystem::is_directory(path, failure) ? Errc::invalid_argument
                                                             : Errc::permission_denied,
                "cannot read " + path.string() + " as a GGUF model file");
  }
  if (std::string_view(magic.data(), magic.size()) != "GGUF") {
    return fail(Errc::invalid_argument, path.string() + " is not a GGUF model file");
  }
  return {};
}

Result<void> check_config(const Config& config) {
  constexpr std::uint32_t kContextMax = 1U << 24;
  constexpr std::uint32_t kBatchMax = 1U << 16;
  constexpr std::uint32_t kThreadsMax = 512;  // of ggml
  if (config.n_ctx > kContextMax) return wrong("n_ctx", "must be at most 16777216");
  if (config.n_batch == 0 || config.n_batch > kBatchMax) {
    return wrong("n_batch", "must be from 1 to 65536");
  }
  if (config.n_ubatch > config.n_batch) return wrong("n_ubatch", "must be at most n_batch");
  if (config.n_threads > kThreadsMax || config.n_threads_batch > kThreadsMax) {
    return wrong("n_threads", "must be at most 512");
  }
  constexpr std::uint32_t kBlockMax = 4096;
  if (config.kv_cache_block_size == 0 || config.kv_cache_block_size > kBlockMax) {
    return wrong("kv_cache_block_size", "must be from 1 to 4096");
  }
  if (config.max_num_seqs == 0 || config.max_num_seqs > llama_max_parallel_sequences()) {
    return wrong("max_num_seqs",
                 "must be from 1 to " + std::to_string(llama_max_parallel_sequences()));
  }
  return {};
}

Result<ModelPtr> load_model(const std::filesystem::path& path, const Config& config,
                            const LoadProgress& progress) {
  llama_model_params parameters = llama_model_default_params();
  parameters.n_gpu_layers = config.n_gpu_layers.value_or(llama_supports_gpu_offload() ? -1 : 0);
  parameters.load_mode = load_mode_of(config.load_mode);
  struct Watch {
    const LoadProgress* progress;
    bool gave_up = false;
  } watch{.progress = &progress};
  if (progress) {
    parameters.progress_callback = [](float done, void* user) {
      auto& state = *static_cast<Watch*>(user);
      state.gave_up = !(*state.progress)(done);
      return !state.gave_up;
    };
    parameters.progress_callback_user_data = &watch;
  }
  LogRouter::instance().take_last_error();
  ModelPtr model(llama_model_load_from_file(path.c_str(), parameters));
  if (model == nullptr) {
    if (watch.gave_up) return fail(Errc::cancelled, "loading " + path.string() + " was given up");
    return fail(Errc::invalid_argument,
                "cannot load " + path.string() + ": " + LogRouter::instance().take_last_error());
  }
  if (llama_model_has_encoder(model.get()) || !llama_model_has_decoder(model.get()) ||
      llama_model_is_diffusion(model.get())) {
    return fail(Errc::unimplemented, path.string() + " is not a decoder-only language model");
  }
  return model;
}

llama_context_params context_parameters(const Config& config, const llama_model& model) {
  llama_context_params out = llama_context_default_params();
  const auto trained = static_cast<std::uint32_t>(llama_model_n_ctx_train(&model));
  out.n_ctx = config.n_ctx != 0 ? config.n_ctx : std::min(trained, kContextDefaultMax);
  out.n_batch = config.n_batch;
  const bool on_gpu = llama_supports_gpu_offload() && config.n_gpu_layers != 0;
  out.n_ubatch = config.n_ubatch != 0 ? config.n_ubatch
                                      : std::min(config.n_batch, on_gpu ? kUbatchGpu : kUbatchCpu);
  out.n_seq_max = std::min(static_cast<std::uint32_t>(llama_max_parallel_sequences()),
                           std::max(kSequencesMin, 2 * config.max_num_seqs));
  const std::uint32_t threads = config.n_threads != 0 ? config.n_threads : default_threads();
  out.n_threads = static_cast<std::int32_t>(threads);
  out.n_threads_batch = config.n_threads_batch != 0
                            ? static_cast<std::int32_t>(config.n_threads_batch)
                            : out.n_threads;
  out.type_k = ggml_type_of(config.cache_type_k);
  out.type_v = ggml_type_of(config.cache_type_v);
  out.kv_unified = true;  // sequences share cells; a partial copy is a tag, not a copy
  out.no_perf = true;
  return out;
}

/// The library clears the whole KV cache when it makes it, and the system would kill the process
/// for one that does not fit.
Result<void> check_memory(const llama_context_params& parameters, const llama_model& model) {
  if (llama_supports_gpu_offload()) return {};
  const auto bytes_per_element = [](ggml_type type) {
    return static_cast<double>(ggml_type_size(type)) / static_cast<double>(ggml_blck_size(type));
  };
  const double head = static_cast<double>(llama_model_n_embd(&model)) / llama_model_n_head(&model);
  const double needed =
      static_cast<double>(parameters.n_ctx) * llama_model_n_layer(&model) *
      llama_model_n_head_kv(&model) * head *
      (bytes_per_element(parameters.type_k) + bytes_per_element(parameters.type_v));
  const double memory = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
                        static_cast<double>(::sysconf(_SC_PAGE_SIZE));
  if (memory <= 0 || needed < memory) return {};
  const auto gib = [](double bytes) { return std::to_string(std::llround(bytes / (1U << 30))); };
  return wrong("n_ctx", "needs " + gib(needed) + " GiB of KV cache; this machine has " +
                            gib(memory) + " GiB of memory");
}

ModelFacts facts_of(const llama_model& model, const llama_context& context) {
  ModelFacts out;
  std::array<char, 256> text{};
  llama_model_desc(&model, text.data(), text.size());
  out.name = text.data();
  const llama_vocab* vocabulary = llama_model_get_vocab(&model);
  const std::int32_t count = llama_vocab_n_tokens(vocabulary);
  out.vocabulary_tokens = static_cast<std::uint32_t>(count);
  for (llama_token token = 0; token < count; ++token) {
    if (llama_vocab_is_eog(vocabulary, token))
      out.end_tokens.push_back(static_cast<TokenId>(token));
  }
  // What the context has, which may differ from what it was asked for.
  out.cells = llama_n_ctx(&context);
  out.context_length = std::min({out.cells, llama_n_ctx_seq(&context),
                                 static_cast<std::uint32_t>(llama_model_n_ctx_train(&model))});
  out.sequences = llama_n_seq_max(&context);
  out.batch_tokens = llama_n_batch(&context);
  out.can_share_prefixes = !llama_model_is_recurrent(&model) && !llama_model_is_hybrid(&model);
  return out;
}

}  // namespace

Result<std::unique_ptr<batching::Backend>> load_backend(const std::filesystem::path& path,
                                                        const Config& config,
                                                        const LoadProgress& progress) {
  initialize_library();
  DYN_CHECK(check_config(config));
  DYN_CHECK(check_file(path));
  DYN_TRY(ModelPtr model, load_model(path, config, progress));
  const llama_model& loaded = *model;
  const llama_context_params parameters = context_parameters(config, loaded);
  DYN_CHECK(check_memory(parameters, loaded));
  auto backend = std::make_unique<LlamaBackend>(std::move(model), parameters);
  DYN_CHECK(backend->load_adapters(config.lora));
  DYN_CHECK(backend->reset());
  backend->set_facts(facts_of(loaded, *backend->context()));
  return backend;
}

std::string compute_device() {
  initialize_library();
  std::string out;
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    if (ggml_backend_dev_type(device) != GGML_BACKEND_DEVICE_TYPE_GPU) continue;
    out += (out.empty() ? "" : ", ") + std::string(ggml_backend_dev_description(device));
  }
  return out.empty() ? "CPU" : out;
}

std::string library_version() {
  return std::string("llama.cpp ") + llama_version();
}

}  // namespace dynamo::engines::llama
