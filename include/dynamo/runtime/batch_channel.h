// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <dynamo/base/error.h>

namespace dynamo::runtime {

/// A waiter for one event from another thread, resumed on the awaiting coroutine's executor.
/// notify() before wait() is remembered. One waiter at a time. Cancelling the wait is safe.
class AsyncEvent {
 public:
  AsyncEvent();
  ~AsyncEvent();
  AsyncEvent(const AsyncEvent&) = delete;
  AsyncEvent& operator=(const AsyncEvent&) = delete;
  /// Wakes the waiter, or the next one. Any thread; cheap when nobody waits.
  void notify();
  /// Errors: Errc::cancelled when the awaiting coroutine is cancelled.
  boost::asio::awaitable<Result<void>> wait();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// Bounded queue from one producer thread to one coroutine. The consumer takes everything that is
/// there in one step, so a burst of tokens costs one wake-up.
template <class T>
class BatchChannel {
 public:
  explicit BatchChannel(std::size_t capacity) : capacity_(capacity) {}

  /// False when the channel is full (the producer must hold the item back: that is the
  /// back-pressure) or closed by the consumer. Any thread.
  bool try_push(T& item) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || items_.size() >= capacity_) return false;
      items_.push_back(std::move(item));
    }
    ready_.notify();
    return true;
  }
  /// Room left, 0 when closed. A hint for producers that batch.
  std::size_t room() const {
    std::lock_guard lock(mutex_);
    return closed_ ? 0 : capacity_ - items_.size();
  }
  /// The producer's end of stream; with an error, next() returns it after the items before it.
  void close(std::optional<Error> error = std::nullopt) {
    {
      std::lock_guard lock(mutex_);
      if (closed_) return;
      closed_ = true;
      error_ = std::move(error);
    }
    ready_.notify();
  }
  /// The consumer's end: what is queued is dropped, pushes fail from now on.
  void abandon() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    items_.clear();
  }

  /// At least one item, or an empty vector at the end of the stream.
  /// Errors: the producer's; Errc::cancelled when the awaiting coroutine is cancelled.
  boost::asio::awaitable<Result<std::vector<T>>> next() {
    for (;;) {
      {
        std::lock_guard lock(mutex_);
        if (!items_.empty()) {
          std::vector<T> batch;
          batch.swap(items_);
          if (on_drained_) on_drained_();
          co_return batch;
        }
        if (closed_) {
          if (error_) co_return std::unexpected(*std::exchange(error_, std::nullopt));
          co_return std::vector<T>{};
        }
      }
      if (auto woken = co_await ready_.wait(); !woken) co_return std::unexpected(std::move(woken).error());
    }
  }
  /// Called under the channel's lock whenever next() made room; wakes a producer that waits. Set
  /// before use.
  void on_drained(std::function<void()> callback) { on_drained_ = std::move(callback); }

 private:
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::vector<T> items_;
  bool closed_ = false;
  std::optional<Error> error_;
  std::function<void()> on_drained_;
  AsyncEvent ready_;
};

}  // namespace dynamo::runtime
