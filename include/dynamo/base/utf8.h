// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dynamo::base {

/// One decoded scalar. `length_bytes` is 1 to 4, or the length of the maximal ill-formed subpart
/// (1 to 3) when `valid` is false; `scalar` is then U+FFFD.
struct Utf8Char {
  char32_t scalar;
  std::uint8_t length_bytes;
  bool valid;
};

/// Decodes the first scalar of a non-empty text.
/// Source: Unicode Standard chapter 3, table 3-7 and "substitution of maximal subparts".
Utf8Char decode_utf8(std::string_view text) noexcept;

bool is_valid_utf8(std::string_view text) noexcept;
/// Length of the longest prefix that is well-formed UTF-8.
std::size_t valid_utf8_prefix(std::string_view text) noexcept;
/// Length of the longest prefix that does not end inside a sequence that could still become
/// well-formed; what is behind it is at most 3 bytes and waits for more input.
std::size_t complete_utf8_prefix(std::string_view text) noexcept;
void append_utf8(std::string& out, char32_t scalar);
/// Replaces each maximal ill-formed subpart by U+FFFD.
std::string to_valid_utf8(std::string_view text);
/// The largest n <= `limit` such that text[0, n) does not cut a character.
std::size_t utf8_floor(std::string_view text, std::size_t limit) noexcept;

}  // namespace dynamo::base
