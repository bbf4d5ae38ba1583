// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace dynamo::jinja::detail {

/// Python's repr(float): the shortest text that round-trips; "1.0", "1e+16", "1e-07", "nan", "inf".
void append_float_repr(std::string& out, double value);

/// Digits and decimal point as C's %e, %f or %g with a precision ('e', 'f', 'g' and their capitals,
/// '%' as Python's format does). `alternate` keeps the point and trailing zeros (#).
std::string format_float(double value, char type, int precision, bool alternate);

/// The digits of a double rounded half to even at `precision` places, which may be negative;
/// Python's round(value, precision).
double round_to(double value, int precision);

}  // namespace dynamo::jinja::detail
