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
    return fail(Errc::invalid_argument, "the vocabulary is larger than 4 GiB");
  }
  if (id >= entries_.size()) entries_.resize(id + 1);
  entries_[id] = {static_cast<std::uint32_t>(blob_.size()),
                  static_cast<std::uint32_t>(token.size()) | kPresent};
  blob_ += token;
  return {};
}

void Vocabulary::build_index() {
  const std::size_t slots = std::bit_ceil(std::max<std::size_t>(16, entries_.size() * 7 / 4));
  slots_.assign(slots, Slot{});
  mask_ = slots - 1;
  count_ = 0;
  longest_ = 0;
  blob_.append(kKeyPadding, '\0');
  const auto hash_of = [this](const Entry& entry) {
    const std::size_t length = entry.length & kLengthMask;
    const char* p = blob_.data() + entry.offset;
    return length <= kPieceKeyBytes ? hash_key(make_key_padded(p, length)) : hash_text({p, length});
  };
  for (TokenId id = 0; id < entries_.size(); ++id) {
    const Entry& entry = entries_[id];
    if ((entry.length & kPresent) == 0) continue;
    if ((entry.length & kVerbatim) != 0) {
      ++count_;
      continue;
    }
    const std::uint64_t hash = hash_of(entry);
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    std::size_t i = hash & mask_;
    for (; slots_[i].id != kNoToken; i = (i + 1) & mask_) {
      if (slots_[i].tag == tag && (*this)[slots_[i].id] == (*this)[id]) break;
    }
    if (slots_[i].id == kNoToken) ++count_;
    slots_[i] = {tag, id};
    longest_ = std::max<std::size_t>(longest_, entry.length & kLengthMask);
  }
  blob_.resize(blob_.size() - kKeyPadding);
  blob_.shrink_to_fit();
  entries_.shrink_to_fit();
}

}  // namespace dynamo::tokenizer::detail
