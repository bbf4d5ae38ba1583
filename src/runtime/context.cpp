// SPDX-License-Identifier: Apache-2.0
#include <dynamo/runtime/context.h>

#include <atomic>
#include <list>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace dynamo::runtime {
namespace {

/// One registered callback, owned by the context's list (until it ran) and by its subscription.
struct Callback {
  enum class Phase : std::uint8_t { pending, running, done };

  explicit Callback(std::move_only_function<void()> f) : function(std::move(f)) {}

  /// Runs it unless its subscription was first.
  void run() noexcept {
    Phase expected = Phase::pending;
    runner.store(std::this_thread::get_id(), std::memory_order_relaxed);
    if (!phase.compare_exchange_strong(expected, Phase::running, std::memory_order_acq_rel)) return;
    function();
    function = nullptr;  // what it captured is gone before the subscription's destructor returns
    phase.store(Phase::done, std::memory_order_release);
    phase.notify_all();
  }

  /// After this the callback neither runs nor will run, except below us on this very thread.
  void withdraw() noexcept {
    Phase seen = Phase::pending;
    if (phase.compare_exchange_strong(seen, Phase::done, std::memory_order_acq_rel)) {
      function = nullptr;
      return;
    }
    if (seen == Phase::running &&
        runner.load(std::memory_order_relaxed) == std::this_thread::get_id())
      return;
    while ((seen = phase.load(std::memory_order_acquire)) == Phase::running) phase.wait(seen);
  }

  std::move_only_function<void()> function;
  std::atomic<Phase> phase{Phase::pending};
  std::atomic<std::thread::id> runner;
  /// Place in the context's list; guarded by the context's mutex.
  std::list<std::shared_ptr<Callback>>::iterator place;
  bool listed = false;
};

using Callbacks = std::list<std::shared_ptr<Callback>>;

/// Empties `from` into `to`; the context's mutex is held.
void take_all(Callbacks& from, Callbacks& to) {
  for (const auto& callback : from) callback->listed = false;
  to.splice(to.end(), from);
}

}  // namespace

struct Context::Impl {
  Impl(std::string name, Deadline limit) : id(std::move(name)), deadline(limit) {}

  const std::string id;
  const Deadline deadline;
  std::atomic<State> state{State::live};
  std::map<std::string, std::string> metadata;

  std::mutex mutex;  // never held while foreign code runs
  Callbacks stop_callbacks;
  Callbacks kill_callbacks;
  std::list<std::weak_ptr<Context>> children;

  // A child keeps its parent alive, so that it can always leave the parent's list.
  std::shared_ptr<Context> parent;
  std::list<std::weak_ptr<Context>>::iterator place_in_parent;

  Callbacks& list(State trigger) {
    return trigger == State::killed ? kill_callbacks : stop_callbacks;
  }

  void advance(State to);
};

void Context::Impl::advance(State to) {
  std::vector<std::shared_ptr<Context>> family;
  Callbacks callbacks;
  {
    std::lock_guard lock(mutex);
    if (state.load(std::memory_order_relaxed) >= to) return;
    // Visible before the children are told, so that child() and a second stop() see it.
    state.store(to, std::memory_order_release);
    family.reserve(children.size());
    for (const auto& child : children) {
      if (auto alive = child.lock()) family.push_back(std::move(alive));
    }
    take_all(stop_callbacks, callbacks);
    if (to == State::killed) take_all(kill_callbacks, callbacks);
  }
  for (const auto& child : family) child->impl_->advance(to);
  for (const auto& callback : callbacks) callback->run();
}

Context::Context(std::string id, Deadline deadline)
    : impl_(std::make_unique<Impl>(std::move(id), deadline)) {}

Context::~Context() {
  if (const auto& parent = impl_->parent) {
    std::lock_guard lock(parent->impl_->mutex);
    parent->impl_->children.erase(impl_->place_in_parent);
  }
}

ContextPtr Context::create(std::string id, Deadline deadline) {
  return ContextPtr(new Context(std::move(id), deadline));
}

ContextPtr Context::child(std::string id) {
  ContextPtr child = create(std::move(id), impl_->deadline);
  child->impl_->metadata = impl_->metadata;
  std::lock_guard lock(impl_->mutex);
  child->impl_->parent = shared_from_this();
  child->impl_->place_in_parent = impl_->children.insert(impl_->children.end(), child);
  // Nobody knows the child yet, so it has no callbacks to run.
  child->impl_->state.store(impl_->state.load(std::memory_order_relaxed),
                            std::memory_order_release);
  return child;
}

const std::string& Context::id() const noexcept {
  return impl_->id;
}
Deadline Context::deadline() const noexcept {
  return impl_->deadline;
}
Context::State Context::state() const noexcept {
  return impl_->state.load(std::memory_order_acquire);
}
std::map<std::string, std::string>& Context::metadata() noexcept {
  return impl_->metadata;
}

void Context::stop() {
  const auto self = shared_from_this();  // a callback may drop the last reference
  impl_->advance(State::stopped);
}
void Context::kill() {
  const auto self = shared_from_this();
  impl_->advance(State::killed);
}

struct Context::Subscription::Impl {
  std::weak_ptr<Context> context;
  std::shared_ptr<Callback> callback;
  State trigger;
};

Context::Subscription Context::subscribe(State trigger, std::move_only_function<void()> callback) {
  Subscription subscription;
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->state.load(std::memory_order_relaxed) < trigger) {
      auto& list = impl_->list(trigger);
      auto entry = std::make_shared<Callback>(std::move(callback));
      entry->place = list.insert(list.end(), entry);
      entry->listed = true;
      subscription.impl_ = std::make_unique<Subscription::Impl>(
          Subscription::Impl{weak_from_this(), std::move(entry), trigger});
      return subscription;
    }
  }
  callback();
  return subscription;
}

Context::Subscription Context::on_stop(std::move_only_function<void()> callback) {
  return subscribe(State::stopped, std::move(callback));
}
Context::Subscription Context::on_kill(std::move_only_function<void()> callback) {
  return subscribe(State::killed, std::move(callback));
}

Context::Subscription::Subscription() noexcept = default;
Context::Subscription::Subscription(Subscription&&) noexcept = default;
Context::Subscription& Context::Subscription::operator=(Subscription&& other) noexcept {
  if (this != &other) {
    reset();
    impl_ = std::move(other.impl_);
  }
  return *this;
}
Context::Subscription::~Subscription() {
  reset();
}

void Context::Subscription::reset() noexcept {
  if (!impl_) return;
  const auto impl = std::move(impl_);
  impl->callback->withdraw();
  const auto context = impl->context.lock();
  if (!context) return;
  std::lock_guard lock(context->impl_->mutex);
  if (std::exchange(impl->callback->listed, false))
    context->impl_->list(impl->trigger).erase(impl->callback->place);
}

}  // namespace dynamo::runtime
