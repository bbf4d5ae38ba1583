// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/tokenizer/fwd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/model/piece_key.h"

namespace dynamo::tokenizer::detail {

inline constexpr TokenId kNoToken = ~TokenId{0};
/// Ids are packed into 21 bits in the merge table and the piece cache. The largest published
/// vocabularies have 262,144 entries.
inline constexpr TokenId kTokenIdLimit = (TokenId{1} << 21) - 1;

/// Tokens and their ids in flat memory: one blob of bytes, one array by id, one hash table.
///
/// Filled with add() and then indexed once; read-only afterwards.
class Vocabulary {
 public:
  /// Errors: invalid_argument when the id is over the limit or the bytes exceed 4 GiB.
  Result<void> add(std::string_view token, TokenId id);
  void reserve(std::size_t tokens, std::size_t bytes);

  /// Rewrites every token with `rewrite(std::string_view token, std::string& out) -> bool`, where
  /// false marks a token that find() shall not see (it is kept for decoding, unchanged).
  template <class Rewrite>
  void rewrite(Rewrite&& rewrite);

  /// Builds the hash table; of equal tokens the one with the highest id is found.
  void build_index();

  TokenId find(std::string_view token) const noexcept {
    if (token.size() > kPieceKeyBytes) return find_long(token, hash_text(token));
    const PieceKey key = make_key(token);
    const ShortSlot* slot = find_short(key, hash_key(key));
    return slot != nullptr ? slot->id : kNoToken;
  }

  /// What is known about encoding a token's own text. Set at any time by any thread; whoever sets
  /// it sets the same.
  enum class Merging : std::uint32_t { unknown, reproduces, differs };
  /// A token of up to 15 bytes: its bytes lie in the slot, so that finding it costs one cache miss.
  struct ShortSlot {
    PieceKey key;
    TokenId id = kNoToken;
    mutable std::uint32_t state = 0;

    Merging merging() const noexcept {
      return static_cast<Merging>(std::atomic_ref(state).load(std::memory_order_relaxed));
    }
    void set_merging(Merging merging) const noexcept {
      std::atomic_ref(state).store(static_cast<std::uint32_t>(merging), std::memory_order_relaxed);
    }
  };
  /// `hash` is hash_key(key); null when there is no such token.
  const ShortSlot* find_short(const PieceKey& key, std::uint64_t hash) const noexcept {
    for (std::size_t i = hash & short_mask_;; i = (i + 1) & short_mask_) {
      const ShortSlot& slot = short_slots_[i];
      if (slot.key == key) return &slot;
      if (slot.id == kNoToken) return nullptr;
    }
  }
  void prefetch_short(std::uint64_t hash) const noexcept {
    __builtin_prefetch(&short_slots_[hash & short_mask_]);
  }
  /// A longer token; `hash` is hash_text(token).
  TokenId find_long(std::string_view token, std::uint64_t hash) const noexcept {
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t i = hash & long_mask_;; i = (i + 1) & long_mask_) {
      const LongSlot slot = long_slots_[i];
      if (slot.id == kNoToken) return kNoToken;
      if (slot.tag == tag && (*this)[slot.id] == token) return slot.id;
    }
  }

  std::string_view operator[](TokenId id) const noexcept {
    if (id >= entries_.size()) return {};
    return std::string_view(blob_).substr(entries_[id].offset, entries_[id].length & kLengthMask);
  }
  bool contains(TokenId id) const noexcept {
    return id < entries_.size() && (entries_[id].length & kPresent) != 0;
  }
  /// Whether rewrite() left the token as it was.
  bool verbatim(TokenId id) const noexcept {
    return id < entries_.size() && (entries_[id].length & kVerbatim) != 0;
  }

  /// Whether find() gives another id for the same text.
  bool shadowed(TokenId id) const noexcept {
    return id < entries_.size() && (entries_[id].length & kShadowed) != 0;
  }

  /// One more than the largest id.
  std::size_t size() const noexcept { return entries_.size(); }
  /// Number of different tokens.
  std::size_t count() const noexcept { return count_; }
  std::size_t longest_bytes() const noexcept { return longest_; }
  std::size_t memory_bytes() const noexcept {
    return blob_.capacity() + entries_.capacity() * sizeof(Entry) +
           short_slots_.capacity() * sizeof(ShortSlot) + long_slots_.capacity() * sizeof(LongSlot);
  }

 private:
  static constexpr std::uint32_t kPresent = 1U << 31;
  static constexpr std::uint32_t kVerbatim = 1U << 30;
  static constexpr std::uint32_t kShadowed = 1U << 29;
  static constexpr std::uint32_t kLengthMask = kShadowed - 1;
  struct Entry {
    std::uint32_t offset = 0;
    std::uint32_t length = 0;  ///< with the flags above
  };
  struct LongSlot {
    std::uint32_t tag = 0;
    TokenId id = kNoToken;
  };
  void insert_short(TokenId id, std::string_view token);
  void insert_long(TokenId id, std::string_view token);

  std::string blob_;
  std::vector<Entry> entries_;  ///< by id
  std::vector<ShortSlot> short_slots_ = std::vector<ShortSlot>(1);
  std::vector<LongSlot> long_slots_ = std::vector<LongSlot>(1);
  std::size_t short_mask_ = 0;
  std::size_t long_mask_ = 0;
  std::size_t count_ = 0;
  std::size_t longest_ = 0;
};

template <class Rewrite>
void Vocabulary::rewrite(Rewrite&& rewrite) {
  std::string blob;
  blob.reserve(blob_.size());
  std::string text;
  for (Entry& entry : entries_) {
    if ((entry.length & kPresent) == 0) continue;
    const std::string_view token =
        std::string_view(blob_).substr(entry.offset, entry.length & kLengthMask);
    text.clear();
    const bool changed = rewrite(token, text);
    entry.offset = static_cast<std::uint32_t>(blob.size());
    const std::string_view kept = changed ? std::string_view(text) : token;
    blob += kept;
    entry.length = static_cast<std::uint32_t>(kept.size()) | kPresent | (changed ? 0 : kVerbatim);
  }
  blob_ = std::move(blob);
}

}  // namespace dynamo::tokenizer::detail
