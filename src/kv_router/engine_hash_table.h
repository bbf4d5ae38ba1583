// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/kv_router/event.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "kv_router/counted_heap.h"

namespace dynamo::kv_router::detail {

/// A block of the trie: its node's id (28 bits, the lower 24 never all 0) and its position there (8
/// bits).
struct BlockRef {
  std::uint32_t node = 0;
  std::uint32_t position = 0;
  bool operator==(const BlockRef&) const = default;
};

/// Where the block that an engine calls by some hash stands: 8 bytes for each distinct block.
///
/// A cell holds 28 bits of the mixed hash, the node's id and the position; the hash itself stands
/// in the node and is compared there. One hash may have several entries (workers that use it for
/// different blocks). Cells stand in cache lines of eight; a full line spills into the next, and
/// whoever leaves a full line is replaced by one that had spilled, so a search ends at the first
/// line with room, which nearly always is its first. Comparing a line has no branches. There are
/// many small tables which grow alone by a quarter, so the load stays near 3/4 and no growth is
/// ever a long pause; as a cell's line follows from its own bits, growth is one pass over memory
/// and visits no node. Confined to the writer's thread.
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
    __builtin_prefetch(table.cells + home(tag_of(mixed), table.lines) * kLineCells);
  }
  /// False when there is surely no entry, which the first line nearly always tells. When that is
  /// full, the next one is fetched: a caller that asks about all its hashes first and then looks up
  /// those in doubt waits for them together.
  bool may_have(std::uint64_t mixed) const noexcept {
    const Subtable& table = tables_[table_of(mixed)];
    if (table.size == 0) return false;
    const std::uint64_t* cells = table.cells + home(tag_of(mixed), table.lines) * kLineCells;
    const Line line = look(cells, tag_of(mixed));
    if (line.empty == 0) __builtin_prefetch(cells + kLineCells);
    return line.same != 0 || line.empty == 0;
  }
  /// The first entry that `accept(BlockRef)` agrees to; node 0 when there is none.
  template <class Accept>
  BlockRef find(std::uint64_t mixed, Accept&& accept) const {
    const Subtable& table = tables_[table_of(mixed)];
    if (table.size == 0) return {};
    const std::uint64_t tag = tag_of(mixed);
    for (std::uint32_t line = home(tag, table.lines); line != lines_of(table); ++line) {
      const std::uint64_t* cells = table.cells + line * kLineCells;
      const Line seen = look(cells, tag);
      for (unsigned same = seen.same; same != 0; same &= same - 1)
        if (const BlockRef ref = unpack(cells[__builtin_ctz(same)]); accept(ref)) return ref;
      if (seen.empty != 0) break;
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
    std::uint32_t lines = 0;  ///< that are someone's home; one more follows for what spills
    std::uint32_t size = 0;
  };
  static constexpr unsigned kTableBits = 8;
  static constexpr unsigned kTagBits = 28;
  static constexpr unsigned kTagShift = 64 - kTagBits;
  static constexpr std::uint32_t kLineCells = 8;

  static std::size_t table_of(std::uint64_t mixed) noexcept { return mixed >> (64 - kTableBits); }
  static std::uint64_t tag_of(std::uint64_t mixed) noexcept {
    return (mixed >> (64 - kTableBits - kTagBits)) & ((std::uint64_t{1} << kTagBits) - 1);
  }
  static std::uint32_t home(std::uint64_t tag, std::uint32_t lines) noexcept {
    return static_cast<std::uint32_t>((tag * lines) >> kTagBits);
  }
  static std::uint32_t lines_of(const Subtable& table) noexcept { return table.lines + 1; }
  /// What a line holds, as bits of its eight cells.
  struct Line {
    unsigned same;   ///< carry the tag that was asked for
    unsigned empty;  ///< are free
  };
  static Line look(const std::uint64_t* cells, std::uint64_t tag) noexcept {
#ifdef __SSE2__
    // High and low halves apart: the tag is the upper 28 bits of the high ones, and no low half of
    // a cell in use is 0 (see BlockRef).
    const __m128i wanted = _mm_set1_epi32(static_cast<int>(tag));
    Line line{0, 0};
    for (std::uint32_t i = 0; i < kLineCells; i += 4) {
      const __m128 first = _mm_load_ps(reinterpret_cast<const float*>(cells + i));
      const __m128 second = _mm_load_ps(reinterpret_cast<const float*>(cells + i + 2));
      const __m128i low = _mm_castps_si128(_mm_shuffle_ps(first, second, 0x88));
      const __m128i high = _mm_castps_si128(_mm_shuffle_ps(first, second, 0xDD));
      const auto bits = [](__m128i equal) {
        return static_cast<unsigned>(_mm_movemask_ps(_mm_castsi128_ps(equal)));
      };
      line.same |= bits(_mm_cmpeq_epi32(_mm_srli_epi32(high, kTagShift - 32), wanted)) << i;
      line.empty |= bits(_mm_cmpeq_epi32(low, _mm_setzero_si128())) << i;
    }
#else
    Line line{0, 0};
    for (std::uint32_t i = 0; i < kLineCells; ++i) {
      line.same |= static_cast<unsigned>(cells[i] >> kTagShift == tag) << i;
      line.empty |= static_cast<unsigned>(cells[i] == 0) << i;
    }
#endif
    line.same &= ~line.empty;
    return line;
  }
  static std::uint64_t pack(std::uint64_t tag, BlockRef ref) noexcept {
    return tag << kTagShift | std::uint64_t{ref.node} << 8 | ref.position;
  }
  static BlockRef unpack(std::uint64_t cell) noexcept {
    return {static_cast<std::uint32_t>(cell >> 8) & 0x0fffffff,
            static_cast<std::uint32_t>(cell & 0xff)};
  }
  struct Found {
    std::uint64_t* cell;
    std::uint32_t line;
    bool line_was_full;
  };
  /// The cell must be there.
  static Found find_cell(const Subtable& table, std::uint64_t cell) noexcept;
  /// False when neither the cell's line nor those behind it have room.
  static bool place(std::uint64_t* cells, std::uint32_t lines, std::uint64_t cell) noexcept;
  static void refill(Subtable& table, std::uint32_t line, std::uint64_t* hole) noexcept;
  void resize(Subtable& table, std::uint32_t lines);

  CountedHeap& heap_;
  std::size_t size_ = 0;
  std::array<Subtable, std::size_t{1} << kTableBits> tables_{};
};

}  // namespace dynamo::kv_router::detail
