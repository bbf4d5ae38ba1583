// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace dynamo::parsers::detail {

/// Appends `text` as it stands between the quotes of a JSON string.
void append_json_escaped(std::string& out, std::string_view text);
/// `text` as a JSON string with its quotes.
std::string json_string(std::string_view text);

/// Whether `text` is a JSON number.
bool is_json_number(std::string_view text) noexcept;
/// Whether `text` is an optional sign and digits.
bool is_integer_literal(std::string_view text) noexcept;
/// Whether an integer literal fits 64 bits with sign.
bool fits_int64(std::string_view digits) noexcept;
/// An integer literal in JSON's spelling: no `+`, no leading zeros.
std::string json_integer(std::string_view literal);

bool equals_ignoring_case(std::string_view text, std::string_view lower) noexcept;

}  // namespace dynamo::parsers::detail
