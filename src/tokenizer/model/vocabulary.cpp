// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/model/vocabulary.h"

#include <algorithm>
#include <bit>

#include <fmt/core.h>

namespace dynamo::tokenizer::detail {

void Vocabulary::reserve(std::size_t tokens, std::size_t bytes) {
  entries_.reserve(tokens);
  blob_.reserve(bytes);
}

Result<void> Vocabulary::add(std::string_view token, TokenId id) {
  if (id >= kTokenIdLimit) {
    return fail(Errc::invalid_argument,
                fmt::format("token id {} is over the limit of {}", id, kTokenIdLimit - 1));
  }
  if (token.size() > kLengthMask || blob_.size() + token.size() > UINT32_MAX) {
    return fail(Errc::invalid_argument,
                "a token is longer than 512 MiB, or the vocabulary larger than 4 GiB");
  }
  if (id >= entries_.size()) entries_.resize(id + 1);
  entries_[id] = {static_cast<std::uint32_t>(blob_.size()),
                  static_cast<std::uint32_t>(token.size()) | kPresent};
  blob_ += token;
  return {};
}

void Vocabulary::insert_short(TokenId id, std::string_view token) {
  const PieceKey key = make_key(token);
  std::size_t i = hash_key(key) & short_mask_;
  while (short_slots_[i].id != kNoToken && !(short_slots_[i].key == key)) i = (i + 1) & short_mask_;
  if (short_slots_[i].id == kNoToken) {
    ++count_;
  } else {
    entries_[short_slots_[i].id].length |= kShadowed;
  }
  short_slots_[i].key = key;
  short_slots_[i].id = id;
}

void Vocabulary::insert_long(TokenId id, std::string_view token) {
  const std::uint64_t hash = hash_text(token);
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  std::size_t i = hash & long_mask_;
  while (long_slots_[i].id != kNoToken &&
         !(long_slots_[i].tag == tag && (*this)[long_slots_[i].id] == token)) {
    i = (i + 1) & long_mask_;
  }
  if (long_slots_[i].id == kNoToken) {
    ++count_;
  } else {
    entries_[long_slots_[i].id].length |= kShadowed;
  }
  long_slots_[i] = {tag, id};
}

void Vocabulary::build_index() {
  std::size_t short_count = 0;
  std::size_t long_count = 0;
  count_ = 0;
  longest_ = 0;
  for (const Entry& entry : entries_) {
    if ((entry.length & (kPresent | kVerbatim)) != kPresent) {
      count_ += (entry.length & kPresent) != 0 ? 1 : 0;
      continue;
    }
    const std::size_t length = entry.length & kLengthMask;
    longest_ = std::max(longest_, length);
    ++(length <= kPieceKeyBytes ? short_count : long_count);
  }
  short_slots_.assign(std::bit_ceil(std::max<std::size_t>(2, short_count * 3 / 2)), ShortSlot{});
  short_mask_ = short_slots_.size() - 1;
  long_slots_.assign(std::bit_ceil(std::max<std::size_t>(2, long_count * 3 / 2)), LongSlot{});
  long_mask_ = long_slots_.size() - 1;
  for (TokenId id = 0; id < entries_.size(); ++id) {
    if ((entries_[id].length & (kPresent | kVerbatim)) != kPresent) continue;
    const std::string_view token = (*this)[id];
    if (token.size() <= kPieceKeyBytes) {
      insert_short(id, token);
    } else {
      insert_long(id, token);
    }
  }
  blob_.shrink_to_fit();
  entries_.shrink_to_fit();
}

}  // namespace dynamo::tokenizer::detail
