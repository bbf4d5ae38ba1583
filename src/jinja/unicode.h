// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dynamo::jinja::detail {

/// Python's view of characters (str.isspace, str.upper, …). Texts are UTF-8; ill-formed bytes count
/// as U+FFFD. Source: CPython 3.11 behaviour, Unicode through utf8proc.

/// Decodes the scalar at `at` and moves past it.
char32_t next_char(std::string_view text, std::size_t& at) noexcept;

bool is_ascii(std::string_view text) noexcept;
/// Number of characters.
std::size_t char_count(std::string_view text) noexcept;
/// Byte offset of character number `index`, which is at most the number of characters.
std::size_t char_offset(std::string_view text, std::size_t index) noexcept;
/// Byte length of the character that starts with this byte.
inline std::size_t char_length(char first) noexcept {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

bool is_space(char32_t c) noexcept;
bool is_printable(char32_t c) noexcept;
bool is_alpha(char32_t c) noexcept;
bool is_decimal(char32_t c) noexcept;
bool is_digit(char32_t c) noexcept;
bool is_numeric(char32_t c) noexcept;
bool is_alnum(char32_t c) noexcept;
bool is_lower(char32_t c) noexcept;
bool is_upper(char32_t c) noexcept;
bool is_title(char32_t c) noexcept;
bool is_identifier_start(char32_t c) noexcept;
bool is_identifier_part(char32_t c) noexcept;
/// Value of a decimal digit (category Nd).
int digit_value(char32_t c) noexcept;

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_casefold(std::string_view text);
std::string swap_case(std::string_view text);
/// str.title(): a letter after a non-letter becomes title case, others lower case.
std::string to_title(std::string_view text);
std::string capitalize(std::string_view text);

/// Python's str.strip family without arguments.
std::string_view strip_space(std::string_view text, bool left = true, bool right = true) noexcept;
/// The same with a set of characters.
std::string_view strip_chars(std::string_view text, std::string_view chars, bool left,
                             bool right) noexcept;

}  // namespace dynamo::jinja::detail
