// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <optional>
#include <string>
#include <string_view>

#include "tokenizer/load/fields.h"
#include "tokenizer/regex/regex.h"

namespace dynamo::tokenizer::detail {

/// {"String": …} or {"Regex": …}.
struct Pattern {
  std::string literal;
  std::string source;  ///< of the regular expression
  std::optional<regex::Regex> regex;
};

/// Reads the member "pattern". Errors: those of the regular expression, and another shape.
Result<Pattern> read_pattern(Fields& fields, std::string_view part);

}  // namespace dynamo::tokenizer::detail
