// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

/// The printable alphabet of byte-level tokenizers: bytes 21-7E, A1-AC and AE-FF stand for
/// themselves, the other 68 for U+0100 upward in order. Source: GPT-2's bytes_to_unicode.
namespace dynamo::tokenizer::detail {

/// The character of each byte.
inline constexpr std::array<char16_t, 256> kByteToChar = [] {
  std::array<char16_t, 256> map{};
  char16_t next = 0x100;
  for (unsigned b = 0; b < 256; ++b) {
    const bool itself = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    map[b] = itself ? static_cast<char16_t>(b) : next++;
  }
  return map;
}();

/// The byte of each character below U+0144, or -1.
inline constexpr std::array<std::int16_t, 0x144> kCharToByte = [] {
  std::array<std::int16_t, 0x144> map{};
  for (auto& byte : map) byte = -1;
  for (unsigned b = 0; b < 256; ++b) map[kByteToChar[b]] = static_cast<std::int16_t>(b);
  return map;
}();

/// Appends the bytes that a token of the alphabet stands for; false (and `out` as before) when a
/// character is not in it.
bool bytes_from_alphabet(std::string_view token, std::string& out);
/// Appends the alphabet's spelling of bytes.
void bytes_to_alphabet(std::string_view bytes, std::string& out);

}  // namespace dynamo::tokenizer::detail
