// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/runtime/fwd.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>

namespace dynamo::runtime {

struct ComputePoolOptions {
  /// 0 means DYN_COMPUTE_THREADS, else clamp(cores / 2, 2, 16). DYN_COMPUTE_THREADS=0 means no
  /// pool: jobs run where they are submitted.
  std::size_t threads = 0;
  /// Jobs that may wait; more are refused with Errc::overloaded.
  std::size_t queue_limit = 4096;
  /// Empty means DYN_COMPUTE_THREAD_PREFIX, else "compute". Linux keeps 15 characters of a name.
  std::string thread_name_prefix;
  /// 0 means DYN_COMPUTE_STACK_SIZE, else 2 MiB. At least 128 KiB.
  std::size_t stack_size_bytes = 0;
};

/// Threads for CPU-bound work over 100 us (tokenizing a long prompt, a cold template), so that it
/// cannot stall a shard. Idle threads sleep on a futex and use no CPU.
///
/// Thread safety: run() from any coroutine of a shard; it resumes on the caller's executor.
/// Source of variables and defaults: lib/runtime/src/compute v1.5.
class ComputePool {
 public:
  explicit ComputePool(const ComputePoolOptions& options = {});
  ~ComputePool();  ///< finishes what was accepted, then joins; not on a thread of the pool
  ComputePool(const ComputePool&) = delete;
  ComputePool& operator=(const ComputePool&) = delete;

  /// Runs `job` on a pool thread and returns its value. An exception of the job becomes
  /// Errc::internal; a full queue is Errc::overloaded. When the awaiting coroutine is cancelled the
  /// job still runs to its end (it must own what it touches) and its value is dropped:
  /// Errc::cancelled.
  template <class F>
  boost::asio::awaitable<Result<std::invoke_result_t<F&>>> run(F job) {
    using T = std::invoke_result_t<F&>;
    if constexpr (std::is_void_v<T>) {
      auto state = std::make_shared<F>(std::move(job));
      co_return co_await run_erased([state] { (*state)(); });
    } else {
      struct State {
        explicit State(F f) : job(std::move(f)) {}
        F job;
        std::optional<T> value;
      };
      auto state = std::make_shared<State>(std::move(job));
      auto done = co_await run_erased([state] { state->value.emplace(state->job()); });
      if (!done) co_return std::unexpected(std::move(done).error());
      co_return std::move(*state->value);
    }
  }

  /// Fire and forget; false when the queue is full. An exception is logged.
  bool submit(std::move_only_function<void()> job);

  /// Calls `body(0)` … `body(count - 1)` on pool threads and on the calling one, and returns when
  /// all have ended. Blocks, so not for a shard; inside a job it is fine: the caller never waits
  /// for a queued job, only for indexes that somebody is working on.
  /// Errors: Errc::internal with the first exception; later indexes are then skipped.
  Result<void> parallel(std::size_t count, const std::function<void(std::size_t)>& body);

  struct Stats {
    std::size_t threads, queued, active;
    std::uint64_t tasks_total, rejected_total, busy_us_total, max_us;
  };
  Stats stats() const noexcept;
  /// Publishes the kCompute… families (runtime_metrics.h). Once; the registry outlives the pool.
  void export_metrics(MetricsRegistry& registry);

 private:
  boost::asio::awaitable<Result<void>> run_erased(std::function<void()> job);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::runtime
