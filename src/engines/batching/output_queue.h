// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/engine.h>
#include <dynamo/runtime/batch_channel.h>
#include <dynamo/runtime/context.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "engines/batching/output_sink.h"

namespace dynamo::engines::batching {

/// Wakes the engine's thread. Shared, because a reader may outlive the engine.
class WakeUp {
 public:
  void notify() {
    {
      std::lock_guard lock(mutex_);
      woken_ = true;
    }
    changed_.notify_one();
  }
  /// Until notify(), at most `limit` when given.
  template <class Duration>
  void wait_for(Duration limit) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, limit, [this] { return woken_; });
    woken_ = false;
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return woken_; });
    woken_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
};

/// What lies between the engine's thread and the shard that reads one request's outputs.
struct OutputQueue {
  OutputQueue(std::size_t outputs_max, std::size_t last_outputs, runtime::ContextPtr of,
              std::shared_ptr<WakeUp> engine)
      : last_outputs_room(last_outputs),
        channel(outputs_max + last_outputs),
        context(std::move(of)),
        wake_up(std::move(engine)) {
    channel.on_drained([wake = wake_up] { wake->notify(); });
  }
  const std::size_t last_outputs_room;  ///< kept free for one last output of each choice
  runtime::BatchChannel<llm::EngineOutput> channel;
  const runtime::ContextPtr context;
  const std::shared_ptr<WakeUp> wake_up;
  std::atomic<bool> abandoned{false};  ///< the reader has gone
};

/// The engine's end.
class QueueSink final : public OutputSink {
 public:
  explicit QueueSink(std::shared_ptr<OutputQueue> queue) : queue_(std::move(queue)) {}

  Wish wish() const noexcept override {
    if (queue_->abandoned.load(std::memory_order_relaxed)) return Wish::drop;
    switch (queue_->context->state()) {
      case runtime::Context::State::live:
        return Wish::go_on;
      case runtime::Context::State::stopped:
        return Wish::stop;
      case runtime::Context::State::killed:
        return Wish::drop;
    }
    return Wish::drop;
  }
  std::size_t room() const override {
    const std::size_t room = queue_->channel.room();
    return room > queue_->last_outputs_room ? room - queue_->last_outputs_room : 0;
  }
  /// Fits, or the reader has gone.
  void push(llm::EngineOutput output) override { queue_->channel.try_push(output); }
  void end() override { queue_->channel.close(); }
  void fail(Error error) override { queue_->channel.close(std::move(error)); }

 private:
  std::shared_ptr<OutputQueue> queue_;
};

/// The reader's end.
class QueueStream final : public llm::OutputStream {
 public:
  explicit QueueStream(std::shared_ptr<OutputQueue> queue) : queue_(std::move(queue)) {
    stop_ = queue_->context->on_stop([wake = queue_->wake_up] { wake->notify(); });
    kill_ = queue_->context->on_kill([wake = queue_->wake_up] { wake->notify(); });
  }
  QueueStream(const QueueStream&) = delete;
  QueueStream& operator=(const QueueStream&) = delete;
  ~QueueStream() override {
    queue_->abandoned.store(true, std::memory_order_relaxed);
    queue_->channel.abandon();
    queue_->wake_up->notify();
  }
  boost::asio::awaitable<Result<std::vector<llm::EngineOutput>>> next() override {
    return queue_->channel.next();
  }

 private:
  std::shared_ptr<OutputQueue> queue_;  // shared with the engine's thread
  runtime::Context::Subscription stop_;
  runtime::Context::Subscription kill_;
};

}  // namespace dynamo::engines::batching
