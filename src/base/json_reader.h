// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/json.h>

#include <cstddef>
#include <string_view>

namespace dynamo::base::detail {

/// The strict reader behind parse_json: it decides what is accepted and words the errors. The
/// simdjson path takes the texts it can, everything else comes here.
///
/// Accepts RFC 8259 as serde_json does: numbers that overflow binary64 are refused, integers
/// outside 64 bits become doubles, "-0" is a double, lone surrogates are refused.
Result<Json> read_json(std::string_view text, std::size_t depth_limit);

/// Copy of the text with invalid UTF-8 replaced by U+FFFD and raw control characters inside
/// strings written as escapes.
std::string repair_json(std::string_view text);

}  // namespace dynamo::base::detail
