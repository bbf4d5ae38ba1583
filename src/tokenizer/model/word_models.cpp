// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/model/word_models.h"

#include <algorithm>

#include <fmt/core.h>

#include "tokenizer/unicode/utf8_iteration.h"

namespace dynamo::tokenizer::detail {
namespace {

std::unexpected<Error> no_unknown_token(std::string_view token) {
  return fail(Errc::invalid_argument,
              fmt::format("the unknown token '{}' is not in the vocabulary", token));
}

}  // namespace

WordLevelModel::WordLevelModel(Vocabulary vocabulary, std::string unk_token)
    : VocabularyModel(std::move(vocabulary)),
      unk_token_(std::move(unk_token)),
      unk_(vocabulary_.find(unk_token_)) {}

Result<void> WordLevelModel::encode(std::string_view text, std::span<const Range> pieces,
                                    ModelScratch& scratch) const {
  scratch.ids.ensure(pieces.size());
  for (const Range piece : pieces) {
    TokenId id = vocabulary_.find(text.substr(piece.begin, piece.end - piece.begin));
    if (id == kNoToken) id = unk_;
    if (id == kNoToken) return no_unknown_token(unk_token_);
    scratch.ids.push_unchecked(id);
  }
  return {};
}

WordPieceModel::WordPieceModel(Vocabulary vocabulary, std::string unk_token,
                               std::string continuing_prefix, std::size_t characters_max)
    : VocabularyModel(std::move(vocabulary)),
      unk_token_(std::move(unk_token)),
      prefix_(std::move(continuing_prefix)),
      characters_max_(characters_max),
      unk_(vocabulary_.find(unk_token_)) {}

Result<void> WordPieceModel::encode(std::string_view text, std::span<const Range> pieces,
                                    ModelScratch& scratch) const {
  for (const Range piece : pieces) {
    const std::size_t before = scratch.ids.size();
    if (encode_word(text.substr(piece.begin, piece.end - piece.begin), scratch)) continue;
    scratch.ids.resize_down(before);
    if (unk_ == kNoToken) return no_unknown_token(unk_token_);
    scratch.ids.push(unk_);
  }
  return {};
}

bool WordPieceModel::encode_word(std::string_view word, ModelScratch& scratch) const {
  const auto characters = static_cast<std::size_t>(
      std::ranges::count_if(word, [](char c) { return !unicode::is_continuation(c); }));
  if (characters > characters_max_) return false;
  // What is left of the word behind the prefix, so that a candidate is a part of one string.
  std::string& continued = scratch.word;
  continued.assign(prefix_).append(word);
  std::size_t start = 0;
  while (start < word.size()) {
    if (start > 0) {
      // Moves the prefix up to the rest of the word.
      std::copy(prefix_.begin(), prefix_.end(),
                continued.begin() + static_cast<std::ptrdiff_t>(start));
    }
    const std::string_view rest = start == 0 ? word : std::string_view(continued).substr(start);
    const std::size_t skipped = start == 0 ? 0 : prefix_.size();
    std::size_t length = std::min(rest.size(), vocabulary_.longest_bytes());
    while (length > skipped && length < rest.size() && unicode::is_continuation(rest[length]))
      --length;
    TokenId id = kNoToken;
    while (length > skipped) {
      id = vocabulary_.find(rest.substr(0, length));
      if (id != kNoToken) break;
      length = unicode::previous_start(rest, length);
    }
    if (id == kNoToken || length <= skipped) return false;
    scratch.ids.push(id);
    start += length - skipped;
  }
  return true;
}

}  // namespace dynamo::tokenizer::detail
