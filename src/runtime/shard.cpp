// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/base/clock.h>
#include <dynamo/base/log.h>
#include <dynamo/config/configuration.h>
#include <dynamo/runtime/runtime_metrics.h>
#include <dynamo/runtime/shard.h>
#include <dynamo/runtime/slow_section.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <pthread.h>

#include "runtime/cores.h"
#include "runtime/loop_delay.h"

namespace dynamo::runtime {
namespace {

namespace net = boost::asio;
constexpr std::size_t kShardLimit = 256;

thread_local Shard* current_shard = nullptr;

std::size_t default_shard_count() {
  return config::get(config::var::worker_threads)
      .value_or(std::min(available_cores(), kShardLimit));
}

}  // namespace

struct Shard::Impl {
  explicit Impl(std::size_t i) : index(i) {}
  const std::size_t index;
  net::io_context io{1};  // one thread runs it, any thread posts
  net::executor_work_guard<net::io_context::executor_type> work{io.get_executor()};
  LoopDelay delay{io.get_executor()};  // of the shard's thread
  std::atomic<bool> measuring{false};
  MetricsRegistry* metrics = nullptr;  // of the shard's thread, as what follows
  base::SteadyTime slow_logged{};
  std::uint64_t slow_unlogged = 0;
  std::thread thread;
};

Shard::Shard(std::size_t index) : impl_(std::make_unique<Impl>(index)) {}
Shard::~Shard() = default;

std::size_t Shard::index() const noexcept {
  return impl_->index;
}
net::any_io_executor Shard::executor() noexcept {
  return impl_->io.get_executor();
}
Shard* Shard::current() noexcept {
  return current_shard;
}

void Shard::post(std::move_only_function<void()> work) {
  net::post(impl_->io, [work = std::move(work)]() mutable { work(); });
}

void Shard::start() {
  impl_->thread = std::thread([this] { run(); });
  // 15 characters are what Linux keeps.
  pthread_setname_np(impl_->thread.native_handle(),
                     ("shard-" + std::to_string(impl_->index)).c_str());
}

void Shard::stop() {
  impl_->io.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

void Shard::run() {
  current_shard = this;
  const detail::MetricRow row;
  for (;;) {
    try {
      impl_->io.run();
      return;
    } catch (const std::exception& error) {
      DYN_LOG_ERROR("runtime::shard", "handler threw",
                    {{"shard", std::uint64_t{impl_->index}}, {"error", error.what()}});
    } catch (...) {
      DYN_LOG_ERROR("runtime::shard", "handler threw",
                    {{"shard", std::uint64_t{impl_->index}}, {"error", "unknown exception"}});
    }
  }
}

void Shard::became_busy() noexcept {
  if (!impl_->measuring.load(std::memory_order_relaxed)) return;
  const auto watch = [this] { impl_->delay.watch([this] { return active_requests() != 0; }); };
  if (current_shard == this) {
    watch();
  } else {
    net::post(impl_->io, watch);
  }
}

void Shard::was_slow(std::string_view section, std::chrono::nanoseconds took) noexcept {
  if (impl_->metrics != nullptr) impl_->metrics->counter(kSlowSections, {section}).add();
  ++impl_->slow_unlogged;
  const auto now = std::chrono::steady_clock::now();
  if (now - impl_->slow_logged < std::chrono::seconds{1}) return;
  impl_->slow_logged = now;
  DYN_LOG_WARN("runtime::shard", "slow section",
               {{"shard", std::uint64_t{impl_->index}},
                {"section", section},
                {"took_ms", std::chrono::duration<double, std::milli>(took).count()},
                {"slow_sections", std::exchange(impl_->slow_unlogged, 0)}});
}

void SlowSection::report(std::chrono::nanoseconds took) const noexcept {
  if (current_shard != nullptr) current_shard->was_slow(name_, took);
}

ShardPool::ShardPool(std::size_t count) {
  if (count == 0) count = default_shard_count();
  DYN_ASSERT(count <= kShardLimit);
  for (std::size_t index = 0; index < count; ++index)
    shards_.push_back(std::unique_ptr<Shard>(new Shard(index)));
  for (auto& shard : shards_) shard->start();
}

ShardPool::~ShardPool() {
  if (exported_to_ != nullptr) {
    for (const auto& shard : shards_)
      exported_to_->remove(kShardActiveRequests, {std::to_string(shard->index())});
  }
  stop();
}

Shard& ShardPool::least_loaded() noexcept {
  const std::size_t first = next_.fetch_add(1, std::memory_order_relaxed) % shards_.size();
  Shard* best = shards_[first].get();
  std::size_t fewest = best->active_requests();
  for (std::size_t i = 1; i < shards_.size() && fewest != 0; ++i) {
    Shard* other = shards_[(first + i) % shards_.size()].get();
    if (const std::size_t load = other->active_requests(); load < fewest) {
      best = other;
      fewest = load;
    }
  }
  return *best;
}

void ShardPool::export_metrics(MetricsRegistry& registry) {
  DYN_ASSERT(exported_to_ == nullptr);
  exported_to_ = &registry;
  registry.declare(kSlowSections);
  for (const auto& shard : shards_) {
    registry.gauge_function(kShardActiveRequests, {std::to_string(shard->index())},
                            [one = shard.get()] { return double(one->active_requests()); });
    shard->post([impl = shard->impl_.get(), &registry, delay = registry.histogram(kEventLoopDelay),
                 stalls = registry.counter(kEventLoopStalls)] {
      impl->delay.report_to(delay, stalls, impl->index);
      impl->metrics = &registry;
      impl->measuring.store(true, std::memory_order_relaxed);
    });
  }
}

void ShardPool::stop() {
  for (const auto& shard : shards_) DYN_ASSERT(shard.get() != Shard::current());
  for (const auto& shard : shards_) shard->impl_->io.stop();
  for (const auto& shard : shards_) shard->stop();
}

}  // namespace dynamo::runtime
