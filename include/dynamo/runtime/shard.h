// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/runtime/fwd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

namespace dynamo::runtime {

/// One thread with its own io_context. A request lives and dies on its shard, so its state needs
/// no lock.
class Shard {
 public:
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard();

  std::size_t index() const noexcept;
  boost::asio::any_io_executor executor() noexcept;
  /// Runs `work` on the shard's thread. Any thread may call. Dropped without running when the
  /// shard stops first.
  void post(std::move_only_function<void()> work);

  /// Requests in progress; the acceptor gives a new connection to the shard with the fewest. The
  /// shard measures the delay of its event loop while there are any.
  void request_started() noexcept {
    if (active_.fetch_add(1, std::memory_order_relaxed) == 0) became_busy();
  }
  void request_ended() noexcept { active_.fetch_sub(1, std::memory_order_relaxed); }
  std::size_t active_requests() const noexcept { return active_.load(std::memory_order_relaxed); }

  /// The shard whose thread this is, or null.
  static Shard* current() noexcept;

 private:
  friend class ShardPool;
  friend class SlowSection;
  explicit Shard(std::size_t index);
  void start();
  void stop();
  void run();
  void became_busy() noexcept;
  void was_slow(std::string_view section, std::chrono::nanoseconds took) noexcept;
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::atomic<std::size_t> active_{0};
};

/// The process's shards. Threads run from construction until stop().
class ShardPool {
 public:
  /// `count` 0 means DYN_RUNTIME_NUM_WORKER_THREADS, else the number of cores this process may
  /// use (affinity and cgroup quota). At most 256.
  explicit ShardPool(std::size_t count = 0);
  ~ShardPool();
  ShardPool(const ShardPool&) = delete;
  ShardPool& operator=(const ShardPool&) = delete;

  std::size_t size() const noexcept { return shards_.size(); }
  Shard& at(std::size_t index) noexcept { return *shards_[index]; }
  /// The shard with the fewest active requests; ties go round robin.
  Shard& least_loaded() noexcept;
  /// Publishes kEventLoopDelay, kEventLoopStalls, kShardActiveRequests and kSlowSections
  /// (runtime_metrics.h) and starts measuring. Once, before requests arrive; the registry outlives
  /// the pool.
  void export_metrics(MetricsRegistry& registry);
  /// Ends the threads after their present handler; idempotent. Tasks must have been joined before.
  /// Not from a shard's thread.
  void stop();

 private:
  std::vector<std::unique_ptr<Shard>> shards_;
  std::atomic<std::size_t> next_{0};
  MetricsRegistry* exported_to_ = nullptr;
};

}  // namespace dynamo::runtime
