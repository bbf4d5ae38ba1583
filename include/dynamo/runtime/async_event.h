// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <memory>

#include <boost/asio/awaitable.hpp>

namespace dynamo::runtime {

/// A waiter for one event from another thread, resumed on the awaiting coroutine's executor.
///
/// notify() before wait() is remembered, and several count as one. One waiter at a time.
/// Cancelling the wait is safe. An io_context that ends while a coroutine waits destroys the
/// coroutine, as it does for its own operations.
class AsyncEvent {
 public:
  AsyncEvent();
  ~AsyncEvent();
  AsyncEvent(const AsyncEvent&) = delete;
  AsyncEvent& operator=(const AsyncEvent&) = delete;
  /// Wakes the waiter, or the next one. Any thread; one atomic exchange when nobody waits. The
  /// waiter is posted to its executor, never run inside.
  void notify();
  /// Errors: Errc::cancelled when the awaiting coroutine is cancelled.
  boost::asio::awaitable<Result<void>> wait();

 private:
  struct Impl;
  /// Shared with the coroutine that waits and with its cancellation slot, which may both outlive
  /// the handle.
  std::shared_ptr<Impl> impl_;
};

}  // namespace dynamo::runtime
