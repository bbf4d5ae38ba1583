// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/value.h"

/// Operations on text that filters and methods of str share.
namespace dynamo::jinja::detail {

/// str.splitlines
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

/// str.replace; a negative count means all. Keeps the Markup flag of `s`.
Value replace_text(Interpreter& in, const Value& s, std::string_view from, std::string_view to,
                   std::int64_t count);

/// str.center and its relatives; widths count characters.
enum class Align : std::uint8_t { left, right, center };
Value align_text(Interpreter& in, const Value& s, std::int64_t width, std::string_view fill,
                 Align align);
inline Value center_text(Interpreter& in, const Value& s, std::int64_t width,
                         std::string_view fill) {
  return align_text(in, s, width, fill, Align::center);
}

/// markupsafe.escape as a value.
Value escape_value(Interpreter& in, const Value& v);

/// textwrap.wrap(line, width, expand_tabs=False, replace_whitespace=False, …)
std::vector<std::string> wrap_line(std::string_view line, std::size_t width, bool break_long_words,
                                   bool break_on_hyphens);

}  // namespace dynamo::jinja::detail
