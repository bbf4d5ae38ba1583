// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace dynamo::base::detail {

constexpr bool ends_plain_run(unsigned char c) noexcept {
  return c < 0x20 || c == '"' || c == '\\';
}

/// Offset of the first byte at or after `from` that ends a run of plain bytes inside a JSON string:
/// a quote, a backslash or a control character. The size of the text when there is none. All bytes
/// passed (and perhaps a few more) are or-ed into `seen`, so that its high bits tell ASCII.
inline std::size_t find_plain_end(std::string_view text, std::size_t from,
                                  std::uint64_t& seen) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  constexpr std::uint64_t kHigh = kOnes * 0x80;
  // The high bit of each byte of a word that is zero; above the lowest hit the bits may be wrong.
  const auto zero_bytes = [](std::uint64_t word) { return (word - kOnes) & ~word & kHigh; };
  if constexpr (std::endian::native == std::endian::little) {
    for (; from + 8 <= text.size(); from += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + from, 8);
      seen |= word;
      const std::uint64_t control = (word - kOnes * 0x20) & ~word & kHigh;
      const std::uint64_t hits =
          control | zero_bytes(word ^ kOnes * '"') | zero_bytes(word ^ kOnes * '\\');
      if (hits != 0) return from + static_cast<std::size_t>(std::countr_zero(hits)) / 8;
    }
  }
  for (; from < text.size(); ++from) {
    const auto byte = static_cast<unsigned char>(text[from]);
    seen |= byte;
    if (ends_plain_run(byte)) break;
  }
  return from;
}

/// Whether `seen` has a byte that is not ASCII.
constexpr bool has_non_ascii(std::uint64_t seen) noexcept {
  return (seen & 0x8080808080808080u) != 0;
}

}  // namespace dynamo::base::detail
