// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/tokenizer/fwd.h>

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

  /// Builds the hash table; of two equal tokens the one added last is found.
  void build_index();

  TokenId find(std::string_view token) const noexcept {
    return find(token,
                token.size() <= kPieceKeyBytes ? hash_key(make_key(token)) : hash_text(token));
  }
  /// `hash` is hash_text(token).
  TokenId find(std::string_view token, std::uint64_t hash) const noexcept {
    if (slots_.empty()) return kNoToken;
    for (std::size_t i = hash & mask_;; i = (i + 1) & mask_) {
      const Slot slot = slots_[i];
      if (slot.id == kNoToken) return kNoToken;
      if (slot.tag == static_cast<std::uint32_t>(hash >> 32) && (*this)[slot.id] == token)
        return slot.id;
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

  /// One more than the largest id.
  std::size_t size() const noexcept { return entries_.size(); }
  /// Number of different tokens.
  std::size_t count() const noexcept { return count_; }
  std::size_t longest_bytes() const noexcept { return longest_; }
  std::size_t memory_bytes() const noexcept {
    return blob_.capacity() + entries_.capacity() * sizeof(Entry) +
           slots_.capacity() * sizeof(Slot);
  }

 private:
  static constexpr std::uint32_t kPresent = 1U << 31;
  static constexpr std::uint32_t kVerbatim = 1U << 30;
  static constexpr std::uint32_t kLengthMask = kVerbatim - 1;
  struct Entry {
    std::uint32_t offset = 0;
    std::uint32_t length = 0;  ///< with the flags above
  };
  struct Slot {
    std::uint32_t tag = 0;
    TokenId id = kNoToken;
  };

  std::string blob_;
  std::vector<Entry> entries_;  ///< by id
  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
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
