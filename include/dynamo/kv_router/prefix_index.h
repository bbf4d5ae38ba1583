// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/kv_router/index_types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace dynamo::kv_router {

namespace detail {
class TrieReader;
}  // namespace detail

/// A worker and the number of leading query blocks that it holds.
struct WorkerOverlap {
  WorkerKey worker;
  std::uint32_t blocks = 0;
  bool operator==(const WorkerOverlap&) const = default;
};

struct PrefixIndexOptions {
  /// What all tables, nodes and retired memory together may take. The least useful tails make room.
  std::size_t memory_bytes_max = std::size_t{4} << 30;
  /// Of the choice of what to evict; everything else is deterministic anyway.
  std::uint64_t seed = 1;
};

struct PrefixIndexStats {
  std::size_t memory_bytes = 0;  ///< as the allocator counts, retired memory included
  std::size_t distinct_blocks = 0;
  std::size_t nodes = 0;
  std::size_t workers = 0;
  std::size_t retired = 0;           ///< pieces of memory that wait for readers
  std::uint64_t evicted_blocks = 0;  ///< (worker, block) pairs given up for memory, ever
  std::uint64_t refused_stores = 0;  ///< stores dropped as over_budget, ever
};

/// Which worker holds which prefix: exact, within a memory budget, for one writer and any number of
/// concurrent readers that never lock, wait or (once warm) allocate.
///
/// A compressed trie over local hashes; workers are bits. Equal to NaiveIndex after every event
/// until the budget makes it evict; then a worker's prefix only gets shorter. A lookup during an
/// event may count less than a worker holds, never more than it held at some moment of the lookup.
/// docs/kv-index.md explains structure, costs and the concurrency argument.
///
/// Threads: apply() and everything else that is not const, and the inspection functions, belong to
/// one thread at a time. Readers live in any thread, one thread each; the index outlives them.
class PrefixIndex {
 public:
  explicit PrefixIndex(PrefixIndexOptions options = {});
  ~PrefixIndex();
  PrefixIndex(const PrefixIndex&) = delete;
  PrefixIndex& operator=(const PrefixIndex&) = delete;

  ApplyStatus apply(const RouterEvent& event);
  /// With `limit`, only so many leading blocks of the event are stored, once all of it was checked.
  ApplyStatus store(WorkerKey worker, const KvStored& stored, std::size_t limit = ~std::size_t{0});
  ApplyStatus remove(WorkerKey worker, std::span<const EngineHash> hashes);
  /// In time proportional to what the worker alone holds; shared blocks are tidied up bit by bit by
  /// later events.
  void clear(WorkerKey worker);
  /// All ranks of a worker that has left.
  void remove_worker(WorkerId worker);
  /// Finishes all tidying now and frees what no reader can see.
  void settle();

  /// The number of blocks up to and with the one that the worker calls `name`, at most
  /// `leading.size()`; if it is less, `leading` begins with their local hashes. Nothing when the
  /// worker has no such block.
  std::optional<std::size_t> path_to(WorkerKey worker, EngineHash name,
                                     std::span<LocalHash> leading) const;
  /// Blocks that the worker holds.
  std::size_t blocks(WorkerKey worker) const;
  /// Every block of every worker, sorted.
  std::vector<DumpedBlock> dump() const;
  /// Stores that rebuild the index in an empty one, parents before children; ids count from 0.
  std::vector<RouterEvent> snapshot() const;
  PrefixIndexStats stats() const;

  /// A thread's way in.
  class Reader {
   public:
    explicit Reader(PrefixIndex& index);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    /// Workers that hold a prefix of the sequence, each once, in no order. With `early_exit` the
    /// lookup stops once one worker is left, whose count then is a lower bound. The span is valid
    /// until the next lookup of this reader.
    std::span<const WorkerOverlap> find_matches(std::span<const LocalHash> sequence,
                                                bool early_exit = false);

   private:
    std::unique_ptr<detail::TrieReader> reader_;
  };

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::kv_router
