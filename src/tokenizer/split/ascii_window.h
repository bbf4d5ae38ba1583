// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>

namespace dynamo::tokenizer::detail {

/// 64 bytes of text as sets of positions, so that the borders of a dozen pieces come from a few
/// operations on words and no branch depends on the text.
struct AsciiWindow {
  static constexpr std::size_t kBytes = 64;

  std::uint64_t letters = 0;
  std::uint64_t digits = 0;
  std::uint64_t spaces = 0;    ///< U+0020
  std::uint64_t newlines = 0;  ///< CR, LF
  std::uint64_t blanks = 0;    ///< all white space, newlines too
  std::uint64_t quotes = 0;    ///< U+0027
  std::uint64_t wide = 0;      ///< bytes of characters that are not ASCII

  /// kBytes can be read at `p`.
  explicit AsciiWindow(const char* p) noexcept {
    for (std::size_t at = 0; at < kBytes; at += 16) {
      const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + at));
      const auto add = [&](std::uint64_t& to, __m128i mask) {
        to |= std::uint64_t{static_cast<std::uint32_t>(_mm_movemask_epi8(mask))} << at;
      };
      const __m128i newline = _mm_or_si128(is(v, '\n'), is(v, '\r'));
      const __m128i space = is(v, ' ');
      add(letters, within(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 'z'));
      add(digits, within(v, '0', '9'));
      add(spaces, space);
      add(newlines, newline);
      add(blanks, _mm_or_si128(space, within(v, '\t', '\r')));
      add(quotes, is(v, '\''));
      add(wide, v);
    }
  }
  /// Everything else that is ASCII: punctuation, symbols, controls.
  std::uint64_t signs() const noexcept { return ~(letters | digits | blanks | wide); }

 private:
  static __m128i is(__m128i v, char c) noexcept { return _mm_cmpeq_epi8(v, _mm_set1_epi8(c)); }
  static __m128i within(__m128i v, char low, char high) noexcept {
    const __m128i offset = _mm_sub_epi8(v, _mm_set1_epi8(low));
    return _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(static_cast<char>(high - low))),
                          offset);
  }
};

/// The positions below `end`.
inline std::uint64_t below(unsigned end) noexcept {
  return end >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << end) - 1;
}
/// Of the runs of ones in `set`, those that begin at a bit of `starts`.
inline std::uint64_t runs_from(std::uint64_t set, std::uint64_t starts) noexcept {
  return set & ~(set + (set & starts));
}

/// Where pieces of cl100k and its relatives begin in a window that begins with a piece. Digits is
/// the longest run of digits in a piece. `contraction(position)` is the length of 's 't 're …
/// there, or 0.
///
/// What follows the last start that is returned is not decided: it needs text behind the window, or
/// what is not ASCII, or it is one of the rare cases left to the scanner that goes by characters.
template <unsigned Digits, class Contraction>
std::uint64_t cl100k_starts(const AsciiWindow& w, Contraction&& contraction) noexcept {
  const std::uint64_t signs = w.signs();
  const std::uint64_t plain = w.blanks & ~w.newlines;  // white space that may lead a word
  unsigned limit = w.wide != 0 ? static_cast<unsigned>(std::countr_zero(w.wide)) : 64;

  // ` ?[^\s\p{L}\p{N}]+[\r\n]*` takes the newlines behind it.
  const std::uint64_t tails = runs_from(w.newlines, signs << 1);
  const std::uint64_t blanks = w.blanks & ~tails;
  // `\s*[\r\n]+` ends behind the last newline of a run. White space between two newlines is rare.
  const std::uint64_t behind_newline = plain & (w.newlines << 1);
  if (const std::uint64_t between = (plain + behind_newline) & ~plain & w.newlines; between != 0) {
    auto at = static_cast<unsigned>(std::countr_zero(between));
    while (at > 0 && (w.blanks >> (at - 1) & 1) != 0) --at;
    limit = std::min(limit, at);
  }
  // A run of white space at the end may go on.
  if (limit == 0) return 1;
  limit -= static_cast<unsigned>(std::countl_one(w.blanks << (64 - limit)));

  // Signs begin a piece unless a space leads them; one that does may itself lead a word.
  const std::uint64_t sign_starts = signs & ~(signs << 1) & ~(w.spaces << 1);
  std::uint64_t starts = 1 | sign_starts | behind_newline;
  starts |= w.letters & ~((w.letters | plain | sign_starts) << 1);
  starts |= blanks & ~(blanks << 1);
  starts |= plain & ~(w.blanks >> 1);  // the last of a run, `\s+(?!\S)` leaves it
  if constexpr (Digits == 1) {
    starts |= w.digits;
  } else {
    std::uint64_t more = w.digits & ~(w.digits << 1);
    std::uint64_t behind = w.digits;  // with Digits more before them
    for (unsigned i = 1; i <= Digits; ++i) behind &= w.digits << i;
    while (more != 0) {
      starts |= more;
      more = more << Digits & behind;
    }
  }
  starts = (starts & below(limit)) | 1;
  for (std::uint64_t q = w.quotes & sign_starts & below(limit); q != 0; q &= q - 1) {
    const auto at = static_cast<unsigned>(std::countr_zero(q));
    const auto to = at + static_cast<unsigned>(contraction(at));
    if (to > at && to < limit) starts |= w.letters & std::uint64_t{1} << to;
  }
  return starts;
}

}  // namespace dynamo::tokenizer::detail
#endif
