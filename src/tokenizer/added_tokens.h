// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/tokenizer/tokenizer.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/model/model.h"

namespace dynamo::tokenizer::detail {

/// Finds the leftmost, and there the longest, of a set of strings.
///
/// Strings are kept sorted and narrowed down byte by byte: no automaton to build for the thousands
/// of reserved tokens that some files have, and a bitmap of first byte pairs passes over ordinary
/// text quickly.
class StringSetMatcher {
 public:
  /// The first of two equal strings counts; empty ones are left out.
  struct Entry {
    std::string text;
    std::uint32_t value = 0;
  };
  void build(std::vector<Entry> entries);
  bool empty() const noexcept { return entries_.empty(); }

  struct Match {
    std::size_t begin;
    std::size_t end;
    std::uint32_t value;
  };
  std::optional<Match> find(std::string_view text, std::size_t from) const noexcept;
  std::size_t memory_bytes() const noexcept;

 private:
  std::size_t next_candidate(std::string_view text, std::size_t from) const noexcept;
  std::optional<Match> longest_at(std::string_view text, std::size_t at) const noexcept;

  std::vector<Entry> entries_;  ///< sorted by text
  std::array<std::uint64_t, 4> first_bytes_{};
  std::vector<std::uint64_t> first_pairs_;  ///< 65,536 bits
  std::string starts_;                      ///< the different first bytes
};

/// The tokens that are matched in text before the model, and what is special about them.
class AddedVocabulary {
 public:
  /// A token as declared; ids are given out by add().
  struct Declared {
    std::string content;
    bool special = false;
    bool single_word = false;
    bool lstrip = false;
    bool rstrip = false;
    bool normalized = false;
  };

  /// Declares tokens in order, as the library's add_tokens does: a token that the model knows keeps
  /// its id, others get the next free one; a content seen before only may become special.
  void add(const std::vector<Declared>& tokens, const Model& model);
  /// The same with the ids given (tiktoken, GGUF).
  void add_with_id(Declared token, TokenId id);

  /// Completes the matchers; `normalize` rewrites the contents of tokens with `normalized`.
  template <class Normalize>
  void build(Normalize&& normalize);

  const std::vector<AddedToken>& tokens() const noexcept { return tokens_; }
  const AddedToken* find(TokenId id) const noexcept;
  const AddedToken* find(std::string_view content) const noexcept;
  bool is_special(TokenId id) const noexcept {
    return (id >> 6) < special_ids_.size() && (special_ids_[id >> 6] >> (id & 63) & 1) != 0;
  }
  bool is_added(TokenId id) const noexcept {
    return (id >> 6) < added_ids_.size() && (added_ids_[id >> 6] >> (id & 63) & 1) != 0;
  }
  bool special_content(std::string_view content) const noexcept;

  const StringSetMatcher& raw() const noexcept { return raw_; }
  const StringSetMatcher& normalized() const noexcept { return normalized_; }
  /// Whether a match can depend on the text around it.
  bool looks_around() const noexcept { return looks_around_; }
  /// One more than the largest id.
  std::size_t id_bound() const noexcept;
  std::size_t memory_bytes() const noexcept;

  /// Cuts `text` at the tokens of `matcher`: `on_text(begin, end)` for what is between and
  /// `on_token(index into tokens())`, in order; stops when one returns false.
  template <class OnText, class OnToken>
  bool split(const StringSetMatcher& matcher, std::string_view text, bool allow_special,
             OnText&& on_text, OnToken&& on_token) const;

 private:
  void index(const AddedToken& token);
  /// The extent of an accepted match with the token's flags applied, or none.
  std::optional<Range> accept(const AddedToken& token, std::string_view text, std::size_t begin,
                              std::size_t end, std::size_t done, bool allow_special) const noexcept;

  std::vector<AddedToken> tokens_;          ///< by id after build()
  std::vector<std::string> special_texts_;  ///< contents that are special, sorted after build()
  std::vector<std::uint32_t> by_content_;
  std::vector<std::uint64_t> added_ids_;
  std::vector<std::uint64_t> special_ids_;
  StringSetMatcher raw_;
  StringSetMatcher normalized_;
  bool looks_around_ = false;
  void finish_index();
};

template <class Normalize>
void AddedVocabulary::build(Normalize&& normalize) {
  finish_index();
  std::vector<StringSetMatcher::Entry> raw;
  std::vector<StringSetMatcher::Entry> normalized;
  for (std::uint32_t i = 0; i < tokens_.size(); ++i) {
    if (tokens_[i].normalized) {
      normalized.push_back({normalize(std::string_view(tokens_[i].content)), i});
    } else {
      raw.push_back({tokens_[i].content, i});
    }
  }
  raw_.build(std::move(raw));
  normalized_.build(std::move(normalized));
}

template <class OnText, class OnToken>
bool AddedVocabulary::split(const StringSetMatcher& matcher, std::string_view text,
                            bool allow_special, OnText&& on_text, OnToken&& on_token) const {
  std::size_t done = 0;  // behind the last accepted token
  if (!matcher.empty()) {
    std::size_t from = 0;
    while (const auto match = matcher.find(text, from)) {
      from = match->end;
      const auto extent =
          accept(tokens_[match->value], text, match->begin, match->end, done, allow_special);
      if (!extent) continue;
      if (done < extent->begin && !on_text(done, std::size_t{extent->begin})) return false;
      if (!on_token(match->value)) return false;
      done = extent->end;
    }
  }
  return done >= text.size() || on_text(done, text.size());
}

}  // namespace dynamo::tokenizer::detail
