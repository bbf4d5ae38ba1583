// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/rng.h>
#include <dynamo/kv_router/prefix_index.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "kv_router/counted_heap.h"
#include "kv_router/engine_hash_table.h"
#include "kv_router/epoch.h"
#include "kv_router/flat_map.h"
#include "kv_router/id_list.h"
#include "kv_router/trie_node.h"

namespace dynamo::kv_router::detail {

/// Who a slot stands for, as readers see it. A slot is given to another worker only after no reader
/// can hold a bit of the former one.
struct SlotOwner {
  std::atomic<std::uint64_t> worker{0};
  std::atomic<std::uint32_t> rank{0};
  std::atomic<bool> alive{false};
};

/// Slots to owners; grows without moving.
class SlotTable {
 public:
  SlotOwner& operator[](Slot slot) noexcept {
    return chunks_[slot / kChunk].load(std::memory_order_acquire)[slot % kChunk];
  }
  const SlotOwner& operator[](Slot slot) const noexcept {
    return chunks_[slot / kChunk].load(std::memory_order_acquire)[slot % kChunk];
  }
  void ensure(Slot slot);
  ~SlotTable();

 private:
  static constexpr std::size_t kChunk = 1024;
  std::array<std::atomic<SlotOwner*>, (kSlotsMax + kChunk) / kChunk> chunks_{};
};

/// The trie behind PrefixIndex, the writer's side.
///
/// Invariants between events:
///  * a worker that holds part of a node holds all of the node above it;
///  * `table_` has one entry for each block of each node, under the engine hash that stands there;
///  * a node without holders exists only while something stands below it;
///  * a leaf is as long as what its best holder holds;
///  * a node with one holder is in that worker's list, every other in the list of shared nodes.
/// Dead slots (workers that left) may linger in sets of shared nodes until the sweep comes by; they
/// count as nobody.
class PrefixTrie {
 public:
  explicit PrefixTrie(const PrefixIndexOptions& options);
  ~PrefixTrie();
  PrefixTrie(const PrefixTrie&) = delete;
  PrefixTrie& operator=(const PrefixTrie&) = delete;

  ApplyStatus store(WorkerKey worker, const KvStored& stored, std::size_t limit);
  std::optional<std::size_t> path_to(WorkerKey worker, EngineHash name,
                                     std::span<LocalHash> leading) const;
  ApplyStatus remove(WorkerKey worker, std::span<const EngineHash> hashes);
  void clear(WorkerKey worker);
  void remove_worker(WorkerId worker);
  void settle();

  std::size_t blocks(WorkerKey worker) const;
  std::vector<RouterEvent> snapshot() const;
  PrefixIndexStats stats() const;

 private:
  friend class TrieReader;

  struct SlotState {
    WorkerKey owner;
    IdList nodes;  ///< that only this worker holds
    std::uint64_t blocks = 0;
    std::uint64_t aliases = 0;
  };
  /// A block as a worker knows it: node and index in it.
  struct Place {
    Node* node = nullptr;
    std::uint32_t index = 0;
  };
  // A name other than the one that stands in the node, found by name and by place.
  struct AliasByName {
    std::uint64_t name = 0;
    std::uint32_t slot = 0;
    std::uint32_t node = 0;  // 0: empty
    std::uint32_t position = 0;
    bool empty() const noexcept { return node == 0; }
    bool same_key(const AliasByName& other) const noexcept {
      return name == other.name && slot == other.slot;
    }
    std::size_t hash() const noexcept {
      return EngineHashTable::mix(EngineHash{name + slot * 0xc2b2ae3d27d4eb4fu});
    }
  };
  struct AliasByPlace {
    std::uint64_t name = 0;
    std::uint32_t slot = 0;
    std::uint32_t node = 0;
    std::uint32_t position = 0;
    bool empty() const noexcept { return node == 0; }
    bool same_key(const AliasByPlace& other) const noexcept {
      return slot == other.slot && node == other.node && position == other.position;
    }
    std::size_t hash() const noexcept {
      return EngineHashTable::mix(
          EngineHash{(std::uint64_t{node} << 8 | position) ^ std::uint64_t{slot} << 44});
    }
  };
  struct Retired {
    void* memory = nullptr;  ///< null: `slot` becomes free instead
    std::uint64_t epoch = 0;
    Slot slot = 0;
  };

  // Workers (prefix_trie_workers.cpp)
  std::optional<Slot> slot_of(WorkerKey worker) const;
  std::optional<Slot> slot_for(WorkerKey worker);
  void bury(Slot slot);
  bool is_dead(Slot slot) const noexcept {
    return !owners_[slot].alive.load(std::memory_order_relaxed);
  }
  void sweep(std::size_t nodes);
  void link(Node* node);
  void unlink(Node* node);
  IdList& list_of(Holders holders) noexcept {
    return holders.is_one() ? slots_[holders.slot()].nodes : shared_nodes_;
  }
  void reclaim();
  void retire(void* memory);

  // Names (prefix_trie_names.cpp)
  Place find_name(Slot slot, EngineHash name, std::uint64_t mixed) const;
  EngineHash name_of(Slot slot, const Node* node, std::uint32_t index) const;
  void add_alias(Slot slot, Node* node, std::uint32_t index, EngineHash name);
  void drop_aliases(Slot slot, const Node* node, std::uint32_t from, std::uint32_t to);
  void rename_aliases(Holders holders, std::uint32_t from, std::uint32_t first, std::uint32_t last,
                      std::uint32_t to);
  bool repeats_a_name(const KvStored& stored);

  // Holders (prefix_trie_holders.cpp)
  /// Makes `slot` hold `blocks` leading blocks of the node. A leaf is cut to what is still held,
  /// and nodes that nobody needs go away; this one may be among them.
  void set_held(Node* node, Slot slot, std::uint32_t blocks);
  /// The worker loses the block and everything below it.
  void forget_from(Node* node, Slot slot, std::uint32_t index);
  void open_holders(const Node* node, Holders holders);
  void hold(Slot slot, std::uint32_t blocks, std::uint32_t length);
  std::uint32_t held_most(std::uint32_t length) const noexcept;
  Holders close_holders(std::uint32_t length);
  void publish_holders(Node* node, Holders holders);
  void publish_opened(Node* node, std::uint32_t length);
  void shorten(Node* node, std::uint32_t length);
  void bury_in(Node* node);
  void tidy_upwards(Node* node);

  // Structure (prefix_trie_nodes.cpp)
  Node* node_at(std::uint32_t id) const noexcept { return ids_[id / kIdChunk][id % kIdChunk]; }
  void set_node_at(std::uint32_t id, Node* node) noexcept {
    ids_[id / kIdChunk][id % kIdChunk] = node;
  }
  std::uint32_t take_id();
  Node* allocate_node(std::uint32_t capacity);
  Node* append_child(Node* parent, Slot slot, std::size_t first, std::uint32_t count);
  Node* extend(Node* node, Slot slot, std::size_t first, std::uint32_t count);
  Node* split(Node* node, std::uint32_t at);
  Node* move_node(Node* node, std::uint32_t capacity);
  void release_node(Node* node);
  void add_child(Node* parent, Node* child);
  void remove_child(Node* parent, Node* child);
  void replace_child(Node* parent, Node* child);
  ChildTable::Cell* cell_of(Node* child) noexcept;
  ChildTable* allocate_children(std::uint32_t capacity);
  void enter_child(ChildTable* table, Node* child);
  ChildTable* rehash(ChildTable* old, std::uint32_t capacity);
  void erase_entries(Node* node, std::uint32_t from, std::uint32_t to);
  // What a removal is going to touch.
  static void prefetch_node(const Node* node) noexcept;
  void prefetch_surroundings(const Node* node) const noexcept;
  void prefetch_last_of(Slot slot) const noexcept;
  /// Where the sequence in locals_ leaves the first node that it passes.
  void prefetch_branch() const noexcept;

  // Events (prefix_trie.cpp)
  ApplyStatus store_at(Slot slot, std::optional<EngineHash> parent, std::size_t end);
  std::size_t walk_held(Slot slot, Place& at, std::size_t end);
  bool free_names(Slot slot, Place at, std::size_t first, std::size_t& end);
  bool is_above(Place block, Place at) const noexcept;
  void insert(Slot slot, Place at, std::size_t first, std::size_t end);
  bool remove_batch(Slot slot, std::span<const EngineHash> hashes);
  bool make_room(std::size_t bytes, std::size_t blocks);
  bool evict_one();
  void touch(Node* node) noexcept { node->used.store(tick_now_, std::memory_order_relaxed); }
  void after_event();

  static constexpr std::size_t kIdChunk = 512;
  static constexpr std::size_t kRemoveBatch = 64;
  static constexpr std::size_t kRetiredMany = 64;
  static constexpr std::uint32_t kIdsMax = (1u << 28) - 1;

  CountedHeap heap_;
  EngineHashTable table_{heap_};
  FlatMap<AliasByName> aliases_by_name_{heap_};
  FlatMap<AliasByPlace> aliases_by_place_{heap_};
  Node root_;  // id 0, no blocks
  std::vector<Node**> ids_;
  IdList free_ids_;
  std::uint32_t ids_given_ = 1;
  std::size_t nodes_ = 0;

  SlotTable owners_;
  std::vector<SlotState> slots_;
  mutable Slot recent_slot_ = 0;     // of the worker that was looked up last
  std::vector<std::uint64_t> live_;  // bits of slots that stand for a worker
  std::vector<Slot> free_slots_;
  std::unordered_map<WorkerKey, Slot> slot_by_worker_;
  IdList shared_nodes_;
  std::vector<Slot> dying_;         // in the sweep that is under way
  std::vector<Slot> dead_waiting_;  // for the next sweep
  std::uint32_t sweep_left_ = 0;    // shared nodes that the sweep has not seen

  EpochDomain epochs_;
  std::deque<Retired> retired_;
  std::size_t retired_bytes_ = 0;
  std::atomic<std::uint32_t> tick_{1};  // coarse time for `used`
  std::uint32_t tick_now_ = 1;
  std::uint64_t events_ = 0;

  std::size_t memory_bytes_max_;
  std::size_t child_table_bytes_max_ = 0;
  Rng rng_;
  std::uint64_t evicted_blocks_ = 0;
  std::uint64_t refused_stores_ = 0;

  // Scratch of the event at hand, so that steady state allocates only what it stores.
  std::vector<LocalHash> locals_;
  std::vector<EngineHash> names_;
  std::vector<std::uint64_t> mixed_;
  std::vector<EngineHash> sorted_names_;
  std::vector<std::uint64_t> full_;
  std::vector<HolderSet::Cutoff> cutoffs_;
  std::vector<std::uint32_t> pending_;
  std::vector<std::size_t> doubtful_;
  std::vector<Slot> dead_now_;
};

/// A reader's seat and scratch.
class TrieReader {
 public:
  explicit TrieReader(PrefixTrie& trie);
  ~TrieReader();
  std::span<const WorkerOverlap> find_matches(std::span<const LocalHash> sequence, bool early_exit);

 private:
  void descend(const LocalHash* query, std::uint32_t count, bool early_exit);
  void report(Slot slot, std::uint32_t depth) noexcept;
  void report_all(std::uint32_t depth) noexcept;
  void expect(std::size_t workers);

  PrefixTrie& trie_;
  EpochDomain::Seat* seat_;
  // Candidates: one slot, or bits.
  bool single_ = false;
  Slot slot_ = 0;
  std::vector<std::uint64_t> bits_;
  std::size_t words_ = 0;
  // Each worker is reported once, so what the first node says bounds them all.
  std::vector<WorkerOverlap> found_;
  std::size_t found_count_ = 0;
};

}  // namespace dynamo::kv_router::detail
