// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "jinja/value.h"

namespace dynamo::jinja::detail {

/// Python's operators. They throw a Failure of kind type for operands that do not support them and
/// for division by zero, of kind undefined for undefined operands.
Value add(Interpreter& in, const Value& a, const Value& b);
Value subtract(Interpreter& in, const Value& a, const Value& b);
Value multiply(Interpreter& in, const Value& a, const Value& b);
Value divide(Interpreter& in, const Value& a, const Value& b);
Value floor_divide(Interpreter& in, const Value& a, const Value& b);
Value modulo(Interpreter& in, const Value& a, const Value& b);
Value power(Interpreter& in, const Value& a, const Value& b);
Value negate(Interpreter& in, const Value& a);
Value positive(Interpreter& in, const Value& a);

/// object[start:stop:step]; parts that are left out are none.
Value slice(Interpreter& in, const Value& object, const Value& start, const Value& stop,
            const Value& step);

/// A number as a double; throws when an integer is too large.
double to_double(const Value& number);
/// An integer argument, clamped to 64 bits; throws a Failure of kind type for other kinds.
std::int64_t require_int(const Value& value, std::string_view what);
/// Python's float(text): none when it is no number.
std::optional<double> parse_float(std::string_view text);
/// Python's int(text, base): missing when it is no number.
Value parse_int(Arena& arena, std::string_view text, int base);

}  // namespace dynamo::jinja::detail
