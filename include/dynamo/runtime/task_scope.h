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
class TaskScope {
 public:
  explicit TaskScope(boost::asio::any_io_executor executor);
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  ~TaskScope();

  /// Starts the awaitable that `make` returns and keeps `make` until it has ended, so a capturing
  /// lambda that *returns* an awaitable is safe: `scope.spawn([this] { return run(); });`
  void spawn(std::move_only_function<boost::asio::awaitable<void>()> make);
  /// Emits terminal cancellation to every task; tasks spawned later are cancelled at once.
  void cancel();
  /// Completes when no task runs. New tasks may not be spawned meanwhile.
  boost::asio::awaitable<void> join();
  std::size_t running() const noexcept;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // tasks end after the handle in the destructor of an io_context
};

}  // namespace dynamo::runtime
