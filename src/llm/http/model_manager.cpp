// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/log.h>
#include <dynamo/config/catalogue.h>
#include <dynamo/config/configuration.h>
#include <dynamo/llm/http/model_manager.h>
#include <dynamo/llm/preproc/preprocessor.h>
#include <dynamo/runtime/shard.h>

#include <array>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

namespace dynamo::llm::http {
namespace {

/// The variables that choose a backend in the reference are accepted; there is one tokenizer here.
void check_tokenizer_backend() {
  const std::string backend = config::get(config::var::tokenizer_backend);
  if (backend == "default" || backend == "fastokens" || backend == "basetenkenizer") return;
  DYN_LOG_WARN("llm", "unknown tokenizer backend ignored",
               {{"variable", "DYN_TOKENIZER"}, {"value", backend}});
}

tokenizer::PrefixCacheOptions prefix_cache_options() {
  namespace var = config::var;
  return {.enabled = config::get(var::tokenizer_cache),
          .bytes_limit = config::get(var::tokenizer_cache_bytes),
          .extend = config::get(var::tokenizer_cache_extend)};
}

}  // namespace

ServedModelPtr ModelSnapshot::find(std::string_view name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : found->second;
}

struct ModelManager::Impl {
  using SnapshotPtr = std::shared_ptr<const ModelSnapshot>;
  /// A shard's copy, touched by that shard's thread only.
  struct alignas(64) PerShard {
    std::uint64_t version = 0;
    SnapshotPtr snapshot;
  };
  static constexpr std::size_t kShardsMax = 256;  // ShardPool's bound

  mutable std::mutex mutex;
  SnapshotPtr latest = std::make_shared<ModelSnapshot>();
  std::vector<std::function<void(const ModelSnapshot&)>> callbacks;
  std::atomic<std::uint64_t> version{1};
  mutable std::array<PerShard, kShardsMax> per_shard;

  /// Publishes what `edit` makes of a copy of the latest snapshot. Under the lock.
  template <class Edit>
  void publish(Edit edit) {
    auto next = std::make_shared<ModelSnapshot>(*latest);
    edit(*next);
    latest = std::move(next);
    version.fetch_add(1, std::memory_order_release);
    for (const auto& callback : callbacks) callback(*latest);
  }
  /// Puts `model` under its name and the aliases of its card, in place of what was there.
  static void place(ModelSnapshot& snapshot, const ServedModelPtr& model) {
    snapshot.models_[model->name] = model;
    snapshot.names_[model->name] = model;
    if (model->card)
      for (const auto& alias : model->card->aliases) snapshot.names_[alias] = model;
  }
  static void drop(ModelSnapshot& snapshot, const ServedModelPtr& model) {
    snapshot.models_.erase(model->name);
    std::erase_if(snapshot.names_, [&](const auto& entry) { return entry.second == model; });
  }
  Result<ServedModelPtr> at(std::string_view name) const {
    const auto found = latest->models_.find(name);
    if (found == latest->models_.end())
      return fail(Errc::not_found, "no model is called '" + std::string(name) + "'");
    return found->second;
  }
};

ModelManager::ModelManager() : impl_(std::make_unique<Impl>()) {}
ModelManager::~ModelManager() = default;

Result<void> ModelManager::add(ModelCardPtr card, std::shared_ptr<TokenEngine> engine,
                               const ModelOptions& options) {
  check_tokenizer_backend();
  auto model = std::make_shared<ServedModel>();
  model->name = card->name;
  model->serves_chat = options.chat;
  model->serves_completions = options.completions;
  model->ready = options.ready;
  model->engine_info = engine->info();
  model->preprocessor = std::make_shared<Preprocessor>(
      card, Preprocessor::Options{
                .apply_generation_defaults = options.apply_generation_defaults,
                .add_last_user_tokens = model->engine_info.wants_last_user_tokens,
                .echo_asks_for_prompt_logprobs = model->engine_info.gives_prompt_logprobs,
                .prefix_cache = prefix_cache_options()});
  model->engine = std::move(engine);
  model->card = std::move(card);

  std::lock_guard lock(impl_->mutex);
  std::vector<std::string_view> names{model->name};
  names.insert(names.end(), model->card->aliases.begin(), model->card->aliases.end());
  for (const auto name : names)
    if (impl_->latest->names_.contains(name))
      return fail(Errc::already_exists,
                  "a model called '" + std::string(name) + "' is served already");
  impl_->publish([&](ModelSnapshot& next) { Impl::place(next, model); });
  return {};
}

Result<void> ModelManager::add_disabled(std::string name, std::string reason) {
  auto model = std::make_shared<ServedModel>();
  model->name = std::move(name);
  model->serves_chat = model->serves_completions = true;
  model->reason = std::move(reason);
  std::lock_guard lock(impl_->mutex);
  if (impl_->latest->names_.contains(model->name))
    return fail(Errc::already_exists, "a model called '" + model->name + "' is served already");
  impl_->publish([&](ModelSnapshot& next) { Impl::place(next, model); });
  return {};
}

Result<void> ModelManager::set_ready(std::string_view name, bool ready, std::string reason) {
  std::lock_guard lock(impl_->mutex);
  DYN_TRY(const ServedModelPtr before, impl_->at(name));
  auto model = std::make_shared<ServedModel>(*before);
  model->ready = ready && model->engine != nullptr;
  model->reason = std::move(reason);
  impl_->publish([&](ModelSnapshot& next) { Impl::place(next, model); });
  return {};
}

Result<void> ModelManager::remove(std::string_view name) {
  std::lock_guard lock(impl_->mutex);
  DYN_TRY(const ServedModelPtr model, impl_->at(name));
  impl_->publish([&](ModelSnapshot& next) { Impl::drop(next, model); });
  return {};
}

Result<void> ModelManager::set_busy_thresholds(std::string_view name,
                                               const BusyThresholds& thresholds) {
  std::lock_guard lock(impl_->mutex);
  const ServedModelPtr before = impl_->latest->find(name);
  if (!before) return fail(Errc::not_found, "no model is called '" + std::string(name) + "'");
  auto model = std::make_shared<ServedModel>(*before);
  BusyThresholds& now = model->busy_thresholds;
  if (thresholds.active_decode_blocks) now.active_decode_blocks = thresholds.active_decode_blocks;
  if (thresholds.active_prefill_tokens)
    now.active_prefill_tokens = thresholds.active_prefill_tokens;
  if (thresholds.active_prefill_tokens_frac)
    now.active_prefill_tokens_frac = thresholds.active_prefill_tokens_frac;
  impl_->publish([&](ModelSnapshot& next) { Impl::place(next, model); });
  return {};
}

std::shared_ptr<const ModelSnapshot> ModelManager::snapshot() const {
  const runtime::Shard* shard = runtime::Shard::current();
  if (shard == nullptr || shard->index() >= Impl::kShardsMax) {
    std::lock_guard lock(impl_->mutex);
    return impl_->latest;
  }
  Impl::PerShard& mine = impl_->per_shard[shard->index()];
  if (const auto version = impl_->version.load(std::memory_order_acquire);
      mine.version != version) {
    std::lock_guard lock(impl_->mutex);
    mine.version = version;
    mine.snapshot = impl_->latest;
  }
  return mine.snapshot;
}

void ModelManager::on_change(std::function<void(const ModelSnapshot&)> callback) {
  std::lock_guard lock(impl_->mutex);
  callback(*impl_->latest);
  impl_->callbacks.push_back(std::move(callback));
}

}  // namespace dynamo::llm::http
