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
#include <utility>

#include "tokenizer/model/id_buffer.h"
#include "tokenizer/model/piece_key.h"
#include "tokenizer/model/vocabulary.h"

namespace dynamo::tokenizer::detail {

/// Three ids of 21 bits in a word; an absent one is all ones, and the top bit says that there is
/// just one.
class PackedIds {
 public:
  static constexpr std::size_t kMax = 3;
  static constexpr std::uint64_t kIdMask = (std::uint64_t{1} << 21) - 1;
  static constexpr std::uint64_t kSingle = std::uint64_t{1} << 63;
  static constexpr std::uint64_t kNone = ~kSingle;

  static std::uint64_t pack(std::span<const TokenId> ids) noexcept {
    std::uint64_t word = kNone;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto shift = static_cast<int>(21 * i);
      word = (word & ~(kIdMask << shift)) | (std::uint64_t{ids[i]} << shift);
    }
    return ids.size() == 1 ? word | kSingle : word;
  }
  /// Writes the ids and returns how many; three places are written to.
  static std::size_t unpack(std::uint64_t word, TokenId* to) noexcept {
    to[0] = static_cast<TokenId>(word & kIdMask);
    if ((word & kSingle) != 0) [[likely]]
      return 1;
    to[1] = static_cast<TokenId>((word >> 21) & kIdMask);
    to[2] = static_cast<TokenId>((word >> 42) & kIdMask);
    return std::size_t{to[0] != kIdMask} + std::size_t{to[1] != kIdMask} +
           std::size_t{to[2] != kIdMask};
  }
};

/// Memory for lines of 64 bytes, zeroed.
template <class Line>
class LineArray {
 public:
  explicit LineArray(std::size_t count)
      : lines_(static_cast<Line*>(std::aligned_alloc(64, count * sizeof(Line)))) {
    if (lines_ == nullptr) throw std::bad_alloc();
    std::memset(static_cast<void*>(lines_.get()), 0, count * sizeof(Line));
  }
  Line& operator[](std::size_t i) const noexcept { return lines_.get()[i]; }

 private:
  struct Free {
    void operator()(Line* p) const noexcept { std::free(p); }
  };
  std::unique_ptr<Line, Free> lines_;
};

/// Remembers the ids of pieces: natural text repeats its words.
///
/// One user at a time. What counts is that the words in use fit the L2 cache: beyond it a look-up
/// costs more than all the rest of encoding a word. So pieces of up to 7 bytes, which most are,
/// take 16 bytes, four to a line; those of up to 15 bytes or with up to six ids take 32; those of
/// up to 46 bytes with up to 18 ids, which are indentation, rules, long names and phrases of
/// scripts without spaces, take 128. A hit moves one place forward in its line and a new entry
/// takes the last place, so that what is seen once does not push out what is common.
class PieceCache {
 public:
  static constexpr std::size_t kIdsMax = 6;  ///< of a piece of up to 15 bytes
  static constexpr std::size_t kTinyBytes = 7;
  static constexpr std::size_t kLongBytes = 46;
  static constexpr std::size_t kLongIds = 18;

  PieceCache()
      : tiny_(kTinyLines),
        short_(kShortLines),
        long_(std::make_unique<LongEntry[]>(kLongEntries)) {}

  /// A piece of 1 to 7 bytes as a word; never 0. `p` has 8 readable bytes.
  static std::uint64_t tiny_key(const char* p, std::size_t size) noexcept {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    return (word & ((std::uint64_t{1} << (8 * size)) - 1)) |
           (static_cast<std::uint64_t>(size) << 56);
  }
  /// Packed ids, or 0 when not known.
  std::uint64_t find_tiny(std::uint64_t key) const noexcept {
    TinyLine& line = tiny_[tiny_line(key)];
    if (line.key[0] == key) [[likely]]
      return line.ids[0];
    for (std::size_t i = 1; i < 4; ++i) {
      if (line.key[i] != key) continue;
      std::swap(line.key[i], line.key[i - 1]);
      std::swap(line.ids[i], line.ids[i - 1]);
      return line.ids[i - 1];
    }
    return 0;
  }
  void insert_tiny(std::uint64_t key, std::uint64_t packed) noexcept {
    TinyLine& line = tiny_[tiny_line(key)];
    std::size_t at = 0;
    while (at < 3 && line.key[at] != 0) ++at;
    line.key[at] = key;
    line.ids[at] = packed;
  }

  void prefetch_short(std::uint64_t hash) const noexcept {
    __builtin_prefetch(&short_[hash & (kShortLines - 1)]);
  }
  /// Appends the ids of a piece of up to 15 bytes and returns true, or returns false. `out` has
  /// room for kIdsMax.
  bool append_short(const PieceKey& key, std::uint64_t hash, IdBuffer& out) const noexcept {
    ShortLine& line = short_[hash & (kShortLines - 1)];
    std::size_t at = 0;
    if (!(line.entry[0].key == key)) {
      if (!(line.entry[1].key == key)) return false;
      std::swap(line.entry[0], line.entry[1]);
    }
    const ShortEntry& entry = line.entry[at];
    at = PackedIds::unpack(entry.ids[0], out.end());
    out.advance(at);
    if (at == PackedIds::kMax) out.advance(PackedIds::unpack(entry.ids[1], out.end()));
    return true;
  }
  void insert_short(const PieceKey& key, std::uint64_t hash,
                    std::span<const TokenId> ids) noexcept {
    if (ids.empty() || ids.size() > kIdsMax) return;
    const std::size_t first = std::min(ids.size(), PackedIds::kMax);
    ShortLine& line = short_[hash & (kShortLines - 1)];
    ShortEntry& entry = line.entry[line.entry[0].key == PieceKey{} ? 0 : 1];
    entry = {key, {PackedIds::pack(ids.first(first)), PackedIds::pack(ids.subspan(first))}};
  }

  /// The same for a piece of 16 to kLongBytes bytes; room for kLongIds.
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
  static constexpr std::size_t kTinyLines = std::size_t{1} << 13;    // 512 KiB
  static constexpr std::size_t kShortLines = std::size_t{1} << 14;   // 1 MiB
  static constexpr std::size_t kLongEntries = std::size_t{1} << 10;  // 128 KiB
  static std::size_t tiny_line(std::uint64_t key) noexcept {
    return (key * 0x9E3779B97F4A7C15U) >> 51;
  }
  static_assert(kTinyLines == std::size_t{1} << (64 - 51));

  struct alignas(64) TinyLine {
    std::uint64_t key[4];
    std::uint64_t ids[4];
  };
  struct ShortEntry {
    PieceKey key;
    std::uint64_t ids[2];
  };
  struct alignas(64) ShortLine {
    ShortEntry entry[2];
  };
  struct alignas(64) LongEntry {
    std::uint64_t hash = 0;
    std::uint8_t size = 0;
    std::uint8_t count = 0;
    char bytes[kLongBytes] = {};
    TokenId ids[kLongIds] = {};
  };
  static_assert(sizeof(TinyLine) == 64 && sizeof(ShortLine) == 64 && sizeof(LongEntry) == 128);

  LineArray<TinyLine> tiny_;
  LineArray<ShortLine> short_;
  std::unique_ptr<LongEntry[]> long_;
};

}  // namespace dynamo::tokenizer::detail
