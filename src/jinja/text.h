// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "jinja/value.h"

namespace dynamo::jinja::detail {

/// Appends Python's str(value).
void append_str(std::string& out, const Value& value);
/// Appends Python's repr(value). Throws a Failure of kind limit when nested over 200 deep.
void append_repr(std::string& out, const Value& value, int depth = 0);
std::string repr(const Value& value);

/// Appends a Python string literal: single quotes unless the text has them and no double quotes.
void append_quoted(std::string& out, std::string_view text);
std::string quote(std::string_view text);

}  // namespace dynamo::jinja::detail
