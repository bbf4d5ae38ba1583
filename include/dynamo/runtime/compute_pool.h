// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <dynamo/base/error.h>

namespace dynamo::runtime {

struct ComputePoolOptions {
  /// 0 means DYN_COMPUTE_THREADS, else clamp(cores / 2, 2, 16).
  std::size_t threads = 0;
  /// Jobs that may wait; more are refused with Errc::overloaded.
  std::size_t queue_limit = 4096;
  std::string thread_name_prefix = "compute";
};

/// Threads for CPU-bound work over 100 us (tokenizing a long prompt, a cold template), so that it
/// cannot stall a shard. Idle threads sleep on a futex and use no CPU.
///
/// Thread safety: run() from any coroutine of a shard; it resumes on the caller's executor.
class ComputePool {
 public:
  explicit ComputePool(const ComputePoolOptions& options = {});
  ~ComputePool();  ///< finishes what was accepted, then joins
  ComputePool(const ComputePool&) = delete;
  ComputePool& operator=(const ComputePool&) = delete;

  /// Runs `job` on a pool thread and returns its value. An exception of the job becomes
  /// Errc::internal. When the awaiting coroutine is cancelled the job still runs to its end (it
  /// must own what it touches) and its value is dropped.
  template <class F>
  boost::asio::awaitable<Result<std::invoke_result_t<F&>>> run(F job) {
    using T = std::invoke_result_t<F&>;
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

  /// Fire and forget; false when the queue is full.
  bool submit(std::move_only_function<void()> job);

  struct Stats {
    std::size_t threads, queued, active;
    std::uint64_t tasks_total, rejected_total, busy_us_total, max_us;
  };
  Stats stats() const noexcept;

 private:
  boost::asio::awaitable<Result<void>> run_erased(std::function<void()> job);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::runtime
