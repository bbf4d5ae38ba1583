// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace dynamo::runtime {

/// Owns coroutines: each ends before the scope does. The last member of its owner, so that tasks
/// may touch every other member.
///
/// Confined to the thread of `executor`. A task must not throw; one that does is logged and
/// counted as ended. The destructor asserts that nothing runs.
///
/// A cancelled task's pending Asio operation ends with operation_aborted. When it was between two
/// operations, its next co_await throws boost::system::system_error(operation_aborted) instead
/// (Asio's rule): the scope takes that as the task's end and logs nothing. So a stage frees what
/// it holds in destructors. A coroutine that must still await something after its own
/// cancellation, such as the join() of a scope it owns, says
/// `co_await net::this_coro::throw_if_cancelled(false)` at its start and looks at errors itself.
class TaskScope {
 public:
  explicit TaskScope(boost::asio::any_io_executor executor);
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  ~TaskScope();

  /// Starts the awaitable that `make` returns and keeps `make` until it has ended, so a capturing
  /// lambda that *returns* an awaitable is safe: `scope.spawn([this] { return run(); });`
  /// Called on the executor's thread it runs to its first suspension before spawn() returns.
  void spawn(std::move_only_function<boost::asio::awaitable<void>()> make);
  /// Emits terminal cancellation to every task; tasks spawned later are cancelled at once.
  void cancel();
  /// Completes when no task runs. New tasks may not be spawned meanwhile. Cancelling the awaiting
  /// coroutine does not end the wait; cancel() the scope instead.
  boost::asio::awaitable<void> join();
  std::size_t running() const noexcept;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // tasks end after the handle in the destructor of an io_context
};

}  // namespace dynamo::runtime
