// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/kv_router/prefix_index.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace dynamo::kv_router {

struct ShardedIndexOptions {
  std::size_t shards = 2;  ///< writer threads; at least 1
  /// The leading blocks of a sequence that decide which shard has the rest, and that every shard
  /// has: one more than what most requests share (a system prompt) spreads best.
  std::size_t route_blocks = 4;
  std::size_t queue_events_max = 4096;                  ///< of each shard; then publish() refuses
  std::size_t memory_bytes_max = std::size_t{4} << 30;  ///< of all shards together
  std::uint64_t seed = 1;
};

/// How far behind a shard's writer is.
struct ShardLag {
  std::uint64_t events = 0;  ///< published, not applied yet
  std::uint64_t blocks = 0;  ///< named in them
};

struct ShardedIndexStats {
  std::size_t memory_bytes = 0;
  std::vector<ShardLag> lag;         ///< of each shard
  std::uint64_t refused_events = 0;  ///< because a queue was full, ever
  /// Stores by what became of them, by ApplyStatus.
  std::array<std::uint64_t, 6> stores{};
};

/// A PrefixIndex for several writer threads: the sequences are split by their beginning, so that no
/// two writers ever touch the same node and readers need only one shard.
///
/// A store at the start of a sequence goes to the shard of its first `route_blocks` local hashes;
/// the blocks before that point are few and go to all. What names a parent or removes blocks goes
/// to all shards too, and those that do not know the name have looked at one cache line for it. An
/// engine hash must name one (prefix, block) on its worker, as the protocol says: a worker that
/// uses a name anew under another beginning keeps the former block until it removes it.
///
/// Threads: publish() and worker_left() from any thread, the events of one worker from one thread
/// at a time; they are applied in that order. start() and stop() from one. Readers as those of
/// PrefixIndex.
class ShardedIndex {
 public:
  explicit ShardedIndex(ShardedIndexOptions options = {});
  /// Calls stop().
  ~ShardedIndex();
  ShardedIndex(const ShardedIndex&) = delete;
  ShardedIndex& operator=(const ShardedIndex&) = delete;

  void start();
  /// Applies what was published, then ends the writers.
  void stop();

  /// False when a queue is full: nothing was enqueued, and the caller knows that it must wait or
  /// recover that worker from a dump later.
  [[nodiscard]] bool publish(RouterEvent event);
  /// All ranks of a worker that has left. Waits for room: this must not get lost.
  void worker_left(WorkerId worker);
  /// Returns when everything published before the call can be seen by lookups.
  void flush();

  ShardedIndexStats stats() const;

  /// A thread's way in.
  class Reader {
   public:
    explicit Reader(ShardedIndex& index);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    /// As PrefixIndex::Reader::find_matches().
    std::span<const WorkerOverlap> find_matches(std::span<const LocalHash> sequence,
                                                bool early_exit = false);

   private:
    const ShardedIndex& index_;
    std::vector<std::unique_ptr<PrefixIndex::Reader>> readers_;
  };

 private:
  struct Job;
  class Shard;
  std::size_t shard_of(std::span<const LocalHash> leading) const noexcept;
  bool enqueue(Job* job, std::size_t only_shard);

  ShardedIndexOptions options_;
  std::vector<std::unique_ptr<Shard>> shards_;
  struct Counters;
  std::unique_ptr<Counters> counters_;
};

}  // namespace dynamo::kv_router
