// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/runtime/async_event.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace dynamo::runtime {
namespace {

namespace net = boost::asio;
using Token = net::use_awaitable_t<>;
/// The suspended coroutine: resumes it with whether it was notified (else it was cancelled).
using Resume = net::async_result<Token, void(bool)>::handler_type;

struct Waiter {
  Resume resume;
  net::any_io_executor executor;  ///< tracks work, so that run() of its context does not end
};

class WaitingEvents;

/// A link of the list of events that coroutines of one io_context have waited for.
struct Registered {
  Registered* next = nullptr;
  Registered* previous = nullptr;
  virtual std::optional<Waiter> take() = 0;

 protected:
  ~Registered() = default;
};

/// Those events. Shared by the io_context's service and by each event: whichever ends first.
class WaitingEvents {
 public:
  void add(Registered& event) {
    std::lock_guard lock(mutex_);
    event.next = first_;
    event.previous = nullptr;
    if (first_ != nullptr) first_->previous = &event;
    first_ = &event;
  }
  void remove(Registered& event) {
    std::lock_guard lock(mutex_);
    if (event.previous != nullptr) event.previous->next = event.next;
    if (event.next != nullptr) event.next->previous = event.previous;
    if (first_ == &event) first_ = event.next;
  }
  /// Ends the list: its io_context is going.
  std::vector<Waiter> close() {
    std::vector<Waiter> waiters;
    std::lock_guard lock(mutex_);
    closed_.store(true, std::memory_order_relaxed);
    for (Registered* event = first_; event != nullptr; event = event->next) {
      if (auto waiter = event->take()) waiters.push_back(std::move(*waiter));
    }
    return waiters;
  }
  bool closed() const noexcept { return closed_.load(std::memory_order_relaxed); }

 private:
  std::mutex mutex_;
  std::atomic<bool> closed_{false};
  Registered* first_ = nullptr;
};

/// Destroys coroutines that still wait when their io_context ends; nothing else owns them.
class WaitingEventsService final : public net::execution_context::service {
 public:
  using key_type = WaitingEventsService;
  static net::execution_context::id id;
  explicit WaitingEventsService(net::execution_context& context)
      : net::execution_context::service(context), events(std::make_shared<WaitingEvents>()) {}
  const std::shared_ptr<WaitingEvents> events;

 private:
  void shutdown() override { events->close(); }
};
net::execution_context::id WaitingEventsService::id;

}  // namespace

/// Lock-free: whoever moves `state` away from `waiting` owns the waiter.
struct AsyncEvent::Impl final : Registered, std::enable_shared_from_this<AsyncEvent::Impl> {
  enum class State : std::uint8_t { idle, waiting, signaled };
  std::atomic<State> state{State::idle};
  std::optional<Waiter> waiter;
  /// Where this event is registered, and for which context; changed by the waiting side only.
  std::shared_ptr<WaitingEvents> home;
  net::execution_context* context = nullptr;

  ~Impl() {
    if (home) home->remove(*this);
  }

  bool consume() noexcept {
    State expected = State::signaled;
    return state.compare_exchange_strong(expected, State::idle, std::memory_order_acq_rel);
  }

  std::optional<Waiter> take() override {
    State expected = State::waiting;
    if (!state.compare_exchange_strong(expected, State::idle, std::memory_order_acq_rel)) return {};
    return std::exchange(waiter, std::nullopt);
  }

  static void resume(Waiter taken, bool notified) {
    net::post(taken.executor, [resume = std::move(taken.resume), notified]() mutable {
      std::move(resume)(notified);
    });
  }

  void notify() {
    for (State seen = state.load(std::memory_order_acquire); seen != State::signaled;) {
      const bool waited = seen == State::waiting;
      if (!state.compare_exchange_weak(seen, waited ? State::idle : State::signaled,
                                       std::memory_order_acq_rel, std::memory_order_acquire))
        continue;
      if (waited) {
        // `this` may be gone once the coroutine runs.
        if (auto taken = std::exchange(waiter, std::nullopt)) resume(*std::move(taken), true);
      }
      return;
    }
  }

  void cancel() {
    if (auto taken = take()) resume(*std::move(taken), false);
  }

  void arm(Resume handler) {
    DYN_ASSERT(!waiter);  // one waiter at a time
    auto executor = handler.get_executor();
    register_with(net::query(executor, net::execution::context));
    auto slot = net::get_associated_cancellation_slot(handler);
    waiter.emplace(std::move(handler),
                   net::prefer(executor, net::execution::outstanding_work.tracked));
    if (slot.is_connected()) {
      slot.assign([weak = weak_from_this()](net::cancellation_type type) {
        if (type == net::cancellation_type::none) return;
        if (auto self = weak.lock()) self->cancel();
      });
    }
    State expected = State::idle;
    if (state.compare_exchange_strong(expected, State::waiting, std::memory_order_acq_rel)) return;
    // Notified between the look before and now: nobody else touches the waiter.
    state.store(State::idle, std::memory_order_release);
    if (auto mine = std::exchange(waiter, std::nullopt)) resume(*std::move(mine), true);
  }

  void register_with(net::execution_context& where) {
    if (context == &where && !home->closed()) return;  // not another one at the same address
    if (home) home->remove(*this);
    home = net::use_service<WaitingEventsService>(where).events;
    home->add(*this);
    context = &where;
  }
};

AsyncEvent::AsyncEvent() : impl_(std::make_shared<Impl>()) {}
AsyncEvent::~AsyncEvent() = default;

void AsyncEvent::notify() {
  impl_->notify();
}

net::awaitable<Result<void>> AsyncEvent::wait() {
  const auto impl = impl_;
  if (impl->consume()) co_return Result<void>{};
  const auto cancellation = co_await net::this_coro::cancellation_state;
  if (cancellation.cancelled() != net::cancellation_type::none)
    co_return fail(Errc::cancelled, "waiting for an event was cancelled");
  const Token token;
  const bool notified = co_await net::async_initiate<const Token&, void(bool)>(
      [impl](Resume resume) { impl->arm(std::move(resume)); }, token);
  if (!notified) co_return fail(Errc::cancelled, "waiting for an event was cancelled");
  co_return Result<void>{};
}

}  // namespace dynamo::runtime
