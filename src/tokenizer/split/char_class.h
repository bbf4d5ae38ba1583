// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tokenizer/unicode/properties.h"
#include "tokenizer/unicode/utf8_iteration.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace dynamo::tokenizer::detail {

/// What the scanners tell apart, one bit each.
namespace cls {
inline constexpr std::uint16_t kUpper = 1 << 0;        ///< Lu, Lt
inline constexpr std::uint16_t kLower = 1 << 1;        ///< Ll
inline constexpr std::uint16_t kOtherLetter = 1 << 2;  ///< Lm, Lo
inline constexpr std::uint16_t kMark = 1 << 3;         ///< M
inline constexpr std::uint16_t kNumber = 1 << 4;       ///< N
inline constexpr std::uint16_t kNewline = 1 << 5;      ///< CR, LF
inline constexpr std::uint16_t kSpace = 1 << 6;        ///< White_Space but CR, LF
inline constexpr std::uint16_t kSign = 1 << 7;         ///< P, S
inline constexpr std::uint16_t kRest = 1 << 8;         ///< C
inline constexpr std::uint16_t kLetter = kUpper | kLower | kOtherLetter;
inline constexpr std::uint16_t kBlank = kNewline | kSpace;
/// `[^\s\p{L}\p{N}]`
inline constexpr std::uint16_t kOther = kMark | kSign | kRest;
}  // namespace cls

constexpr std::uint16_t class_of_category(std::uint32_t bit) noexcept {
  using unicode::Category;
  using unicode::mask;
  if ((bit & mask(Category::Lu, Category::Lt)) != 0) return cls::kUpper;
  if ((bit & mask(Category::Ll)) != 0) return cls::kLower;
  if ((bit & mask(Category::Lm, Category::Lo)) != 0) return cls::kOtherLetter;
  if ((bit & unicode::kMark) != 0) return cls::kMark;
  if ((bit & unicode::kNumber) != 0) return cls::kNumber;
  if ((bit & (unicode::kPunctuation | unicode::kSymbol)) != 0) return cls::kSign;
  return cls::kRest;
}

inline constexpr std::array<std::uint16_t, 128> kAsciiClass = [] {
  std::array<std::uint16_t, 128> table{};
  for (unsigned c = 0; c < 128; ++c) {
    if (c >= 'A' && c <= 'Z') {
      table[c] = cls::kUpper;
    } else if (c >= 'a' && c <= 'z') {
      table[c] = cls::kLower;
    } else if (c >= '0' && c <= '9') {
      table[c] = cls::kNumber;
    } else if (c == '\r' || c == '\n') {
      table[c] = cls::kNewline;
    } else if (c == ' ' || (c >= 9 && c <= 13)) {
      table[c] = cls::kSpace;
    } else {
      table[c] = c < 32 || c == 127 ? cls::kRest : cls::kSign;
    }
  }
  return table;
}();

/// Classes by property record, built once.
inline const std::array<std::uint16_t, 256>& record_classes() noexcept {
  static const std::array<std::uint16_t, 256> table = [] {
    std::array<std::uint16_t, 256> classes{};
    const unicode::Tables& t = unicode::tables();
    for (std::size_t i = 0; i < classes.size(); ++i) {
      const bool space = (t.flags[i] & static_cast<std::uint16_t>(unicode::Flag::white_space)) != 0;
      classes[i] = space ? cls::kSpace : class_of_category(t.category_bit[i]);
    }
    return classes;
  }();
  return table;
}

struct Classified {
  std::uint16_t bits;
  std::uint32_t length;
};

inline std::uint16_t class_of_wide(char32_t c) noexcept {
  return record_classes()[unicode::tables().properties[c]];
}

inline Classified classify(const char* p) noexcept {
  const auto lead = static_cast<unsigned char>(*p);
  if (lead < 0x80) [[likely]]
    return {kAsciiClass[lead], 1};
  const unicode::Scalar s = unicode::scalar_at(p);
  return {class_of_wide(s.value), s.length};
}

#if defined(__SSE2__)
/// Bit i is set when byte i of the 16 at `p` is an ASCII letter.
inline std::uint32_t ascii_letters_16(const char* p) noexcept {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i offset = _mm_sub_epi8(_mm_or_si128(v, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
  const __m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(25)), offset);
  return static_cast<std::uint32_t>(_mm_movemask_epi8(is_letter));
}
/// Bit i is set when byte i of the 16 at `p` is an ASCII lower-case letter.
inline std::uint32_t ascii_lower_16(const char* p) noexcept {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i offset = _mm_sub_epi8(v, _mm_set1_epi8('a'));
  const __m128i is_lower = _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(25)), offset);
  return static_cast<std::uint32_t>(_mm_movemask_epi8(is_lower));
}
#endif

/// End of the run of ASCII letters that begins at `at`.
inline std::size_t ascii_letter_run(const char* text, std::size_t at, std::size_t end) noexcept {
#if defined(__SSE2__)
  while (end - at >= 16) {
    const std::uint32_t others = ~ascii_letters_16(text + at) & 0xFFFFU;
    if (others != 0) return at + static_cast<std::size_t>(std::countr_zero(others));
    at += 16;
  }
#endif
  while (at < end && (static_cast<unsigned char>(text[at]) & 0x80) == 0 &&
         (kAsciiClass[static_cast<unsigned char>(text[at])] & cls::kLetter) != 0) {
    ++at;
  }
  return at;
}

/// End of the run of characters with a class in `Mask` that begins at `at`.
template <std::uint16_t Mask>
std::size_t run_of(const char* text, std::size_t at, std::size_t end) noexcept {
  while (at < end) {
    if constexpr ((Mask & cls::kLetter) == cls::kLetter) {
      at = ascii_letter_run(text, at, end);
      if (at == end || static_cast<unsigned char>(text[at]) < 0x80) {
        if constexpr (Mask == cls::kLetter || Mask == (cls::kLetter | cls::kMark)) break;
        if (at == end) break;
      }
    }
    const Classified c = classify(text + at);
    if ((c.bits & Mask) == 0) break;
    at += c.length;
  }
  return at;
}

}  // namespace dynamo::tokenizer::detail
