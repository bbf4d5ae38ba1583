// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "jinja/builtin.h"

namespace dynamo::jinja::detail {

/// str.format and str.format_map, with the sandbox's attribute rules.
Value format_string(Interpreter& in, const Value& text, const CallArgs& args, const Value* mapping);

/// Python's format(value, spec). Throws a Failure of kind type for a spec the value does not take.
std::string format_value(Interpreter& in, const Value& value, std::string_view spec);

}  // namespace dynamo::jinja::detail
