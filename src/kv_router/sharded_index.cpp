// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/kv_router/sharded_index.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "kv_router/event_queue.h"

namespace dynamo::kv_router {
namespace {

constexpr std::size_t kEveryShard = ~std::size_t{0};

std::size_t blocks_in(const RouterEvent& event) noexcept {
  if (const auto* stored = std::get_if<KvStored>(&event.event.data)) return stored->blocks.size();
  if (const auto* removed = std::get_if<KvRemoved>(&event.event.data))
    return removed->block_hashes.size();
  return 0;
}

}  // namespace

/// An event on its way to one or all shards; the last one deletes it.
struct ShardedIndex::Job {
  RouterEvent event;
  bool worker_left = false;  ///< then only the worker counts
  std::size_t blocks = 0;
  std::atomic<std::uint32_t> shards_left{0};
  /// Of a store: the best that any shard made of it.
  std::atomic<ApplyStatus> status{ApplyStatus::parent_not_found};
};

struct ShardedIndex::Counters {
  std::atomic<std::uint64_t> refused{0};
  std::array<std::atomic<std::uint64_t>, 6> stores{};
};

class ShardedIndex::Shard {
 public:
  Shard(const ShardedIndex& index, std::size_t number)
      : sharded_(index),
        number_(number),
        index_({.memory_bytes_max = index.options_.memory_bytes_max / index.options_.shards,
                .seed = index.options_.seed + number}),
        queue_(index.options_.queue_events_max),
        leading_(index.options_.route_blocks) {}

  void start() {
    stopping_.store(false, std::memory_order_relaxed);
    thread_ = std::thread([this] { run(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    stopping_.store(true, std::memory_order_release);
    queue_.wake();
    thread_.join();
  }
  PrefixIndex& index() noexcept { return index_; }
  detail::EventQueue<Job>& queue() noexcept { return queue_; }
  void push(Job* job) noexcept {
    queued_blocks_.fetch_add(job->blocks, std::memory_order_relaxed);
    queue_.push(job);
  }
  ShardLag lag() const noexcept {
    return {.events = queue_.size(), .blocks = queued_blocks_.load(std::memory_order_relaxed)};
  }
  std::size_t memory_bytes() const noexcept {
    return memory_bytes_.load(std::memory_order_relaxed);
  }

 private:
  void run() {
    while (true) {
      const std::uint32_t seen = queue_.pushed();
      const bool last_look = stopping_.load(std::memory_order_acquire);
      if (Job* job = queue_.try_pop()) {
        apply(*job);
        const std::size_t blocks = job->blocks;
        release(job);
        queued_blocks_.fetch_sub(blocks, std::memory_order_relaxed);
        memory_bytes_.store(index_.stats().memory_bytes, std::memory_order_relaxed);
        queue_.done();
      } else if (last_look) {
        return;
      } else {
        queue_.wait(seen);
      }
    }
  }

  void release(Job* job) {
    if (job->shards_left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (std::holds_alternative<KvStored>(job->event.event.data) && !job->worker_left)
      ++sharded_.counters_
            ->stores[static_cast<std::size_t>(job->status.load(std::memory_order_relaxed))];
    delete job;
  }

  void apply(Job& job) {
    if (job.worker_left) return index_.remove_worker(job.event.worker_id);
    const auto* stored = std::get_if<KvStored>(&job.event.event.data);
    if (stored == nullptr) {
      static_cast<void>(index_.apply(job.event));
      return;
    }
    const ApplyStatus mine = store(job.event.key(), *stored);
    ApplyStatus best = job.status.load(std::memory_order_relaxed);
    while (mine < best &&
           !job.status.compare_exchange_weak(best, mine, std::memory_order_relaxed)) {
    }
  }

  // All of it, or only the blocks that every shard has.
  ApplyStatus store(WorkerKey worker, const KvStored& stored) {
    std::size_t depth = 0;
    if (stored.parent_hash) {
      const auto found = index_.path_to(worker, *stored.parent_hash, leading_);
      if (!found) return ApplyStatus::parent_not_found;
      depth = *found;
      if (depth == leading_.size()) return index_.store(worker, stored);  // so it is mine
    }
    const std::size_t common = std::min(leading_.size() - depth, stored.blocks.size());
    for (std::size_t i = 0; i < common; ++i) leading_[depth + i] = stored.blocks[i].tokens_hash;
    const bool mine = depth + common == leading_.size() && sharded_.shard_of(leading_) == number_;
    return index_.store(worker, stored, mine ? stored.blocks.size() : common);
  }

  const ShardedIndex& sharded_;
  const std::size_t number_;
  PrefixIndex index_;
  detail::EventQueue<Job> queue_;
  std::vector<LocalHash> leading_;
  std::atomic<std::uint64_t> queued_blocks_{0};
  std::atomic<std::size_t> memory_bytes_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

ShardedIndex::ShardedIndex(ShardedIndexOptions options)
    : options_(options), counters_(std::make_unique<Counters>()) {
  DYN_ASSERT(options_.shards != 0 && options_.route_blocks != 0 && options_.queue_events_max != 0);
  for (std::size_t i = 0; i < options_.shards; ++i)
    shards_.push_back(std::make_unique<Shard>(*this, i));
}

ShardedIndex::~ShardedIndex() {
  stop();
}

void ShardedIndex::start() {
  for (const auto& shard : shards_) shard->start();
}

void ShardedIndex::stop() {
  for (const auto& shard : shards_) shard->stop();
}

std::size_t ShardedIndex::shard_of(std::span<const LocalHash> leading) const noexcept {
  std::uint64_t x = 0;
  for (const LocalHash local : leading.first(options_.route_blocks)) {
    x = (x ^ std::to_underlying(local)) * 0x9e3779b97f4a7c15u;
    x ^= x >> 32;
  }
  return static_cast<std::size_t>(x % options_.shards);
}

// Takes the job over if there is room for it in every queue that it is for.
bool ShardedIndex::enqueue(Job* job, std::size_t only_shard) {
  const std::size_t first = only_shard == kEveryShard ? 0 : only_shard;
  const std::size_t last = only_shard == kEveryShard ? shards_.size() : only_shard + 1;
  for (std::size_t i = first; i < last; ++i) {
    if (shards_[i]->queue().reserve()) continue;
    while (i != first) shards_[--i]->queue().undo();
    return false;
  }
  job->shards_left.store(static_cast<std::uint32_t>(last - first), std::memory_order_relaxed);
  for (std::size_t i = first; i < last; ++i) shards_[i]->push(job);
  return true;
}

bool ShardedIndex::publish(RouterEvent event) {
  auto job = std::make_unique<Job>();
  job->event = std::move(event);
  job->blocks = blocks_in(job->event);
  if (!enqueue(job.get(), kEveryShard)) {
    counters_->refused.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  job.release();
  return true;
}

void ShardedIndex::worker_left(WorkerId worker) {
  auto job = std::make_unique<Job>();
  job->event.worker_id = worker;
  job->worker_left = true;
  job->shards_left.store(static_cast<std::uint32_t>(shards_.size()), std::memory_order_relaxed);
  Job* shared = job.release();
  for (const auto& shard : shards_) shard->queue().reserve_or_wait();
  for (const auto& shard : shards_) shard->push(shared);
}

void ShardedIndex::flush() {
  for (const auto& shard : shards_) shard->queue().wait_until_done(shard->queue().pushed_count());
}

ShardedIndexStats ShardedIndex::stats() const {
  ShardedIndexStats stats;
  for (const auto& shard : shards_) {
    stats.memory_bytes += shard->memory_bytes();
    stats.lag.push_back(shard->lag());
  }
  stats.refused_events = counters_->refused.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < stats.stores.size(); ++i)
    stats.stores[i] = counters_->stores[i].load(std::memory_order_relaxed);
  return stats;
}

ShardedIndex::Reader::Reader(ShardedIndex& index) : index_(index) {
  for (const auto& shard : index.shards_)
    readers_.push_back(std::make_unique<PrefixIndex::Reader>(shard->index()));
}
ShardedIndex::Reader::~Reader() = default;

std::span<const WorkerOverlap> ShardedIndex::Reader::find_matches(
    std::span<const LocalHash> sequence, bool early_exit) {
  const std::size_t shard =
      sequence.size() < index_.options_.route_blocks ? 0 : index_.shard_of(sequence);
  return readers_[shard]->find_matches(sequence, early_exit);
}

}  // namespace dynamo::kv_router
