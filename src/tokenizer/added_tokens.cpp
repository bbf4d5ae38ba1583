// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/added_tokens.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <unordered_set>

#include "tokenizer/unicode/properties.h"
#include "tokenizer/unicode/utf8_iteration.h"

#if defined(__SSE2__)
#include <bit>

#include <emmintrin.h>
#endif

namespace dynamo::tokenizer::detail {
namespace {

std::size_t pair_of(std::string_view text, std::size_t at) noexcept {
  return std::size_t{static_cast<unsigned char>(text[at])} << 8 |
         static_cast<unsigned char>(text[at + 1]);
}

void set_bit(std::vector<std::uint64_t>& bits, std::size_t i) {
  if ((i >> 6) >= bits.size()) bits.resize((i >> 6) + 1);
  bits[i >> 6] |= std::uint64_t{1} << (i & 63);
}

bool is_word(char32_t c) noexcept {
  return unicode::has(c, unicode::Flag::word);
}

}  // namespace

void StringSetMatcher::build(std::vector<Entry> entries) {
  std::erase_if(entries, [](const Entry& e) { return e.text.empty(); });
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    return a.text != b.text ? a.text < b.text : a.value < b.value;
  });
  const auto repeated = std::ranges::unique(entries, {}, &Entry::text);
  entries.erase(repeated.begin(), repeated.end());
  entries.shrink_to_fit();
  entries_ = std::move(entries);
  first_pairs_.assign(entries_.empty() ? 0 : 65'536 / 64, 0);
  for (const Entry& entry : entries_) {
    const auto first = static_cast<unsigned char>(entry.text[0]);
    first_bytes_[first >> 6] |= std::uint64_t{1} << (first & 63);
    if (starts_.find(entry.text[0]) == std::string::npos) starts_ += entry.text[0];
    for (std::size_t second = 0; second < 256; ++second) {
      if (entry.text.size() > 1 && second != static_cast<unsigned char>(entry.text[1])) continue;
      const std::size_t pair = std::size_t{first} << 8 | second;
      first_pairs_[pair >> 6] |= std::uint64_t{1} << (pair & 63);
    }
  }
}

std::size_t StringSetMatcher::memory_bytes() const noexcept {
  std::size_t bytes = first_pairs_.size() * 8 + entries_.capacity() * sizeof(Entry);
  for (const Entry& entry : entries_)
    bytes += entry.text.capacity() > 15 ? entry.text.capacity() + 1 : 0;
  return bytes;
}

/// First place at or after `from` whose byte begins a string, or the text's size.
std::size_t StringSetMatcher::next_candidate(std::string_view text,
                                             std::size_t from) const noexcept {
  if (starts_.size() == 1) {
    const void* found = std::memchr(text.data() + from, starts_[0], text.size() - from);
    return found == nullptr
               ? text.size()
               : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
  }
#if defined(__SSE2__)
  if (starts_.size() <= 4) {
    __m128i wanted[4];
    for (std::size_t i = 0; i < 4; ++i)
      wanted[i] = _mm_set1_epi8(starts_[std::min(i, starts_.size() - 1)]);
    while (text.size() - from >= 16) {
      const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
      const __m128i hit =
          _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, wanted[0]), _mm_cmpeq_epi8(v, wanted[1])),
                       _mm_or_si128(_mm_cmpeq_epi8(v, wanted[2]), _mm_cmpeq_epi8(v, wanted[3])));
      const auto mask = static_cast<unsigned>(_mm_movemask_epi8(hit));
      if (mask != 0) return from + static_cast<std::size_t>(std::countr_zero(mask));
      from += 16;
    }
  }
#endif
  while (from < text.size()) {
    const auto byte = static_cast<unsigned char>(text[from]);
    if ((first_bytes_[byte >> 6] >> (byte & 63) & 1) != 0) break;
    ++from;
  }
  return from;
}

std::optional<StringSetMatcher::Match> StringSetMatcher::longest_at(std::string_view text,
                                                                    std::size_t at) const noexcept {
  auto low = entries_.begin();
  auto high = entries_.end();
  std::optional<Match> best;
  for (std::size_t depth = 0; at + depth < text.size(); ++depth) {
    // Among strings that share `depth` bytes with the text: those that go on as the text does.
    const auto byte = static_cast<unsigned char>(text[at + depth]);
    const auto next = [depth](const Entry& e) {
      return e.text.size() > depth ? static_cast<int>(static_cast<unsigned char>(e.text[depth]))
                                   : -1;
    };
    low = std::ranges::lower_bound(low, high, static_cast<int>(byte), {}, next);
    high = std::ranges::upper_bound(low, high, static_cast<int>(byte), {}, next);
    if (low == high) break;
    if (low->text.size() == depth + 1) best = Match{at, at + depth + 1, low->value};
  }
  return best;
}

std::optional<StringSetMatcher::Match> StringSetMatcher::find(std::string_view text,
                                                              std::size_t from) const noexcept {
  for (std::size_t at = from; at < text.size(); ++at) {
    at = next_candidate(text, at);
    if (at == text.size()) break;
    if (at + 1 < text.size()) {
      const std::size_t pair = pair_of(text, at);
      if ((first_pairs_[pair >> 6] >> (pair & 63) & 1) == 0) continue;
    }
    if (auto match = longest_at(text, at)) return match;
  }
  return std::nullopt;
}

void AddedVocabulary::add(const std::vector<Declared>& tokens, const Model& model) {
  std::unordered_set<std::string> seen;
  std::unordered_set<std::string> special(special_texts_.begin(), special_texts_.end());
  std::optional<TokenId> largest;
  for (const AddedToken& token : tokens_) {
    seen.insert(token.content);
    largest = std::max(largest.value_or(0), token.id);
  }
  const auto model_count = static_cast<TokenId>(model.count());
  for (const Declared& token : tokens) {
    if (token.content.empty()) continue;
    if (token.special && special.insert(token.content).second)
      special_texts_.push_back(token.content);
    if (!seen.insert(token.content).second) continue;
    TokenId id = model.find(token.content);
    if (id == kNoToken) {
      const bool behind = largest && (*largest >= model_count || model_count == 0);
      id = behind ? *largest + 1 : model_count;
    }
    largest = std::max(largest.value_or(0), id);
    tokens_.push_back({id, token.content, token.special, token.single_word, token.lstrip,
                       token.rstrip, token.normalized});
  }
}

void AddedVocabulary::add_with_id(Declared token, TokenId id) {
  if (token.content.empty()) return;
  if (token.special) special_texts_.push_back(token.content);
  tokens_.push_back({id, std::move(token.content), token.special, token.single_word, token.lstrip,
                     token.rstrip, token.normalized});
}

void AddedVocabulary::finish_index() {
  std::ranges::sort(special_texts_);
  // Of two contents with one id (overlapping ranges of ids) the later one stands for it.
  std::vector<std::uint32_t> order(tokens_.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, [this](std::uint32_t a, std::uint32_t b) {
    return tokens_[a].id != tokens_[b].id ? tokens_[a].id < tokens_[b].id : a > b;
  });
  std::vector<AddedToken> by_id;
  by_id.reserve(tokens_.size());
  for (const std::uint32_t i : order) {
    if (by_id.empty() || by_id.back().id != tokens_[i].id) by_id.push_back(std::move(tokens_[i]));
  }
  tokens_ = std::move(by_id);
  by_content_.clear();
  for (std::uint32_t i = 0; i < tokens_.size(); ++i) {
    AddedToken& token = tokens_[i];
    token.special = special_content(token.content);
    set_bit(added_ids_, token.id);
    if (token.special) set_bit(special_ids_, token.id);
    looks_around_ = looks_around_ || token.single_word || token.lstrip || token.rstrip ||
                    (token.special && token.normalized);
    by_content_.push_back(i);
  }
  std::ranges::sort(by_content_, {},
                    [this](std::uint32_t i) { return std::string_view(tokens_[i].content); });
}

bool AddedVocabulary::special_content(std::string_view content) const noexcept {
  return std::ranges::binary_search(special_texts_, content);
}

const AddedToken* AddedVocabulary::find(TokenId id) const noexcept {
  if (!is_added(id)) return nullptr;
  const auto at = std::ranges::lower_bound(tokens_, id, {}, &AddedToken::id);
  return at != tokens_.end() && at->id == id ? &*at : nullptr;
}

const AddedToken* AddedVocabulary::find(std::string_view content) const noexcept {
  const auto at = std::ranges::lower_bound(by_content_, content, {}, [this](std::uint32_t i) {
    return std::string_view(tokens_[i].content);
  });
  return at != by_content_.end() && tokens_[*at].content == content ? &tokens_[*at] : nullptr;
}

std::size_t AddedVocabulary::id_bound() const noexcept {
  return tokens_.empty() ? 0 : tokens_.back().id + 1;
}

std::size_t AddedVocabulary::memory_bytes() const noexcept {
  std::size_t bytes = raw_.memory_bytes() + normalized_.memory_bytes();
  bytes += tokens_.capacity() * sizeof(AddedToken) + by_content_.capacity() * 4;
  bytes += (added_ids_.size() + special_ids_.size()) * 8;
  for (const AddedToken& token : tokens_)
    bytes += token.content.capacity() > 15 ? token.content.capacity() + 1 : 0;
  for (const std::string& text : special_texts_)
    bytes += sizeof(text) + (text.capacity() > 15 ? text.capacity() + 1 : 0);
  return bytes;
}

std::optional<Range> AddedVocabulary::accept(const AddedToken& token, std::string_view text,
                                             std::size_t begin, std::size_t end, std::size_t done,
                                             bool allow_special) const noexcept {
  if (token.special && !allow_special) return std::nullopt;
  if (token.single_word) {
    const bool word_before =
        begin > 0 && is_word(unicode::scalar_at(text, unicode::previous_start(text, begin)).value);
    const bool word_behind = end < text.size() && is_word(unicode::scalar_at(text, end).value);
    if (word_before || word_behind) return std::nullopt;
  }
  if (token.lstrip) {
    std::size_t from = begin;
    while (from > done) {
      const std::size_t before = unicode::previous_start(text, from);
      if (!unicode::is_white_space(unicode::scalar_at(text, before).value)) break;
      from = before;
    }
    begin = std::max(from, done);
  }
  if (token.rstrip) {
    while (end < text.size()) {
      const unicode::Scalar s = unicode::scalar_at(text, end);
      if (!unicode::is_white_space(s.value)) break;
      end += s.length;
    }
  }
  return Range{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
}

}  // namespace dynamo::tokenizer::detail
