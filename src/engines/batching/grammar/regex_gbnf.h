// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <string>
#include <string_view>

#include "engines/batching/grammar/gbnf_rules.h"

namespace dynamo::engines::batching::grammar {

/// Where the text that a regular expression describes stands.
enum class RegexPlace : std::uint8_t {
  whole_answer,  ///< the expression is the whole text (guided_regex)
  /// The inside of a JSON string: characters are escaped as JSON wants, and the expression may
  /// match anywhere, as JSON schema's `pattern` means it.
  json_string,
};

/// Adds the rules of a regular expression and returns the body that matches it.
///
/// Supported: literals, escapes (\d \w \s and their inverses, \xHH, \uHHHH, \u{H…}), `.`, classes,
/// groups, alternatives, greedy and lazy repetitions, `^` and `$` at the ends of the expression's
/// alternatives. Classes of \d \w \s are ASCII.
/// Errors: invalid_argument for what is no regular expression, with the position; unimplemented
/// for what no grammar can express (look-around, back references) or is not supported (\b, \p,
/// flags).
Result<std::string> regex_to_gbnf(std::string_view pattern, RegexPlace place, GbnfRules& rules);

}  // namespace dynamo::engines::batching::grammar
