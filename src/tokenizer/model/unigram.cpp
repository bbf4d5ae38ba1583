// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/model/unigram.h"

#include <algorithm>

#include <fmt/core.h>

#include "tokenizer/unicode/utf8_iteration.h"

namespace dynamo::tokenizer::detail {
namespace {

/// What an unknown character costs below the least likely token. Source: SentencePiece.
constexpr double kUnknownPenalty = 10.0;
constexpr std::uint32_t kNoStart = ~std::uint32_t{0};

}  // namespace

std::size_t UnigramModel::Trie::slot_of(std::uint32_t node, unsigned char byte) const noexcept {
  return ((std::uint64_t{node} << 8 | byte) * 0x9E3779B97F4A7C15U >> 24) & mask_;
}

std::uint32_t UnigramModel::Trie::child(std::uint32_t node, unsigned char byte) const noexcept {
  for (std::size_t i = slot_of(node, byte);; i = (i + 1) & mask_) {
    const Slot slot = slots_[i];
    if (slot.node_and_byte == 0) return 0;
    if (slot.parent == node && (slot.node_and_byte & 0xFF) == byte) return slot.node_and_byte >> 8;
  }
}

std::uint32_t UnigramModel::Trie::add_child(std::uint32_t node, unsigned char byte) {
  if (tokens_.size() * 2 > slots_.size()) grow();
  std::size_t i = slot_of(node, byte);
  while (slots_[i].node_and_byte != 0) i = (i + 1) & mask_;
  const auto fresh = static_cast<std::uint32_t>(tokens_.size());
  tokens_.push_back(kNoToken);
  slots_[i] = {node, fresh << 8 | byte};
  return fresh;
}

void UnigramModel::Trie::grow() {
  std::vector<Slot> old = std::move(slots_);
  slots_.assign(std::max<std::size_t>(1024, old.size() * 2), Slot{});
  mask_ = slots_.size() - 1;
  for (const Slot slot : old) {
    if (slot.node_and_byte == 0) continue;
    std::size_t i = slot_of(slot.parent, static_cast<unsigned char>(slot.node_and_byte));
    while (slots_[i].node_and_byte != 0) i = (i + 1) & mask_;
    slots_[i] = slot;
  }
}

void UnigramModel::Trie::build(const Vocabulary& vocabulary) {
  tokens_.assign(1, kNoToken);
  grow();
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    std::uint32_t node = 0;
    for (const char c : vocabulary[id]) {
      const auto byte = static_cast<unsigned char>(c);
      const std::uint32_t next = child(node, byte);
      node = next != 0 ? next : add_child(node, byte);
    }
    if (node != 0) tokens_[node] = id;
  }
  tokens_.shrink_to_fit();
}

UnigramModel::UnigramModel(Vocabulary vocabulary, std::vector<double> scores,
                           std::optional<TokenId> unk, bool byte_fallback)
    : VocabularyModel(std::move(vocabulary)),
      scores_(std::move(scores)),
      unk_(unk.value_or(kNoToken)),
      byte_fallback_(byte_fallback) {
  trie_.build(vocabulary_);
  double lowest = 0;
  bool first = true;
  for (const double score : scores_) {
    lowest = first ? score : std::min(lowest, score);
    first = false;
  }
  unk_score_ = lowest - kUnknownPenalty;
  all_bytes_known_ = true;
  for (unsigned b = 0; b < 256; ++b) {
    byte_ids_[b] = vocabulary_.find(fmt::format("<0x{:02X}>", b));
    all_bytes_known_ = all_bytes_known_ && byte_ids_[b] != kNoToken;
  }
}

std::size_t UnigramModel::memory_bytes() const noexcept {
  return VocabularyModel::memory_bytes() + scores_.capacity() * sizeof(double) +
         trie_.memory_bytes();
}

Result<void> UnigramModel::encode(std::string_view text, std::span<const Range> pieces,
                                  ModelScratch& scratch) const {
  PieceCache& cache = scratch.cache();
  for (const Range piece : pieces) {
    const std::string_view part = text.substr(piece.begin, piece.end - piece.begin);
    if (part.size() <= kPieceKeyBytes) {
      const PieceKey key = make_key(part);
      const std::uint64_t hash = hash_key(key);
      scratch.ids.ensure(PieceCache::kIdsMax);
      if (cache.append_short(key, hash, scratch.ids)) continue;
      const std::size_t before = scratch.ids.size();
      if (encode_piece(part, scratch)) {
        cache.insert_short(key, hash, scratch.ids.ids().subspan(before));
        continue;
      }
    } else if (encode_piece(part, scratch)) {
      continue;
    }
    return fail(Errc::invalid_argument,
                "an unknown character, and the Unigram model has no unk_id");
  }
  return {};
}

bool UnigramModel::encode_piece(std::string_view piece, ModelScratch& scratch) const {
  auto& path = scratch.path;  // the best way to each byte offset
  path.assign(piece.size() + 1, {0.0, kNoToken, kNoStart});
  for (std::size_t start = 0; start < piece.size();) {
    const double here = path[start].score;
    const std::size_t character = unicode::utf8_length(static_cast<unsigned char>(piece[start]));
    bool has_single = false;
    std::uint32_t node = 0;
    for (std::size_t end = start; end < piece.size();) {
      node = trie_.child(node, static_cast<unsigned char>(piece[end]));
      if (node == 0) break;
      ++end;
      const TokenId id = trie_.token(node);
      if (id == kNoToken) continue;
      ModelScratch::PathNode& to = path[end];
      const double score = scores_[id] + here;
      if (to.start == kNoStart || score > to.score)
        to = {score, id, static_cast<std::uint32_t>(start)};
      has_single = has_single || end - start == character;
    }
    if (!has_single) {
      ModelScratch::PathNode& to = path[start + character];
      const double score = unk_score_ + here;
      if (to.start == kNoStart || score > to.score) {
        if (unk_ == kNoToken) return false;
        to = {score, unk_, static_cast<std::uint32_t>(start)};
      }
    }
    start += character;
  }
  // Back along the links, then forward; unknown neighbours become one part.
  auto& cuts = scratch.cuts;
  cuts.clear();
  for (std::size_t end = piece.size(); end > 0;) {
    std::size_t start = path[end].start;
    const bool unknown = unk_ != kNoToken && path[end].id == unk_;
    while (unknown && start > 0 && path[start].id == unk_) start = path[start].start;
    cuts.push_back(static_cast<std::uint32_t>(end));
    end = start;
  }
  std::size_t start = 0;
  for (std::size_t i = cuts.size(); i-- > 0;) {
    if (!emit(piece.substr(start, cuts[i] - start), scratch)) return false;
    start = cuts[i];
  }
  return true;
}

bool UnigramModel::emit(std::string_view part, ModelScratch& scratch) const {
  TokenId id = vocabulary_.find(part);
  if (id == kNoToken && byte_fallback_) {
    const bool known = all_bytes_known_ || std::ranges::all_of(part, [&](char c) {
                         return byte_ids_[static_cast<unsigned char>(c)] != kNoToken;
                       });
    if (known) {
      scratch.ids.ensure(part.size());
      for (const char c : part)
        scratch.ids.push_unchecked(byte_ids_[static_cast<unsigned char>(c)]);
      return true;
    }
  }
  if (id == kNoToken) id = unk_;
  if (id == kNoToken) return false;
  scratch.ids.push(id);
  return true;
}

}  // namespace dynamo::tokenizer::detail
