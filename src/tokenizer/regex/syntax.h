// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/regex/char_set.h"

namespace dynamo::tokenizer::regex {

inline constexpr std::uint32_t kUnlimited = ~std::uint32_t{0};

enum class Greed : std::uint8_t { greedy, lazy, possessive };

enum class Assertion : std::uint8_t {
  line_start,
  line_end,
  text_start,
  text_end,
  text_end_or_newline,
  search_start,
  word_boundary,
  no_word_boundary
};

/// One node of a parsed pattern.
struct Node {
  enum class Kind : std::uint8_t {
    empty,        ///< matches nothing, anywhere
    set,          ///< one character of `set`
    sequence,     ///< children in order
    alternation,  ///< the first child that works
    repeat,       ///< child[0], min to max times
    capture,      ///< child[0], remembered as group `index`
    atomic,       ///< child[0] without coming back into it
    look,         ///< child[0] must (not) match here or before here
    assertion,
    back_reference,
    keep  ///< \K: the match begins here
  };
  Kind kind = Kind::empty;
  CharSet set;
  std::vector<std::unique_ptr<Node>> children;
  std::uint32_t min = 0;
  std::uint32_t max = 0;
  Greed greed = Greed::greedy;
  std::uint32_t index = 0;
  Assertion assertion = Assertion::line_start;
  bool negative = false;
  bool behind = false;
  bool fold_case = false;
};

struct Syntax {
  std::unique_ptr<Node> root;
  std::uint32_t captures = 0;
};

/// Parses a pattern in Oniguruma's syntax, as far as tokenizer files use it.
/// Errors: invalid_argument saying what is wrong or not supported, and at which byte.
Result<Syntax> parse(std::string_view pattern);

}  // namespace dynamo::tokenizer::regex
