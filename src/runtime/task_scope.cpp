// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/base/log.h>
#include <dynamo/runtime/task_scope.h>

#include <exception>
#include <list>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace dynamo::runtime {
namespace {

namespace net = boost::asio;

/// What a task needs outside of its coroutine. The signal outlives every emission that is posted.
struct Task {
  std::move_only_function<net::awaitable<void>()> make;
  net::cancellation_signal signal;
  std::list<std::shared_ptr<Task>>::iterator place;
};

void log_failure(std::string_view what) {
  DYN_LOG_ERROR("runtime::task_scope", "task failed", {{"error", what}});
}

}  // namespace

struct TaskScope::Impl {
  explicit Impl(net::any_io_executor e) : executor(std::move(e)) {}

  net::any_io_executor executor;
  bool cancelled = false;
  std::list<std::shared_ptr<Task>> tasks;
  std::vector<net::steady_timer*> joining;

  void ended(Task& task) {
    tasks.erase(task.place);
    // What the task captured goes before join() ends. It may hold the owner of this very scope.
    std::exchange(task.make, nullptr) = nullptr;
    if (!tasks.empty()) return;
    for (net::steady_timer* timer : std::exchange(joining, {})) timer->cancel();
  }

  void emit(std::vector<std::shared_ptr<Task>> to) {
    // Inside the executor, and with the tasks held: Asio emits through a dispatch of its own that
    // refers to the signal.
    net::dispatch(executor, [to = std::move(to)] {
      for (const auto& task : to) {
        if (task->make) task->signal.emit(net::cancellation_type::terminal);
      }
    });
  }
};

namespace {

/// Makes a timer known to ended() while join() waits for it, also when its frame is destroyed.
class Joining {
 public:
  Joining(std::vector<net::steady_timer*>& all, net::steady_timer& timer)
      : all_(all), timer_(timer) {
    all_.push_back(&timer_);
  }
  Joining(const Joining&) = delete;
  Joining& operator=(const Joining&) = delete;
  ~Joining() { std::erase(all_, &timer_); }

 private:
  std::vector<net::steady_timer*>& all_;
  net::steady_timer& timer_;
};

/// Counts a task as running; lives in the frame of run(), so it also ends when an io_context
/// destroys a coroutine that is suspended or has not begun.
template <class Scope>
class Running {
 public:
  Running(std::shared_ptr<Scope> scope, std::shared_ptr<Task> task)
      : scope_(std::move(scope)), task_(std::move(task)) {}
  Running(Running&&) noexcept = default;
  Running& operator=(Running&&) = delete;
  ~Running() {
    if (scope_) scope_->ended(*task_);
  }
  Scope& scope() const { return *scope_; }
  Task& task() const { return *task_; }

 private:
  std::shared_ptr<Scope> scope_;
  std::shared_ptr<Task> task_;
};

template <class Scope>
net::awaitable<void> run(Running<Scope> running) {
  try {
    co_await running.task().make();
  } catch (const boost::system::system_error& error) {
    // The end of a cancelled task that was between two operations.
    if (error.code() != net::error::operation_aborted || !running.scope().cancelled)
      log_failure(error.what());
  } catch (const std::exception& error) {
    log_failure(error.what());
  } catch (...) {
    log_failure("unknown exception");
  }
}

}  // namespace

TaskScope::TaskScope(net::any_io_executor executor)
    : impl_(std::make_shared<Impl>(std::move(executor))) {}

TaskScope::~TaskScope() {
  DYN_ASSERT(impl_->tasks.empty());
}

void TaskScope::spawn(std::move_only_function<net::awaitable<void>()> make) {
  auto task = std::make_shared<Task>();
  task->make = std::move(make);
  task->place = impl_->tasks.insert(impl_->tasks.end(), task);
  net::co_spawn(impl_->executor, run(Running<Impl>(impl_, task)),
                net::bind_cancellation_slot(task->signal.slot(), [task](std::exception_ptr) {}));
  if (impl_->cancelled) impl_->emit({std::move(task)});
}

void TaskScope::cancel() {
  impl_->cancelled = true;
  if (!impl_->tasks.empty()) impl_->emit({impl_->tasks.begin(), impl_->tasks.end()});
}

net::awaitable<void> TaskScope::join() {
  const auto impl = impl_;
  while (!impl->tasks.empty()) {
    net::steady_timer ended(impl->executor, net::steady_timer::time_point::max());
    const Joining joining(impl->joining, ended);
    // Without a cancellation slot: giving up would leave tasks behind.
    co_await ended.async_wait(
        net::bind_cancellation_slot(net::cancellation_slot(), net::as_tuple(net::use_awaitable)));
  }
}

std::size_t TaskScope::running() const noexcept {
  return impl_->tasks.size();
}

}  // namespace dynamo::runtime
