// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/split/pre_tokenizer.h"

#include <optional>

#include "tokenizer/model/byte_alphabet.h"
#include "tokenizer/unicode/properties.h"
#include "tokenizer/unicode/utf8_iteration.h"

namespace dynamo::tokenizer::detail {
namespace {

std::uint32_t u32(std::size_t n) noexcept {
  return static_cast<std::uint32_t>(n);
}

/// Rewrites every piece with `rewrite(piece text, is at the origin, out)`, which appends it to
/// `out`.
template <class Rewrite>
void rewrite_pieces(Pieces& pieces, Rewrite&& rewrite) {
  std::string& out = pieces.spare_storage;
  out.clear();
  pieces.spare.clear();
  for (const Range piece : pieces.list.ranges()) {
    const std::size_t begin = out.size();
    rewrite(pieces.text.substr(piece.begin, piece.end - piece.begin),
            pieces.at_origin && piece.begin == 0, out);
    if (out.size() != begin) pieces.spare.push(u32(begin), u32(out.size()));
  }
  pieces.at_origin = pieces.at_origin && !pieces.list.empty() && pieces.list.ranges()[0].begin == 0;
  pieces.storage.swap(pieces.spare_storage);
  pieces.text = pieces.storage;
  pieces.list.swap(pieces.spare);
}

}  // namespace

Result<void> PieceSplitter::apply(Pieces& pieces) const {
  pieces.spare.clear();
  for (const Range piece : pieces.list.ranges()) DYN_CHECK(split(pieces.text, piece, pieces.spare));
  pieces.list.swap(pieces.spare);
  return {};
}

void push_stretches(std::span<const Stretch> stretches, SplitBehavior behavior, RangeList& out) {
  const auto push = [&](std::uint32_t begin, std::uint32_t end) {
    if (begin < end) out.push(begin, end);
  };
  switch (behavior) {
    case SplitBehavior::removed:
      for (const Stretch& s : stretches) {
        if (!s.match) push(s.begin, s.end);
      }
      return;
    case SplitBehavior::isolated:
      for (const Stretch& s : stretches) push(s.begin, s.end);
      return;
    case SplitBehavior::contiguous: {
      // Neighbours of the same kind are one piece; so is a gap at the start with nothing before it.
      for (std::size_t i = 0; i < stretches.size();) {
        std::size_t k = i + 1;
        while (k < stretches.size() && stretches[k].match == stretches[i].match) ++k;
        push(stretches[i].begin, stretches[k - 1].end);
        i = k;
      }
      return;
    }
    case SplitBehavior::merged_with_previous: {
      // A match joins the piece before it, unless that one ended with a match already.
      std::optional<Range> open;
      bool previous_match = false;
      for (const Stretch& s : stretches) {
        if (s.match && !previous_match && open) {
          open->end = s.end;
        } else {
          if (open) push(open->begin, open->end);
          open = Range{s.begin, s.end};
        }
        previous_match = s.match;
      }
      if (open) push(open->begin, open->end);
      return;
    }
    case SplitBehavior::merged_with_next: {
      // The mirror image: decided from the back, so the order is turned round again at the end.
      std::vector<Range> reversed;
      bool previous_match = false;
      for (std::size_t i = stretches.size(); i-- > 0;) {
        const Stretch& s = stretches[i];
        if (s.match && !previous_match && !reversed.empty()) {
          reversed.back().begin = s.begin;
        } else {
          reversed.push_back({s.begin, s.end});
        }
        previous_match = s.match;
      }
      for (std::size_t i = reversed.size(); i-- > 0;) push(reversed[i].begin, reversed[i].end);
      return;
    }
  }
}

namespace {

/// Stretches of a piece from its matches, given in order as [begin, end) relative to the piece.
class StretchBuilder {
 public:
  StretchBuilder(Range piece, bool invert) : piece_(piece), at_(piece.begin), invert_(invert) {}
  void add(std::size_t begin, std::size_t end) {
    const std::uint32_t from = piece_.begin + u32(begin);
    if (at_ != from) stretches_.push_back({at_, from, invert_});
    at_ = piece_.begin + u32(end);
    stretches_.push_back({from, at_, !invert_});
  }
  std::span<const Stretch> finish() {
    if (at_ != piece_.end) stretches_.push_back({at_, piece_.end, invert_});
    return stretches_;
  }

 private:
  Range piece_;
  std::uint32_t at_;
  bool invert_;
  std::vector<Stretch> stretches_;
};

}  // namespace

Result<void> RegexSplitter::split(std::string_view text, Range piece, RangeList& out) const {
  std::vector<regex::Match> matches;
  DYN_CHECK(
      pattern_.find_all(text.substr(piece.begin, piece.end - piece.begin), step_limit_, matches));
  StretchBuilder stretches(piece, invert_);
  for (const regex::Match& match : matches) stretches.add(match.begin, match.end);
  push_stretches(stretches.finish(), behavior_, out);
  return {};
}

Result<void> LiteralSplitter::split(std::string_view text, Range piece, RangeList& out) const {
  const std::string_view whole = text.substr(piece.begin, piece.end - piece.begin);
  StretchBuilder stretches(piece, invert_);
  if (!literal_.empty()) {
    for (std::size_t at = whole.find(literal_); at != std::string_view::npos;
         at = whole.find(literal_, at)) {
      stretches.add(at, at + literal_.size());
      at += literal_.size();
    }
  }
  push_stretches(stretches.finish(), behavior_, out);
  return {};
}

Result<void> CharacterSplitter::split(std::string_view text, Range piece, RangeList& out) const {
  StretchBuilder stretches(piece, false);
  for (std::size_t at = piece.begin; at < piece.end;) {
    const unicode::Scalar s = unicode::scalar_at(text, at);
    if (predicate_(s.value)) stretches.add(at - piece.begin, at - piece.begin + s.length);
    at += s.length;
  }
  push_stretches(stretches.finish(), behavior_, out);
  return {};
}

Result<void> WhitespaceSplitter::split(std::string_view text, Range piece, RangeList& out) const {
  enum class Kind { space, word, other };
  const auto kind_of = [](char32_t c) {
    const std::uint16_t f = unicode::flags(c);
    if ((f & static_cast<std::uint16_t>(unicode::Flag::word)) != 0) return Kind::word;
    return (f & static_cast<std::uint16_t>(unicode::Flag::white_space)) != 0 ? Kind::space
                                                                             : Kind::other;
  };
  Kind run = Kind::space;
  std::size_t begin = piece.begin;
  for (std::size_t at = piece.begin; at < piece.end;) {
    const unicode::Scalar s = unicode::scalar_at(text, at);
    const Kind kind = kind_of(s.value);
    if (kind != run) {
      if (run != Kind::space) out.push(u32(begin), u32(at));
      begin = at;
      run = kind;
    }
    at += s.length;
  }
  if (run != Kind::space) out.push(u32(begin), piece.end);
  return {};
}

Result<void> ScriptSplitter::split(std::string_view text, Range piece, RangeList& out) const {
  constexpr int kNone = -1;
  static const int han = unicode::script_by_name("Han").value_or(0);
  static const int hiragana = unicode::script_by_name("Hiragana").value_or(0);
  static const int katakana = unicode::script_by_name("Katakana").value_or(0);
  int last = kNone;
  std::size_t begin = piece.end;
  for (std::size_t at = piece.begin; at < piece.end;) {
    const unicode::Scalar s = unicode::scalar_at(text, at);
    if (!unicode::has(s.value, unicode::Flag::no_script)) {
      int script = unicode::script(s.value);
      if (s.value == 0x30FC || script == hiragana || script == katakana) script = han;
      if (script != last) {
        if (last != kNone) out.push(u32(begin), u32(at));
        begin = at;
        last = script;
      }
    }
    at += s.length;
  }
  if (begin < piece.end) out.push(u32(begin), piece.end);
  return {};
}

Result<void> FixedLengthSplitter::split(std::string_view text, Range piece, RangeList& out) const {
  std::size_t begin = piece.begin;
  std::uint32_t count = 0;
  for (std::size_t at = piece.begin; at < piece.end;) {
    if (count == characters_) {
      out.push(u32(begin), u32(at));
      begin = at;
      count = 0;
    }
    at += unicode::utf8_length(static_cast<unsigned char>(text[at]));
    ++count;
  }
  if (begin < piece.end) out.push(u32(begin), piece.end);
  return {};
}

Result<void> Metaspace::apply(Pieces& pieces) const {
  rewrite_pieces(pieces, [&](std::string_view piece, bool at_origin, std::string& out) {
    const bool wants = prepend_ == Prepend::always || (prepend_ == Prepend::first && at_origin);
    if (wants && !piece.starts_with(' ') && !piece.starts_with(replacement_)) out += replacement_;
    for (std::size_t at = 0; at < piece.size();) {
      const std::size_t space = piece.find(' ', at);
      out.append(piece.substr(at, space - at));
      if (space == std::string_view::npos) break;
      out += replacement_;
      at = space + 1;
    }
  });
  if (!split_) return {};
  return LiteralSplitter(replacement_, SplitBehavior::merged_with_next, false).apply(pieces);
}

Result<void> ByteLevelRewriter::apply(Pieces& pieces) const {
  rewrite_pieces(pieces, [&](std::string_view piece, bool, std::string& out) {
    const bool prefix = add_prefix_space_ && !piece.starts_with(' ');
    if (!spell_) {
      if (prefix) out += ' ';
      out += piece;
      return;
    }
    if (prefix) bytes_to_alphabet(" ", out);
    bytes_to_alphabet(piece, out);
  });
  return {};
}

}  // namespace dynamo::tokenizer::detail
