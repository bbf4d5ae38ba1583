// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/log.h>
#include <dynamo/base/rng.h>
#include <dynamo/engines/batching/batching_engine.h>
#include <dynamo/runtime/compute_pool.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>

#include "engines/batching/choice.h"
#include "engines/batching/output_queue.h"
#include "engines/batching/scheduler.h"

namespace dynamo::engines::batching {
namespace {

constexpr const char* kEngineLog = "engines::batching";
/// How long the thread sleeps while every request waits for its reader, before it looks whether
/// one of them should give its place away.
constexpr std::chrono::milliseconds kBlockedNap{250};

using Choices = std::vector<std::unique_ptr<Choice>>;

BlockNames router_names(tokens::SaltHash salt, std::optional<tokens::SequenceHash> parent,
                        std::span<const tokens::Token> block) {
  const tokens::BlockHash local = tokens::hash_block(block, salt);
  return {.local = local,
          .sequence = parent ? tokens::next_sequence_hash(*parent, local)
                             : tokens::first_sequence_hash(local)};
}

Scheduler::Options scheduler_options(const BatchingEngine::Options& options) {
  return {.max_num_seqs = options.max_num_seqs,
          .cache = {.block_size_tokens = options.kv_block_size_tokens,
                    .prefix_caching = options.enable_prefix_caching,
                    .name_block = options.name_block ? options.name_block : router_names,
                    .on_event = options.on_kv_event}};
}

}  // namespace

struct BatchingEngine::Impl {
  Impl(std::unique_ptr<Backend> of, Options with)
      : backend(std::move(of)),
        options(std::move(with)),
        scheduler(*backend, scheduler_options(options)),
        seeds(options.seed ? Rng(*options.seed) : Rng::from_entropy()),
        published(scheduler.statistics()),
        thread([this] { run(); }) {}

  Result<void> submit(Choices choices) {
    {
      std::lock_guard lock(mutex);
      if (stopping) return fail(Errc::unavailable, "the engine is shutting down");
      if (!published.healthy) return fail(Errc::unavailable, "the engine has failed");
      if (published.waiting + inbox.size() >= options.max_waiting) return refused();
      for (auto& choice : choices) inbox.push_back(std::move(choice));
    }
    wake_up->notify();
    return {};
  }
  std::unexpected<Error> refused() const {
    return fail(Error(Errc::overloaded, "the engine's queue is full (" +
                                            std::to_string(options.max_waiting) + " requests wait)")
                    .with_retry_after(std::chrono::seconds(1)));
  }
  Result<void> check_open() {
    std::lock_guard lock(mutex);
    if (stopping) return fail(Errc::unavailable, "the engine is shutting down");
    if (!published.healthy) return fail(Errc::unavailable, "the engine has failed");
    if (published.waiting + inbox.size() >= options.max_waiting) return refused();
    return {};
  }
  std::uint64_t next_seed() {
    std::lock_guard lock(mutex);
    return seeds();
  }

  void run() {
    ::pthread_setname_np(::pthread_self(), "engine");
    auto progress = Scheduler::Progress::idle;
    for (;;) {
      if (progress == Scheduler::Progress::idle) {
        wake_up->wait();
      } else if (progress == Scheduler::Progress::blocked) {
        wake_up->wait_for(kBlockedNap);
      }
      bool clear = false;
      {
        std::lock_guard lock(mutex);
        if (stopping) break;
        scheduler.add(std::exchange(inbox, {}));
        published.waiting = static_cast<std::uint32_t>(scheduler.waiting());
        clear = std::exchange(clear_requested, false);
      }
      if (clear) scheduler.clear_cache();
      progress = scheduler.step();
      std::lock_guard lock(mutex);
      published = scheduler.statistics();
    }
    scheduler.add(std::exchange(inbox, {}));  // nobody adds any more
    scheduler.fail_all(Error(Errc::unavailable, "the engine is shutting down"));
  }

  void stop() {
    {
      std::lock_guard lock(mutex);
      stopping = true;
    }
    backend->request_abort();
    wake_up->notify();
    thread.join();
  }

  const std::unique_ptr<Backend> backend;
  const Options options;
  Scheduler scheduler;  // of the thread
  const std::shared_ptr<WakeUp> wake_up = std::make_shared<WakeUp>();

  std::mutex mutex;  // what follows
  Choices inbox;
  Rng seeds;
  Statistics published;
  bool clear_requested = false;
  bool stopping = false;

  std::jthread thread;  // last: it uses everything above
};

BatchingEngine::BatchingEngine(std::unique_ptr<Backend> backend, Options options)
    : impl_(std::make_unique<Impl>(std::move(backend), std::move(options))) {}

BatchingEngine::~BatchingEngine() {
  impl_->stop();
}

Result<std::unique_ptr<BatchingEngine>> BatchingEngine::create(std::unique_ptr<Backend> backend,
                                                               Options options) {
  const ModelFacts& facts = backend->facts();
  const auto wrong = [](const char* field, std::uint32_t value, std::uint32_t max) {
    return fail(Error(Errc::invalid_argument, std::string(field) + " is " + std::to_string(value) +
                                                  "; expected 1 to " + std::to_string(max))
                    .with_param(field));
  };
  const std::uint32_t seqs_max = std::min(facts.sequences, facts.batch_tokens);
  if (options.max_num_seqs == 0 || options.max_num_seqs > seqs_max) {
    return wrong("max_num_seqs", options.max_num_seqs, seqs_max);
  }
  if (options.kv_block_size_tokens == 0 || options.kv_block_size_tokens > facts.cells) {
    return wrong("kv_block_size_tokens", options.kv_block_size_tokens, facts.cells);
  }
  constexpr std::uint32_t kWaitingMax = 1'000'000;
  if (options.max_waiting == 0 || options.max_waiting > kWaitingMax) {
    return wrong("max_waiting", options.max_waiting, kWaitingMax);
  }
  return std::unique_ptr<BatchingEngine>(
      new BatchingEngine(std::move(backend), std::move(options)));
}

boost::asio::awaitable<Result<std::unique_ptr<llm::OutputStream>>> BatchingEngine::generate(
    llm::PreprocessedRequest request, runtime::ContextPtr context) {
  DYN_CO_CHECK(impl_->check_open());
  const std::size_t choices_count = request.sampling_options.n.value_or(1);
  auto queue = std::make_shared<OutputQueue>(impl_->options.stream_outputs_max, choices_count,
                                             context, impl_->wake_up);
  // Before anybody can produce: a stream that is dropped from here on takes the request with it.
  std::unique_ptr<llm::OutputStream> stream = std::make_unique<QueueStream>(queue);

  const bool constrained = request.sampling_options.guided_decoding.has_value();
  auto make = [this, request = std::move(request), queue]() mutable {
    return make_choices(std::move(request), *impl_->backend, impl_->next_seed(),
                        std::make_unique<QueueSink>(std::move(queue)));
  };
  Result<Choices> choices;
  if (constrained && impl_->options.compute_pool != nullptr) {
    DYN_CO_TRY(choices, co_await impl_->options.compute_pool->run(std::move(make)));
  } else {
    choices = make();
  }
  if (!choices) co_return std::unexpected(std::move(choices).error());
  DYN_CO_CHECK(impl_->submit(*std::move(choices)));
  DYN_LOG_DEBUG(kEngineLog, "request_queued", {{"request_id", context->id()}});
  co_return stream;
}

llm::TokenEngine::Info BatchingEngine::info() const {
  const ModelFacts& facts = impl_->backend->facts();
  Info out;
  out.name = facts.name;
  out.context_length = facts.context_length;
  out.kv_block_size_tokens = impl_->options.kv_block_size_tokens;
  out.kv_blocks_total = facts.cells / impl_->options.kv_block_size_tokens;
  out.max_num_seqs = impl_->options.max_num_seqs;
  out.max_num_batched_tokens = facts.batch_tokens;
  return out;
}

Statistics BatchingEngine::statistics() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->published;
}

const ModelFacts& BatchingEngine::facts() const noexcept {
  return impl_->backend->facts();
}

void BatchingEngine::clear_kv_blocks() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->clear_requested = true;
  }
  impl_->wake_up->notify();
}

}  // namespace dynamo::engines::batching
