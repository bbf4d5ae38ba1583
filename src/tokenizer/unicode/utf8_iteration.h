// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// Walking over text that is known to be well-formed UTF-8. The tokenizer checks its input once, at
/// the door; nothing behind it checks again.
namespace dynamo::tokenizer::unicode {

/// Length of the character whose first byte this is.
constexpr std::size_t utf8_length(unsigned char lead) noexcept {
  return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

constexpr bool is_continuation(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

struct Scalar {
  char32_t value;
  std::uint32_t length;
};

/// The character that starts at `p`.
inline Scalar scalar_at(const char* p) noexcept {
  const auto b = [p](int i) { return static_cast<char32_t>(static_cast<unsigned char>(p[i])); };
  const char32_t lead = b(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {((lead & 0x1F) << 6) | (b(1) & 0x3F), 2};
  if (lead < 0xF0) return {((lead & 0x0F) << 12) | ((b(1) & 0x3F) << 6) | (b(2) & 0x3F), 3};
  return {((lead & 0x07) << 18) | ((b(1) & 0x3F) << 12) | ((b(2) & 0x3F) << 6) | (b(3) & 0x3F), 4};
}
inline Scalar scalar_at(std::string_view text, std::size_t at) noexcept {
  return scalar_at(text.data() + at);
}

/// Start of the character that ends at `at` (> 0).
inline std::size_t previous_start(std::string_view text, std::size_t at) noexcept {
  do --at;
  while (at > 0 && is_continuation(text[at]));
  return at;
}

}  // namespace dynamo::tokenizer::unicode
