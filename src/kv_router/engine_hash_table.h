// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/kv_router/event.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "kv_router/counted_heap.h"

namespace dynamo::kv_router::detail {

/// A block of the trie: its node's id (28 bits, never 0) and its position there (8 bits).
struct BlockRef {
  std::uint32_t node = 0;
  std::uint32_t position = 0;
  bool operator==(const BlockRef&) const = default;
};

/// Where the block that an engine calls by some hash stands: 8 bytes for each distinct block.
///
/// A cell holds 28 bits of the mixed hash, the node's id and the position; the hash itself stands
/// in the node and is compared there. One hash may have several entries (workers that use it for
/// different blocks). Open addressing in many small tables which grow alone by a quarter, so the
/// load stays near 3/4 and no growth is ever a long pause. A cell's home follows from its own bits
/// and rises with them, so cells stand in order: a search ends at the first larger one, growth is
/// one pass over memory, and neither growth nor erasure visits a node. Confined to the writer's
/// thread.
class EngineHashTable {
 public:
  explicit EngineHashTable(CountedHeap& heap) noexcept : heap_(heap) {}
  ~EngineHashTable();
  EngineHashTable(const EngineHashTable&) = delete;
  EngineHashTable& operator=(const EngineHashTable&) = delete;

  /// Engines may number their blocks one by one: spread them.
  static std::uint64_t mix(EngineHash hash) noexcept {
    std::uint64_t x = std::to_underlying(hash) * 0x9e3779b97f4a7c15u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ (x >> 29);
  }

  void prefetch(std::uint64_t mixed) const noexcept {
    const Subtable& table = tables_[table_of(mixed)];
    __builtin_prefetch(table.cells + home(tag_of(mixed), table.capacity));
  }
  /// The first entry that `accept(BlockRef)` agrees to; node 0 when there is none.
  template <class Accept>
  BlockRef find(std::uint64_t mixed, Accept&& accept) const {
    const Subtable& table = tables_[table_of(mixed)];
    if (table.size == 0) return {};
    const std::uint64_t first = tag_of(mixed) << kTagShift;
    for (std::uint32_t i = seek(table, first + 1);
         table.cells[i] >> kTagShift == first >> kTagShift; ++i) {
      if (table.cells[i] == 0) break;
      if (const BlockRef ref = unpack(table.cells[i]); accept(ref)) return ref;
    }
    return {};
  }
  void insert(std::uint64_t mixed, BlockRef ref);
  /// The entry must be there.
  void erase(std::uint64_t mixed, BlockRef ref);
  void replace(std::uint64_t mixed, BlockRef from, BlockRef to);

  std::size_t size() const noexcept { return size_; }

 private:
  struct Subtable {
    std::uint64_t* cells = nullptr;
    std::uint32_t capacity = 0;
    std::uint32_t size = 0;
  };
  static constexpr unsigned kTableBits = 11;
  static constexpr unsigned kTagBits = 28;
  static constexpr unsigned kTagShift = 64 - kTagBits;
  static constexpr std::uint32_t kCapacityMin = 8;
  /// Cells behind the last home, for what is pushed past it; the very last one stays empty.
  static constexpr std::uint32_t kOverflow = 16;

  static std::size_t table_of(std::uint64_t mixed) noexcept { return mixed >> (64 - kTableBits); }
  static std::uint64_t tag_of(std::uint64_t mixed) noexcept {
    return (mixed >> (64 - kTableBits - kTagBits)) & ((std::uint64_t{1} << kTagBits) - 1);
  }
  static std::uint32_t home(std::uint64_t tag, std::uint32_t capacity) noexcept {
    return static_cast<std::uint32_t>((tag * capacity) >> kTagBits);
  }
  static std::uint64_t pack(std::uint64_t tag, BlockRef ref) noexcept {
    return tag << kTagShift | std::uint64_t{ref.node} << 8 | ref.position;
  }
  static BlockRef unpack(std::uint64_t cell) noexcept {
    return {static_cast<std::uint32_t>(cell >> 8) & 0x0fffffff,
            static_cast<std::uint32_t>(cell & 0xff)};
  }
  /// The first cell that is empty or not below `cell` (not 0).
  static std::uint32_t seek(const Subtable& table, std::uint64_t cell) noexcept {
    std::uint32_t at = home(cell >> kTagShift, table.capacity);
    while (table.cells[at] - 1 < cell - 1) ++at;  // an empty cell is larger than all
    return at;
  }
  static std::uint32_t find_cell(const Subtable& table, std::uint64_t cell) noexcept;
  void resize(Subtable& table, std::uint32_t capacity);
  static bool fill(std::uint64_t* cells, std::uint32_t capacity, const Subtable& from) noexcept;

  CountedHeap& heap_;
  std::size_t size_ = 0;
  std::array<Subtable, std::size_t{1} << kTableBits> tables_{};
};

}  // namespace dynamo::kv_router::detail
