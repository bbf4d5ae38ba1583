// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/tokenizer/fwd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>

#include <sys/mman.h>

#include "tokenizer/model/id_buffer.h"
#include "tokenizer/model/piece_key.h"
#include "tokenizer/model/vocabulary.h"

namespace dynamo::tokenizer::detail {

/// Memory for lines of 64 bytes, zeroed, in one huge page where the system has them: look-ups go
/// all over it, and would miss the TLB as often as the cache.
template <class Line>
class LineArray {
 public:
  explicit LineArray(std::size_t count) {
    constexpr std::size_t kHugePage = std::size_t{2} << 20;
    const std::size_t bytes = count * sizeof(Line);
    lines_.reset(
        static_cast<Line*>(std::aligned_alloc(bytes % kHugePage == 0 ? kHugePage : 64, bytes)));
    if (lines_ == nullptr) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
    if (bytes % kHugePage == 0) madvise(lines_.get(), bytes, MADV_HUGEPAGE);
#endif
    std::memset(static_cast<void*>(lines_.get()), 0, bytes);
  }
  Line& operator[](std::size_t i) const noexcept { return lines_.get()[i]; }

 private:
  struct Free {
    void operator()(Line* p) const noexcept { std::free(p); }
  };
  std::unique_ptr<Line, Free> lines_;
};

/// Up to four ids, moved as one value of 16 bytes.
struct FourIds {
  TokenId id[4];
};

/// Remembers the ids of pieces: natural text repeats its words.
///
/// One user at a time. What counts is that the words in use fit the L2 cache, beyond which a
/// look-up costs more than all the rest of encoding a word, and that a look-up takes no branch that
/// depends on the word. So pieces of up to 15 bytes with up to four ids take 32 bytes, two to a
/// line; those of up to 46 bytes with up to 18 ids, which are indentation, rules, long names and
/// phrases of scripts without spaces, take 128. The first piece of a line tends to be a common one
/// and stays longer.
class PieceCache {
 public:
  static constexpr std::size_t kIdsMax = 4;  ///< of a piece of up to 15 bytes
  static constexpr std::size_t kLongBytes = 46;
  static constexpr std::size_t kLongIds = 18;

  PieceCache() : short_(kShortLines), long_(std::make_unique<LongEntry[]>(kLongEntries)) {}

  void prefetch_short(std::uint64_t hash) const noexcept {
    __builtin_prefetch(&short_[hash & (kShortLines - 1)]);
  }
  /// Copies the ids of a piece of up to 15 bytes and returns how many; 0 when it is not known.
  std::size_t find_short(const PieceKey& key, std::uint64_t hash, FourIds& ids) const noexcept {
    const ShortLine& line = short_[hash & (kShortLines - 1)];
    const std::uint64_t other[2] = {difference(line.entry[0], key), difference(line.entry[1], key)};
    const ShortEntry& entry = line.entry[other[0] != 0 ? 1 : 0];
    ids = entry.ids;
    const std::uint64_t count = entry.key.high >> kCountShift & kCountMask;
    return static_cast<std::size_t>(other[0] != 0 && other[1] != 0 ? 0 : count);
  }
  /// Appends them and returns true, or returns false. `out` has room for kIdsMax.
  bool append_short(const PieceKey& key, std::uint64_t hash, IdBuffer& out) const noexcept {
    FourIds ids;
    const std::size_t count = find_short(key, hash, ids);
    std::memcpy(out.end(), &ids, sizeof ids);
    out.advance(count);
    return count != 0;
  }
  void insert_short(const PieceKey& key, std::uint64_t hash,
                    std::span<const TokenId> ids) noexcept {
    if (ids.empty() || ids.size() > kIdsMax) return;
    ShortLine& line = short_[hash & (kShortLines - 1)];
    std::size_t at = line.entry[0].key == PieceKey{} ? 0 : 1;
    if (at == 1 && (++inserted_ & 7) == 0) line.entry[0] = line.entry[1];
    ShortEntry& entry = line.entry[at];
    entry.key = {key.low, key.high | std::uint64_t{ids.size()} << kCountShift};
    std::copy(ids.begin(), ids.end(), entry.ids.id);
  }

  /// Appends the ids of a piece of up to kLongBytes bytes and returns true, or returns false. `out`
  /// has room for kLongIds.
  bool append_long(std::string_view piece, std::uint64_t hash, IdBuffer& out) const noexcept {
    const LongEntry& entry = long_[hash & (kLongEntries - 1)];
    if (entry.hash != hash || entry.size != piece.size() ||
        std::memcmp(entry.bytes, piece.data(), piece.size()) != 0) {
      return false;
    }
    std::memcpy(out.end(), entry.ids, sizeof entry.ids);
    out.advance(entry.count);
    return true;
  }
  void insert_long(std::string_view piece, std::uint64_t hash,
                   std::span<const TokenId> ids) noexcept {
    if (piece.size() > kLongBytes || ids.size() > kLongIds) return;
    LongEntry& entry = long_[hash & (kLongEntries - 1)];
    entry.hash = hash;
    entry.size = static_cast<std::uint8_t>(piece.size());
    entry.count = static_cast<std::uint8_t>(ids.size());
    std::memcpy(entry.bytes, piece.data(), piece.size());
    std::copy(ids.begin(), ids.end(), entry.ids);
  }

 private:
  static constexpr std::size_t kShortLines = std::size_t{1} << 15;   // 2 MiB
  static constexpr std::size_t kLongEntries = std::size_t{1} << 10;  // 128 KiB
  /// The number of ids lies in the key, above the piece's length and below the mark of parts.
  static constexpr int kCountShift = 60;
  static constexpr std::uint64_t kCountMask = 7;

  struct ShortEntry {
    PieceKey key;
    FourIds ids;
  };
  struct alignas(64) ShortLine {
    ShortEntry entry[2];
  };
  static std::uint64_t difference(const ShortEntry& entry, const PieceKey& key) noexcept {
    return (entry.key.low ^ key.low) | ((entry.key.high ^ key.high) & ~(kCountMask << kCountShift));
  }
  struct alignas(64) LongEntry {
    std::uint64_t hash = 0;
    std::uint8_t size = 0;
    std::uint8_t count = 0;
    char bytes[kLongBytes] = {};
    TokenId ids[kLongIds] = {};
  };
  static_assert(sizeof(ShortLine) == 64 && sizeof(LongEntry) == 128);

  LineArray<ShortLine> short_;
  std::unique_ptr<LongEntry[]> long_;
  std::uint32_t inserted_ = 0;
};

}  // namespace dynamo::tokenizer::detail
