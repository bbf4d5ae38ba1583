// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/base/log.h>
#include <dynamo/config/configuration.h>
#include <dynamo/runtime/async_event.h>
#include <dynamo/runtime/compute_pool.h>
#include <dynamo/runtime/runtime_metrics.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include <pthread.h>

#include "runtime/cores.h"
#include "runtime/parking.h"

namespace dynamo::runtime {
namespace {

namespace net = boost::asio;
using Job = std::move_only_function<void()>;

constexpr std::size_t kThreadLimit = 256;
constexpr std::size_t kStackBytesMin = std::size_t{128} << 10;

std::size_t thread_count(const ComputePoolOptions& options) {
  if (options.threads != 0) return std::min(options.threads, kThreadLimit);
  if (const auto count = config::get(config::var::compute_threads)) return *count;
  return std::clamp<std::size_t>(available_cores() / 2, 2, 16);
}

std::size_t stack_size(const ComputePoolOptions& options) {
  const std::size_t wanted = options.stack_size_bytes != 0
                                 ? options.stack_size_bytes
                                 : config::get(config::var::compute_stack_bytes);
  return std::max(wanted, kStackBytesMin);
}

std::string thread_prefix(const ComputePoolOptions& options) {
  return options.thread_name_prefix.empty() ? config::get(config::var::compute_thread_prefix)
                                            : options.thread_name_prefix;
}

/// What went wrong, from inside a catch block.
Error error_of_exception() {
  try {
    throw;
  } catch (const std::exception& error) {
    return {Errc::internal, std::string("compute job failed: ") + error.what()};
  } catch (...) {
    return {Errc::internal, "compute job failed: unknown exception"};
  }
}

/// Runs a job whose failure nobody waits for.
void run_logged(Job& job) noexcept {
  try {
    job();
  } catch (...) {
    DYN_LOG_ERROR("runtime::compute_pool", "job failed", {{"error", error_of_exception()}});
  }
}

/// Written by one thread of the pool, read by any.
struct alignas(64) ThreadCounts {
  std::atomic<std::uint64_t> tasks{0};
  std::atomic<std::uint64_t> busy_ns{0};
  std::atomic<std::uint64_t> max_ns{0};

  void add(std::uint64_t ns) noexcept {
    tasks.store(tasks.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    busy_ns.store(busy_ns.load(std::memory_order_relaxed) + ns, std::memory_order_relaxed);
    if (ns > max_ns.load(std::memory_order_relaxed)) max_ns.store(ns, std::memory_order_relaxed);
  }
};

}  // namespace

struct ComputePool::Impl {
  /// One thread of the pool. A sleeping one is given its job directly, so that it need not lock.
  struct Thread {
    Impl* pool = nullptr;
    pthread_t native{};
    Parking parking;
    Job job;  ///< written by who takes the thread off `sleepers`, before it unparks it
    ThreadCounts counts;
  };

  std::size_t queue_limit = 0;
  std::deque<Thread> threads;  // stable addresses
  MetricsRegistry* exported_to = nullptr;

  mutable std::mutex mutex;
  std::deque<Job> queue;          ///< empty while anybody sleeps
  std::vector<Thread*> sleepers;  ///< the last to sleep is the first to wake: its caches are warm
  std::size_t active = 0;
  std::uint64_t rejected = 0;
  bool ending = false;

  void start(std::size_t count, std::size_t stack_bytes, const std::string& prefix);
  void work(Thread& self);
  /// The next job, empty at the end; sleeps while there is none.
  Job take(Thread& self);
};

void ComputePool::Impl::start(std::size_t count, std::size_t stack_bytes,
                              const std::string& prefix) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  const int sized = pthread_attr_setstacksize(&attributes, (stack_bytes + 4095) / 4096 * 4096);
  DYN_ASSERT(sized == 0);
  for (std::size_t i = 0; i < count; ++i) {
    Thread& thread = threads.emplace_back();
    thread.pool = this;
    const auto entry = [](void* argument) -> void* {
      auto* self = static_cast<Thread*>(argument);
      self->pool->work(*self);
      return nullptr;
    };
    const int error = pthread_create(&thread.native, &attributes, entry, &thread);
    if (error != 0) {
      threads.pop_back();
      DYN_LOG_ERROR(
          "runtime::compute_pool", "thread cannot be started",
          {{"errno", error}, {"started", std::uint64_t{i}}, {"wanted", std::uint64_t{count}}});
      break;
    }
    pthread_setname_np(thread.native, (prefix + "-" + std::to_string(i)).substr(0, 15).c_str());
  }
  pthread_attr_destroy(&attributes);
}

Job ComputePool::Impl::take(Thread& self) {
  {
    std::lock_guard lock(mutex);
    if (!queue.empty()) {
      Job job = std::move(queue.front());
      queue.pop_front();
      ++active;
      return job;
    }
    if (ending) return {};
    sleepers.push_back(&self);
  }
  self.parking.park();
  return std::exchange(self.job, nullptr);
}

void ComputePool::Impl::work(Thread& self) {
  using SteadyClock = std::chrono::steady_clock;
  const detail::MetricRow row;
  while (Job job = take(self)) {
    const auto begin = SteadyClock::now();
    run_logged(job);
    job = nullptr;
    self.counts.add(
        static_cast<std::uint64_t>(std::chrono::nanoseconds(SteadyClock::now() - begin).count()));
    std::lock_guard lock(mutex);
    --active;
  }
}

ComputePool::ComputePool(const ComputePoolOptions& options) : impl_(std::make_unique<Impl>()) {
  impl_->queue_limit = options.queue_limit;
  impl_->start(thread_count(options), stack_size(options), thread_prefix(options));
}

ComputePool::~ComputePool() {
  if (impl_->exported_to != nullptr) {
    for (const auto* family : {&kComputeThreads, &kComputeQueued, &kComputeActive, &kComputeJobs,
                               &kComputeRejected, &kComputeBusySeconds})
      impl_->exported_to->remove(*family, {});
  }
  {
    std::lock_guard lock(impl_->mutex);
    impl_->ending = true;
    for (auto* thread : std::exchange(impl_->sleepers, {})) thread->parking.unpark();
  }
  for (const auto& thread : impl_->threads) {
    DYN_ASSERT(pthread_equal(thread.native, pthread_self()) == 0);
    pthread_join(thread.native, nullptr);
  }
}

bool ComputePool::submit(std::move_only_function<void()> job) {
  if (impl_->threads.empty()) {
    run_logged(job);
    return true;
  }
  Impl::Thread* sleeper = nullptr;
  {
    std::lock_guard lock(impl_->mutex);
    if (!impl_->sleepers.empty()) {
      sleeper = impl_->sleepers.back();
      impl_->sleepers.pop_back();
      sleeper->job = std::move(job);
      ++impl_->active;
    } else if (impl_->queue.size() >= impl_->queue_limit) {
      ++impl_->rejected;
      return false;
    } else {
      impl_->queue.push_back(std::move(job));
    }
  }
  if (sleeper != nullptr) sleeper->parking.unpark();
  return true;
}

net::awaitable<Result<void>> ComputePool::run_erased(std::function<void()> job) {
  struct Outcome {
    AsyncEvent done;
    std::optional<Error> error;
  };
  const auto outcome = std::make_shared<Outcome>();
  auto wrapped = [outcome, job = std::move(job)]() mutable {
    try {
      job();
    } catch (...) {
      outcome->error = error_of_exception();
    }
    job = nullptr;  // its last owner is the caller, where there still is one
    outcome->done.notify();
  };
  if (!submit(std::move(wrapped))) {
    co_return fail(Errc::overloaded,
                   "compute pool is full: " + std::to_string(impl_->queue_limit) + " jobs wait");
  }
  if (auto woken = co_await outcome->done.wait(); !woken) co_return woken;
  if (auto error = std::move(outcome->error)) co_return std::unexpected(*std::move(error));
  co_return Result<void>{};
}

Result<void> ComputePool::parallel(std::size_t count,
                                   const std::function<void(std::size_t)>& body) {
  struct Shared {
    Shared(std::size_t n, const std::function<void(std::size_t)>& f) : count(n), body(f) {}
    const std::size_t count;
    const std::function<void(std::size_t)>& body;  // touched only for an index below count
    std::atomic<std::size_t> next{0};
    std::atomic<std::size_t> ended{0};
    std::mutex mutex;
    std::optional<Error> error;

    void work() {
      for (;;) {
        const std::size_t index = next.fetch_add(1, std::memory_order_relaxed);
        if (index >= count) return;
        if (!failed.load(std::memory_order_relaxed)) attempt(index);
        if (ended.fetch_add(1, std::memory_order_acq_rel) + 1 == count) ended.notify_all();
      }
    }
    void attempt(std::size_t index) {
      try {
        body(index);
      } catch (...) {
        std::lock_guard lock(mutex);
        if (!error) error = error_of_exception();
        failed.store(true, std::memory_order_relaxed);
      }
    }
    std::atomic<bool> failed{false};
  };
  if (count == 0) return {};
  const auto shared = std::make_shared<Shared>(count, body);
  const std::size_t helpers = std::min(count - 1, impl_->threads.size());
  for (std::size_t i = 0; i < helpers; ++i) {
    if (!submit([shared] { shared->work(); })) break;  // the caller does it all
  }
  shared->work();
  for (std::size_t ended = 0; (ended = shared->ended.load(std::memory_order_acquire)) != count;)
    shared->ended.wait(ended, std::memory_order_acquire);
  if (auto error = std::move(shared->error)) return std::unexpected(*std::move(error));
  return {};
}

ComputePool::Stats ComputePool::stats() const noexcept {
  Stats all{};
  {
    std::lock_guard lock(impl_->mutex);
    all.threads = impl_->threads.size();
    all.queued = impl_->queue.size();
    all.active = impl_->active;
    all.rejected_total = impl_->rejected;
  }
  std::uint64_t busy_ns = 0;
  std::uint64_t max_ns = 0;
  for (const auto& thread : impl_->threads) {
    all.tasks_total += thread.counts.tasks.load(std::memory_order_relaxed);
    busy_ns += thread.counts.busy_ns.load(std::memory_order_relaxed);
    max_ns = std::max(max_ns, thread.counts.max_ns.load(std::memory_order_relaxed));
  }
  all.busy_us_total = busy_ns / 1000;
  all.max_us = max_ns / 1000;
  return all;
}

void ComputePool::export_metrics(MetricsRegistry& registry) {
  DYN_ASSERT(impl_->exported_to == nullptr);
  impl_->exported_to = &registry;
  const auto publish = [&](const MetricFamily& family, auto read) {
    registry.gauge_function(family, [this, read] { return static_cast<double>(read(stats())); });
  };
  publish(kComputeThreads, [](const Stats& s) { return s.threads; });
  publish(kComputeQueued, [](const Stats& s) { return s.queued; });
  publish(kComputeActive, [](const Stats& s) { return s.active; });
  publish(kComputeJobs, [](const Stats& s) { return s.tasks_total; });
  publish(kComputeRejected, [](const Stats& s) { return s.rejected_total; });
  publish(kComputeBusySeconds, [](const Stats& s) { return double(s.busy_us_total) / 1e6; });
}

}  // namespace dynamo::runtime
