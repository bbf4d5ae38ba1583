// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "engines/batching/grammar/char_set.h"

namespace dynamo::engines::batching::grammar {

/// A grammar as rules over code points. Immutable; repetitions and groups have become rules of
/// their own.
struct GbnfGrammar {
  struct Symbol {
    enum class Kind : std::uint8_t { set, rule, end };
    Kind kind;
    std::uint32_t value;  ///< of `sets`, of `rules`; of an end: the rule that ends here
  };
  struct Rule {
    std::vector<std::uint32_t> alternatives;  ///< where each begins in `symbols`
    bool nullable = false;                    ///< the empty text is one of its texts
  };
  std::vector<Symbol> symbols;  ///< the alternatives of all rules, each up to an end
  std::vector<CharSet> sets;
  std::vector<Rule> rules;
  std::uint32_t root = 0;
};

/// Reads GBNF as llama.cpp has it, left recursion included, with bounds on size, nesting and
/// repetition. Errors: invalid_argument with line and column; unimplemented for token references
/// (<…>).
Result<GbnfGrammar> parse_gbnf(std::string_view text);

}  // namespace dynamo::engines::batching::grammar
