// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "jinja/value.h"

namespace dynamo::jinja::detail {

/// How json.dumps writes, as transformers sets it up for `tojson`.
struct JsonStyle {
  std::optional<std::string_view> indent;  ///< one level of it; none: on one line
  std::string_view item_separator = ", ";
  std::string_view key_separator = ": ";
  bool ensure_ascii = false;
  bool sort_keys = false;
};

/// Appends the value as Python's json.dumps does. Throws a Failure of kind type for values that
/// JSON has no form for, of kind limit when nested over 200 deep.
void append_json(std::string& out, const Value& value, const JsonStyle& style);
void append_json(std::string& out, const Json& value, const JsonStyle& style);

/// The filter `tojson`.
Value tojson_filter(Interpreter& in, const Value* args);

}  // namespace dynamo::jinja::detail
