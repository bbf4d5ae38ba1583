// SPDX-License-Identifier: Apache-2.0
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

unsigned char byte_at(std::string_view text, std::size_t i) noexcept {
  return static_cast<unsigned char>(text[i]);
}

bool is_ascii_space(unsigned char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// U+0085 and U+00A0.
bool is_two_byte_space(unsigned char a, unsigned char b) noexcept {
  return a == 0xC2 && (b == 0x85 || b == 0xA0);
}

// U+1680, U+2000..200A, U+2028, U+2029, U+202F, U+205F, U+3000.
bool is_three_byte_space(unsigned char a, unsigned char b, unsigned char c) noexcept {
  if (a == 0xE1) return b == 0x9A && c == 0x80;
  if (a == 0xE3) return b == 0x80 && c == 0x80;
  if (a != 0xE2) return false;
  if (b == 0x80) return c <= 0x8A || c == 0xA8 || c == 0xA9 || c == 0xAF;
  return b == 0x81 && c == 0x9F;
}

}  // namespace

std::size_t leading_space(std::string_view text) noexcept {
  if (text.empty()) return 0;
  if (is_ascii_space(byte_at(text, 0))) return 1;
  if (text.size() >= 2 && is_two_byte_space(byte_at(text, 0), byte_at(text, 1))) return 2;
  if (text.size() >= 3 &&
      is_three_byte_space(byte_at(text, 0), byte_at(text, 1), byte_at(text, 2))) {
    return 3;
  }
  return 0;
}

std::size_t trailing_space(std::string_view text) noexcept {
  const std::size_t n = text.size();
  if (n == 0) return 0;
  if (is_ascii_space(byte_at(text, n - 1))) return 1;
  if (n >= 2 && is_two_byte_space(byte_at(text, n - 2), byte_at(text, n - 1))) return 2;
  if (n >= 3 &&
      is_three_byte_space(byte_at(text, n - 3), byte_at(text, n - 2), byte_at(text, n - 1))) {
    return 3;
  }
  return 0;
}

bool may_become_space(std::string_view text) noexcept {
  if (text.empty() || text.size() > 2) return false;
  const unsigned char a = byte_at(text, 0);
  if (text.size() == 1) return a == 0xC2 || a == 0xE1 || a == 0xE2 || a == 0xE3;
  const unsigned char b = byte_at(text, 1);
  return (a == 0xE1 && b == 0x9A) || (a == 0xE3 && b == 0x80) ||
         (a == 0xE2 && (b == 0x80 || b == 0x81));
}

std::string_view trim_left(std::string_view text) noexcept {
  while (const std::size_t n = leading_space(text)) text.remove_prefix(n);
  return text;
}

std::string_view trim_right(std::string_view text) noexcept {
  while (const std::size_t n = trailing_space(text)) text.remove_suffix(n);
  return text;
}

std::string_view trim(std::string_view text) noexcept {
  return trim_right(trim_left(text));
}

bool is_blank(std::string_view text) noexcept {
  return trim_left(text).empty();
}

}  // namespace dynamo::parsers::detail
