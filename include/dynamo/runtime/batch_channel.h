// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/runtime/async_event.h>

#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace dynamo::runtime {

/// Bounded queue from one producer thread to one coroutine. The consumer takes everything that is
/// there in one step, so a burst of tokens costs one wake-up.
template <class T>
class BatchChannel {
 public:
  explicit BatchChannel(std::size_t capacity) : capacity_(capacity) {}

  /// False when the channel is full (the producer must hold the item back: that is the
  /// back-pressure; `item` is untouched then) or closed. Any thread.
  bool try_push(T& item) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || items_.size() >= capacity_) return false;
      items_.push_back(std::move(item));
    }
    ready_.notify();
    return true;
  }
  /// Moves as many of `items` as there is room for, from its front, for one wake-up; returns how
  /// many. Those are left in a moved-from state.
  std::size_t try_push_batch(std::vector<T>& items) {
    std::size_t taken = 0;
    {
      std::lock_guard lock(mutex_);
      if (closed_) return 0;
      while (taken < items.size() && items_.size() < capacity_)
        items_.push_back(std::move(items[taken++]));
    }
    if (taken != 0) ready_.notify();
    return taken;
  }
  /// Room left, 0 when closed. A hint for producers that batch.
  std::size_t room() const {
    std::lock_guard lock(mutex_);
    return closed_ ? 0 : capacity_ - items_.size();
  }
  /// Whether either end has closed it: nothing can be pushed any more.
  bool closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
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
    std::vector<T> dropped;  // destroyed without the lock
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
      error_.reset();
      dropped.swap(items_);
      if (on_drained_) on_drained_();
    }
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
      if (auto woken = co_await ready_.wait(); !woken)
        co_return std::unexpected(std::move(woken).error());
    }
  }
  /// Called under the channel's lock whenever next() made room or abandon() closed the channel;
  /// wakes a producer that waits. It must not call the channel. Set before use.
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
