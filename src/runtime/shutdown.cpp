// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/base/log.h>
#include <dynamo/runtime/descriptor.h>
#include <dynamo/runtime/shutdown.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace dynamo::runtime {
namespace {

using Callbacks = std::vector<std::function<void()>>;

/// What the signal handler reads; one Shutdown of a process owns it. Only lock-free atomics and
/// async-signal-safe calls may appear in the handler.
std::atomic<bool> handlers_owned{false};
std::atomic<int> wake_fd{-1};
std::atomic<int> first_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void handle_signal(int signal) {
  const int saved = errno;
  int none = 0;
  if (!first_signal.compare_exchange_strong(none, signal)) ::_exit(128 + signal);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_fd.load(), &one, sizeof one);
  errno = saved;
}

}  // namespace

struct Shutdown::Impl {
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::atomic<Stage> stage{Stage::running};
  std::atomic<int> signal{0};
  bool told_draining = false;  ///< its callbacks have run
  Callbacks draining;
  Callbacks stopping;
  std::atomic<std::size_t> guards{0};

  // Signals: the handler wakes a thread, which is free to lock and to log.
  bool handlers_installed = false;
  Descriptor wake;
  std::atomic<bool> quit{false};
  std::thread watcher;
  struct sigaction old_interrupt{};
  struct sigaction old_terminate{};

  void watch(Shutdown& owner);
  void release() noexcept;
};

Shutdown::Shutdown() : impl_(std::make_unique<Impl>()) {}

Shutdown::~Shutdown() {
  if (impl_->handlers_installed) {
    sigaction(SIGINT, &impl_->old_interrupt, nullptr);
    sigaction(SIGTERM, &impl_->old_terminate, nullptr);
    impl_->quit = true;
    eventfd_write(impl_->wake.get(), 1);
    impl_->watcher.join();
    wake_fd = -1;
    first_signal = 0;
    handlers_owned = false;
  }
  DYN_ASSERT(impl_->guards.load() == 0);
}

Result<void> Shutdown::install_signal_handlers() {
  if (handlers_owned.exchange(true))
    return fail(Errc::already_exists, "signal handlers are installed by another Shutdown");
  impl_->wake = Descriptor(::eventfd(0, EFD_CLOEXEC));
  if (!impl_->wake) {
    handlers_owned = false;
    return fail(Errc::internal, "eventfd for signals: " + std::generic_category().message(errno));
  }
  wake_fd = impl_->wake.get();
  impl_->watcher = std::thread([this] { impl_->watch(*this); });
  pthread_setname_np(impl_->watcher.native_handle(), "signals");
  struct sigaction action{};
  action.sa_handler = handle_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &impl_->old_interrupt);
  sigaction(SIGTERM, &action, &impl_->old_terminate);
  impl_->handlers_installed = true;
  return {};
}

void Shutdown::Impl::watch(Shutdown& owner) {
  for (;;) {
    eventfd_t count = 0;
    if (eventfd_read(wake.get(), &count) != 0 && errno == EINTR) continue;
    if (quit) return;
    const int number = first_signal;
    signal = number;
    DYN_LOG_INFO("runtime::shutdown", "signal received, draining; a second one ends at once",
                 {{"signal", number}});
    owner.begin();
  }
}

Shutdown::Stage Shutdown::stage() const noexcept {
  return impl_->stage.load();
}
int Shutdown::signal() const noexcept {
  return impl_->signal.load();
}

void Shutdown::begin() {
  Callbacks callbacks;
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->stage != Stage::running) return;
    impl_->stage = Stage::draining;
    callbacks.swap(impl_->draining);
  }
  for (const auto& callback : callbacks) callback();
  {
    std::lock_guard lock(impl_->mutex);
    impl_->told_draining = true;
  }
  impl_->changed.notify_all();
}

void Shutdown::on_draining(std::function<void()> callback) {
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->stage == Stage::running) {
      impl_->draining.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

void Shutdown::on_stopping(std::function<void()> callback) {
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->stage < Stage::stopping) {
      impl_->stopping.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

Shutdown::Guard::Guard(Guard&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
Shutdown::Guard& Shutdown::Guard::operator=(Guard&& other) noexcept {
  if (this != &other) {
    if (owner_ != nullptr) owner_->impl_->release();
    owner_ = std::exchange(other.owner_, nullptr);
  }
  return *this;
}
Shutdown::Guard::~Guard() {
  if (owner_ != nullptr) owner_->impl_->release();
}

void Shutdown::Impl::release() noexcept {
  // Sequentially consistent with the stage: either we see that somebody waits, or wait() sees the
  // new count.
  if (guards.fetch_sub(1) != 1 || stage.load() == Stage::running) return;
  std::lock_guard lock(mutex);
  changed.notify_all();
}

Shutdown::Guard Shutdown::guard() {
  impl_->guards.fetch_add(1);
  return Guard(this);
}
std::size_t Shutdown::guarded() const noexcept {
  return impl_->guards.load();
}

bool Shutdown::wait(std::chrono::milliseconds drain_limit) {
  Callbacks callbacks;
  bool drained = false;
  {
    std::unique_lock lock(impl_->mutex);
    impl_->changed.wait(lock, [&] { return impl_->told_draining; });
    drained = impl_->changed.wait_for(lock, drain_limit, [&] { return impl_->guards.load() == 0; });
    if (impl_->stage >= Stage::stopping) return drained;
    impl_->stage = Stage::stopping;
    callbacks.swap(impl_->stopping);
  }
  if (!drained) {
    DYN_LOG_WARN("runtime::shutdown", "drain limit reached, ending what is left",
                 {{"running", std::uint64_t{guarded()}}});
  }
  for (const auto& callback : callbacks) callback();
  impl_->stage = Stage::stopped;
  return drained;
}

}  // namespace dynamo::runtime
