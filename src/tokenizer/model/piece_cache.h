// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/tokenizer/fwd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>

#include "tokenizer/model/id_buffer.h"
#include "tokenizer/model/piece_key.h"
#include "tokenizer/model/vocabulary.h"

namespace dynamo::tokenizer::detail {

/// Remembers the ids of short pieces: natural text repeats its words.
///
/// One user at a time. A line of 64 bytes holds the two entries of a set; a hit moves its entry to
/// the front and a new one replaces the back, so that words seen once do not push out the common.
/// Up to six ids of 21 bits fit beside the key, which is nearly every word there is.
class PieceCache {
 public:
  static constexpr std::size_t kIdsMax = 6;
  static constexpr std::size_t kSets = std::size_t{1} << 14;  // 1 MiB: stays in the L2 cache

  PieceCache() : sets_(static_cast<Set*>(std::aligned_alloc(alignof(Set), kSets * sizeof(Set)))) {
    if (sets_ == nullptr) throw std::bad_alloc();
    clear();
  }

  void clear() noexcept { std::memset(static_cast<void*>(sets_.get()), 0, kSets * sizeof(Set)); }
  static constexpr std::size_t memory_bytes() noexcept { return kSets * sizeof(Set); }

  void prefetch(std::uint64_t hash) const noexcept {
    __builtin_prefetch(&sets_.get()[hash & (kSets - 1)]);
  }

  /// Appends the ids of the key and returns true, or returns false. `out` has room for kIdsMax.
  bool append(const PieceKey& key, std::uint64_t hash, IdBuffer& out) noexcept {
    Set& set = sets_.get()[hash & (kSets - 1)];
    if (set.entry[0].key == key) [[likely]] {
      emit(set.entry[0], out);
      return true;
    }
    if (set.entry[1].key == key) {
      std::swap(set.entry[0], set.entry[1]);
      emit(set.entry[0], out);
      return true;
    }
    return false;
  }

  /// Remembers at most kIdsMax ids, at least one; longer lists are not remembered.
  void insert(const PieceKey& key, std::uint64_t hash, std::span<const TokenId> ids) noexcept {
    if (ids.empty() || ids.size() > kIdsMax) return;
    Entry entry{key, {kAllOnes, kAllOnes}};
    for (std::size_t i = 0; i < ids.size(); ++i) {
      std::uint64_t& word = entry.ids[i / 3];
      const auto shift = static_cast<int>(21 * (i % 3));
      word = (word & ~(kIdMask << shift)) | (std::uint64_t{ids[i]} << shift);
    }
    entry.ids[0] = (entry.ids[0] & ~kSingle) | (ids.size() == 1 ? kSingle : 0);
    Set& set = sets_.get()[hash & (kSets - 1)];
    const bool empty = set.entry[0].key == PieceKey{};
    set.entry[empty ? 0 : 1] = entry;
  }

 private:
  static constexpr std::uint64_t kIdMask = (std::uint64_t{1} << 21) - 1;
  static constexpr std::uint64_t kAllOnes = ~std::uint64_t{0};
  static constexpr std::uint64_t kSingle = std::uint64_t{1} << 63;
  struct Entry {
    PieceKey key;
    std::uint64_t ids[2];  ///< three each; an absent id is all ones
  };
  struct alignas(64) Set {
    Entry entry[2];
  };
  struct Free {
    void operator()(Set* p) const noexcept { std::free(p); }
  };

  static void emit(const Entry& entry, IdBuffer& out) noexcept {
    TokenId* to = out.end();
    to[0] = static_cast<TokenId>(entry.ids[0] & kIdMask);
    if ((entry.ids[0] & kSingle) != 0) [[likely]] {
      out.advance(1);
      return;
    }
    std::size_t count = 1;
    for (; count < kIdsMax; ++count) {
      const auto id = static_cast<TokenId>((entry.ids[count / 3] >> (21 * (count % 3))) & kIdMask);
      if (id == kIdMask) break;
      to[count] = id;
    }
    out.advance(count);
  }

  std::unique_ptr<Set, Free> sets_;
};

}  // namespace dynamo::tokenizer::detail
