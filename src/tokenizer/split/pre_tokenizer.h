// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/regex/regex.h"
#include "tokenizer/split/pieces.h"

namespace dynamo::tokenizer::detail {

/// One step of cutting text into the pieces that a model encodes one by one.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  /// Errors: invalid_argument when a regular expression runs out of steps.
  virtual Result<void> apply(Pieces& pieces) const = 0;
  /// Whether what it does depends on what is before or behind the text it is given, so that text
  /// encoded in two parts can give other tokens.
  virtual bool depends_on_start() const noexcept { return false; }
};

/// A step that cuts each piece further without changing the text.
class PieceSplitter : public PreTokenizer {
 public:
  Result<void> apply(Pieces& pieces) const final;
  virtual Result<void> split(std::string_view text, Range piece, RangeList& out) const = 0;
};

/// What becomes of the matches of a pattern and of the gaps between them.
enum class SplitBehavior : std::uint8_t {
  removed,
  isolated,
  merged_with_previous,
  merged_with_next,
  contiguous
};

/// A stretch of text, found or between finds.
struct Stretch {
  std::uint32_t begin;
  std::uint32_t end;
  bool match;
};
/// Pushes the pieces that a behaviour makes of consecutive stretches; empty ones are left out.
void push_stretches(std::span<const Stretch> stretches, SplitBehavior behavior, RangeList& out);

/// Matches of a regular expression.
class RegexSplitter final : public PieceSplitter {
 public:
  RegexSplitter(regex::Regex pattern, SplitBehavior behavior, bool invert, std::uint64_t step_limit)
      : pattern_(std::move(pattern)),
        behavior_(behavior),
        invert_(invert),
        step_limit_(step_limit) {}
  Result<void> split(std::string_view text, Range piece, RangeList& out) const override;

 private:
  regex::Regex pattern_;
  SplitBehavior behavior_;
  bool invert_;
  std::uint64_t step_limit_;
};

/// Occurrences of a string.
class LiteralSplitter final : public PieceSplitter {
 public:
  LiteralSplitter(std::string literal, SplitBehavior behavior, bool invert)
      : literal_(std::move(literal)), behavior_(behavior), invert_(invert) {}
  Result<void> split(std::string_view text, Range piece, RangeList& out) const override;

 private:
  std::string literal_;
  SplitBehavior behavior_;
  bool invert_;
};

/// Single characters with a property.
class CharacterSplitter final : public PieceSplitter {
 public:
  using Predicate = bool (*)(char32_t);
  CharacterSplitter(Predicate predicate, SplitBehavior behavior)
      : predicate_(predicate), behavior_(behavior) {}
  Result<void> split(std::string_view text, Range piece, RangeList& out) const override;

 private:
  Predicate predicate_;
  SplitBehavior behavior_;
};

/// Runs of word characters and runs of what is neither word nor space; spaces are dropped.
class WhitespaceSplitter final : public PieceSplitter {
 public:
  Result<void> split(std::string_view text, Range piece, RangeList& out) const override;
};

/// Runs of one script. Characters without one belong to the run before them; at the start of a
/// text they are dropped, as the library does.
class ScriptSplitter final : public PieceSplitter {
 public:
  Result<void> split(std::string_view text, Range piece, RangeList& out) const override;
};

/// Pieces of a fixed number of characters.
class FixedLengthSplitter final : public PieceSplitter {
 public:
  explicit FixedLengthSplitter(std::uint32_t characters) : characters_(characters) {}
  Result<void> split(std::string_view text, Range piece, RangeList& out) const override;

 private:
  std::uint32_t characters_;
};

/// A hand-written scanner standing for a regular expression whose matches cover all text.
class ScanSplitter final : public PieceSplitter {
 public:
  using Scan = void (*)(std::string_view text, Range piece, RangeList& out);
  explicit ScanSplitter(Scan scan) : scan_(scan) {}
  Result<void> split(std::string_view text, Range piece, RangeList& out) const override {
    scan_(text, piece, out);
    return {};
  }

 private:
  Scan scan_;
};

/// SentencePiece's space: ' ' becomes `replacement`, which also goes before pieces and cuts them.
class Metaspace final : public PreTokenizer {
 public:
  enum class Prepend : std::uint8_t { always, first, never };
  Metaspace(std::string replacement, Prepend prepend, bool split)
      : replacement_(std::move(replacement)), prepend_(prepend), split_(split) {}
  Result<void> apply(Pieces& pieces) const override;
  bool depends_on_start() const noexcept override { return prepend_ == Prepend::first; }

 private:
  std::string replacement_;
  Prepend prepend_;
  bool split_;
};

/// The rewriting part of ByteLevel: a space before pieces without one, and the alphabet.
class ByteLevelRewriter final : public PreTokenizer {
 public:
  ByteLevelRewriter(bool add_prefix_space, bool spell)
      : add_prefix_space_(add_prefix_space), spell_(spell) {}
  Result<void> apply(Pieces& pieces) const override;

 private:
  bool add_prefix_space_;
  bool spell_;
};

}  // namespace dynamo::tokenizer::detail
