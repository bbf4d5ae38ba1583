// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/split/scanner.h"

#include <array>
#include <bit>
#include <string>

#include "tokenizer/split/ascii_window.h"
#include "tokenizer/split/char_class.h"

namespace dynamo::tokenizer::detail {

namespace {

using std::size_t;

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

/// Length of 's 't 're 've 'm 'll 'd at `at` in any case, or 0. U+017F folds to s.
size_t any_case_contraction(const char* t, size_t at, size_t end) noexcept {
  if (end - at < 2 || t[at] != '\'') return 0;
  const char a = lower(t[at + 1]);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if (end - at < 3) return 0;
  const char b = lower(t[at + 2]);
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
  return t[at + 1] == '\xC5' && t[at + 2] == '\xBF' ? 3 : 0;
}

/// The same in lower case only.
size_t lower_contraction(const char* t, size_t at, size_t end) noexcept {
  if (end - at < 2 || t[at] != '\'') return 0;
  const char a = t[at + 1];
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if (end - at < 3) return 0;
  const char b = t[at + 2];
  return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

/// `\p{N}{1,Max}` from a number at `at`; Max 0 is without a limit.
template <unsigned Max>
size_t number_end(const char* t, size_t at, size_t end) noexcept {
  for (unsigned n = 0; at < end && (Max == 0 || n < Max); ++n) {
    const Classified c = classify(t + at);
    if ((c.bits & cls::kNumber) == 0) break;
    at += c.length;
  }
  return at;
}

/// `\s*[\r\n]+|\s+(?!\S)|\s+` from white space at `at`; without the first when !WithNewlines.
template <bool WithNewlines>
size_t blank_end(const char* t, size_t at, size_t end) noexcept {
  size_t p = at;
  size_t last = at;  // start of the run's last character
  size_t behind_newline = at;
  while (p < end) {
    const Classified c = classify(t + p);
    if ((c.bits & cls::kBlank) == 0) break;
    last = p;
    p += c.length;
    if (WithNewlines && (c.bits & cls::kNewline) != 0) behind_newline = p;
  }
  if (behind_newline != at) return behind_newline;
  if (p == end || last == at) return p;
  return last;
}

/// End of the run of CR and LF (and '/' when Slash).
template <bool Slash>
size_t tail_end(const char* t, size_t at, size_t end) noexcept {
  while (at < end && (t[at] == '\r' || t[at] == '\n' || (Slash && t[at] == '/'))) ++at;
  return at;
}

/// ` ?[Mask]+[\r\n]*` at `at`, or `at` when it does not match.
template <std::uint16_t Mask, bool Slash>
size_t sign_end(const char* t, size_t at, size_t end) noexcept {
  const size_t from = t[at] == ' ' ? at + 1 : at;
  const size_t to = run_of<Mask>(t, from, end);
  return to == from ? at : tail_end<Slash>(t, to, end);
}

template <size_t (*Next)(const char*, size_t, size_t)>
void scan(std::string_view text, Range piece, RangeList& out) {
  size_t at = piece.begin;
  while (at < piece.end) {
    const size_t to = Next(text.data(), at, piece.end);
    out.push(static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(to));
    at = to;
  }
}

/// The case that is nearly all of plain text: a run of ASCII letters, alone or behind one space,
/// with an ASCII character behind it. Its end, or 0 when it is another case.
inline size_t plain_word_end([[maybe_unused]] const char* t, [[maybe_unused]] size_t at,
                             [[maybe_unused]] size_t end) noexcept {
#if defined(__SSE2__)
  if (end - at > 17) {
    const size_t from = at + (t[at] == ' ' ? 1 : 0);
    const auto length = static_cast<size_t>(std::countr_one(ascii_letters_16(t + from)));
    if (length != 0 && length < 16 && static_cast<signed char>(t[from + length]) >= 0)
      return from + length;
  }
#endif
  return 0;
}

size_t next_gpt2(const char* t, size_t at, size_t end) noexcept {
  if (const size_t to = plain_word_end(t, at, end); to != 0) return to;
  if (const size_t n = lower_contraction(t, at, end); n != 0) return at + n;
  const size_t from = t[at] == ' ' && at + 1 < end ? at + 1 : at;
  const Classified c = classify(t + from);
  if ((c.bits & cls::kLetter) != 0) return run_of<cls::kLetter>(t, from, end);
  if ((c.bits & cls::kNumber) != 0) return number_end<0>(t, from, end);
  if ((c.bits & cls::kOther) != 0) return run_of<cls::kOther>(t, from, end);
  return blank_end<false>(t, at, end);
}

/// cl100k and its relatives: Digits in a number, Letters in a word, Signs in a run of signs.
template <unsigned Digits, std::uint16_t Letters, std::uint16_t Signs>
size_t next_cl100k(const char* t, size_t at, size_t end) noexcept {
  if (const size_t to = plain_word_end(t, at, end); to != 0) return to;
  const Classified c = classify(t + at);
  if ((c.bits & Letters) != 0) return run_of<Letters>(t, at + c.length, end);
  if ((c.bits & cls::kNumber) != 0) return number_end<Digits>(t, at, end);
  if ((c.bits & cls::kNewline) == 0) {
    if (const size_t n = any_case_contraction(t, at, end); n != 0) return at + n;
    const size_t from = at + c.length;
    if (const size_t to = run_of<Letters>(t, from, end); to != from) return to;
    if (const size_t to = sign_end<Signs, false>(t, at, end); to != at) return to;
  }
  return blank_end<true>(t, at, end);
}

/// The same, a window of ASCII at a time where there is one.
template <unsigned Digits, std::uint16_t Letters, std::uint16_t Signs>
void scan_cl100k(std::string_view text, Range piece, RangeList& out) {
  size_t at = piece.begin;
#if defined(__SSE2__)
  constexpr size_t kContractionMax = 3;
  while (piece.end - at >= AsciiWindow::kBytes + kContractionMax) {
    const char* const window = text.data() + at;
    const std::uint64_t starts = cl100k_starts<Digits>(AsciiWindow(window), [&](size_t quote) {
      return any_case_contraction(window, quote, AsciiWindow::kBytes + kContractionMax);
    });
    if (starts == 1) {
      // A long word, or not ASCII: no window for the next few pieces.
      const size_t stop = at + AsciiWindow::kBytes / 2;
      while (at < stop) {
        const size_t to = next_cl100k<Digits, Letters, Signs>(text.data(), at, piece.end);
        out.push(static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(to));
        at = to;
      }
      continue;
    }
    // Eight at a time, to branch on their number seldom; the last start is the next window's first.
    const auto base = static_cast<std::uint32_t>(at);
    Range* to = out.reserve(AsciiWindow::kBytes + 8);
    std::uint32_t begin = base;
    std::uint64_t left = starts & (starts - 1);
    const auto count = static_cast<size_t>(std::popcount(left));
    while (left != 0) {
      for (int i = 0; i < 8; ++i) {
        const std::uint32_t end = base + static_cast<std::uint32_t>(std::countr_zero(left));
        *to++ = {begin, end};
        begin = end;
        left &= left - 1;
      }
    }
    out.commit(count);
    at += static_cast<size_t>(63 - std::countl_zero(starts));
  }
#endif
  while (at < piece.end) {
    const size_t to = next_cl100k<Digits, Letters, Signs>(text.data(), at, piece.end);
    out.push(static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(to));
    at = to;
  }
}

/// Words of o200k: `U*L+` (first alternative) from `at`, or `at` when it does not match, where U is
/// upper-case and unspecific letters, L lower-case and unspecific ones. Kimi leaves Han out.
template <bool NoHan>
struct O200kWord {
  static constexpr std::uint16_t kBoth = cls::kOtherLetter | cls::kMark;
  static constexpr std::uint16_t kU = cls::kUpper | kBoth;
  static constexpr std::uint16_t kL = cls::kLower | kBoth;

  static Classified classify_letter(const char* p) noexcept {
    const auto lead = static_cast<unsigned char>(*p);
    if (lead < 0x80) return {kAsciiClass[lead], 1};
    const unicode::Scalar s = unicode::scalar_at(p);
    if (NoHan && is_han(s.value)) return {0, s.length};
    return {class_of_wide(s.value), s.length};
  }
  static bool is_han(char32_t c) noexcept {
    static const std::uint8_t han = unicode::script_by_name("Han").value_or(0);
    return unicode::script(c) == han;
  }
  static size_t lower_run(const char* t, size_t at, size_t end) noexcept {
    while (at < end) {
      const Classified c = classify_letter(t + at);
      if ((c.bits & kL) == 0) break;
      at += c.length;
    }
    return at;
  }
  /// Both alternatives: `first` is the end of `U*L+`, `second` that of `U+L*`; `at` when none.
  struct Ends {
    size_t first;
    size_t second;
  };
  static Ends ends(const char* t, size_t at, size_t end) noexcept {
    size_t p = at;
    size_t behind_both = at;  // behind the last character of U that is also in L
    while (p < end) {
      const Classified c = classify_letter(t + p);
      if ((c.bits & kU) == 0) {
        if ((c.bits & cls::kLower) == 0) break;
        const size_t to = lower_run(t, p, end);
        return {to, p == at ? at : to};
      }
      p += c.length;
      if ((c.bits & kBoth) != 0) behind_both = p;
    }
    return {behind_both, p};
  }
};

template <unsigned Digits, bool Contractions, bool Slash, bool Kimi>
size_t next_o200k(const char* t, size_t at, size_t end) noexcept {
#if defined(__SSE2__)
  // ASCII upper-case letters and then lower-case ones, alone or behind one space.
  if (end - at > 17) {
    const size_t from = at + (t[at] == ' ' ? 1 : 0);
    const std::uint32_t letters = ascii_letters_16(t + from);
    const std::uint32_t lower_case = ascii_lower_16(t + from);
    const auto upper_count = static_cast<unsigned>(std::countr_one(letters & ~lower_case));
    const auto count =
        upper_count + static_cast<unsigned>(std::countr_one(lower_case >> upper_count));
    if (count != 0 && count < 16) {
      const char next = t[from + count];
      if (static_cast<signed char>(next) >= 0 && !(Contractions && next == '\''))
        return from + count;
    }
  }
#endif
  using Word = O200kWord<Kimi>;
  const auto with_contraction = [&](size_t to) {
    return Contractions ? to + any_case_contraction(t, to, end) : to;
  };
  const Classified c = classify(t + at);
  if constexpr (Kimi) {
    if (static_cast<unsigned char>(t[at]) >= 0x80) {
      size_t p = at;
      while (p < end && static_cast<unsigned char>(t[p]) >= 0x80) {
        const unicode::Scalar s = unicode::scalar_at(t + p);
        if (!Word::is_han(s.value)) break;
        p += s.length;
      }
      if (p != at) return p;
    }
  }
  if ((c.bits & cls::kNumber) != 0) return number_end<Digits>(t, at, end);
  const bool may_lead = (c.bits & (cls::kLetter | cls::kNewline)) == 0;
  // The alternatives in order: U*L+ behind a leading character, U*L+ here, then U+L* the same way.
  const size_t from = at + c.length;
  const auto led = may_lead ? Word::ends(t, from, end) : typename Word::Ends{from, from};
  if (may_lead && led.first != from) return with_contraction(led.first);
  if ((c.bits & (cls::kLetter | cls::kMark)) != 0) {
    const auto here = Word::ends(t, at, end);
    if (here.first != at) return with_contraction(here.first);
    if (may_lead && led.second != from) return with_contraction(led.second);
    if (here.second != at) return with_contraction(here.second);
  } else if (may_lead && led.second != from) {
    return with_contraction(led.second);
  }
  if ((c.bits & cls::kNewline) == 0) {
    if (const size_t to = sign_end<cls::kOther, Slash>(t, at, end); to != at) return to;
  }
  return blank_end<true>(t, at, end);
}

constexpr bool is_ascii_letter(char c) noexcept {
  return lower(c) >= 'a' && lower(c) <= 'z';
}

/// DeepSeek's third pattern. What it does not match stays together as a gap.
size_t next_deepseek_words(const char* t, size_t at, size_t end) noexcept {
  if (const size_t to = plain_word_end(t, at, end); to != 0) return to;
  constexpr std::uint16_t kWord = cls::kLetter | cls::kMark;
  const Classified c = classify(t + at);
  if ((c.bits & cls::kSign) != 0 && c.length == 1 && at + 1 < end && is_ascii_letter(t[at + 1])) {
    return ascii_letter_run(t, at + 1, end);
  }
  if ((c.bits & kWord) != 0) return run_of<kWord>(t, at, end);
  const size_t from = at + c.length;
  if ((c.bits & (cls::kNewline | cls::kSign)) == 0) {
    if (const size_t to = run_of<kWord>(t, from, end); to != from) return to;
  }
  if ((c.bits & cls::kNewline) == 0) {
    if (const size_t to = sign_end<cls::kSign, false>(t, at, end); to != at) return to;
  }
  if ((c.bits & cls::kBlank) != 0) return blank_end<true>(t, at, end);
  // A gap: up to a character that begins a match; one before a word leads it.
  size_t p = from;
  while (p < end) {
    const Classified next = classify(t + p);
    if ((next.bits & (cls::kRest | cls::kNumber)) == 0) break;
    const size_t behind = p + next.length;
    if (behind < end && (classify(t + behind).bits & kWord) != 0) break;
    p = behind;
  }
  return p;
}

/// Runs of up to three numbers, and what is between.
size_t next_deepseek_numbers(const char* t, size_t at, size_t end) noexcept {
  const size_t to = number_end<3>(t, at, end);
  if (to != at) return to;
  size_t p = at;
  while (p < end) {
    const Classified c = classify(t + p);
    if ((c.bits & cls::kNumber) != 0) break;
    p += c.length;
  }
  return p;
}

/// Runs of U+4E00-9FA5, U+3040-309F, U+30A0-30FF, and what is between.
size_t next_deepseek_cjk(const char* t, size_t at, size_t end) noexcept {
  const auto is_cjk = [](const char* p) {
    const auto lead = static_cast<unsigned char>(*p);
    if (lead < 0xE3 || lead > 0xE9) return false;
    const char32_t c = unicode::scalar_at(p).value;
    return (c >= 0x4E00 && c <= 0x9FA5) || (c >= 0x3040 && c <= 0x30FF);
  };
  const bool first = is_cjk(t + at);
  size_t p = at;
  while (p < end && is_cjk(t + p) == first)
    p += unicode::utf8_length(static_cast<unsigned char>(t[p]));
  return p;
}

struct Known {
  std::string_view pattern;
  ScanSplitter::Scan scan;
  bool covers = true;
};

const std::array<Known, 10>& known() {
  static const std::array<Known, 10> table = {{
      {kGpt2Pattern, scan<next_gpt2>},
      // cl100k, Llama 3
      {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       scan_cl100k<3, cls::kLetter, cls::kOther>},
      // Qwen 2 and 3
      {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       scan_cl100k<1, cls::kLetter, cls::kOther>},
      // Qwen 3.5
      {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       scan_cl100k < 1, cls::kLetter | cls::kMark, cls::kSign | cls::kRest > },
      // o200k, gpt-oss
      {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       scan<next_o200k<3, true, true, false>>},
      // Tekken (Mistral)
      {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       scan<next_o200k<1, false, true, false>>},
      {kKimiPattern, scan<next_o200k<3, true, false, true>>},
      // DeepSeek V3, three in sequence
      {R"(\p{N}{1,3})", scan<next_deepseek_numbers>, false},
      {"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", scan<next_deepseek_cjk>, false},
      {R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       scan<next_deepseek_words>, false},
  }};
  return table;
}

const Known* look_up(std::string_view pattern) {
  // Files spell CR and LF both as characters and as escapes.
  std::string spelled;
  for (const char c : pattern) {
    if (c == '\r') {
      spelled += "\\r";
    } else if (c == '\n') {
      spelled += "\\n";
    } else {
      spelled += c;
    }
  }
  for (const Known& entry : known()) {
    if (entry.pattern == spelled) return &entry;
  }
  return nullptr;
}

}  // namespace

ScanSplitter::Scan find_scanner(std::string_view pattern) {
  const Known* found = look_up(pattern);
  return found != nullptr ? found->scan : nullptr;
}

bool scanner_covers(std::string_view pattern) {
  const Known* found = look_up(pattern);
  return found != nullptr && found->covers;
}

std::span<const std::string_view> scanned_patterns() {
  static const std::array<std::string_view, 10> patterns = [] {
    std::array<std::string_view, 10> list;
    for (std::size_t i = 0; i < list.size(); ++i) list[i] = known()[i].pattern;
    return list;
  }();
  return patterns;
}

void scan_single_digits(std::string_view text, Range piece, RangeList& out) {
  std::uint32_t begin = piece.begin;
  for (std::uint32_t at = piece.begin; at < piece.end;) {
    const auto lead = static_cast<unsigned char>(text[at]);
    std::uint32_t length = 1;
    bool numeric = lead >= '0' && lead <= '9';
    if (lead >= 0x80) {
      const unicode::Scalar s = unicode::scalar_at(text, at);
      length = s.length;
      numeric = unicode::has(s.value, unicode::Flag::numeric);
    }
    if (numeric) {
      if (begin < at) out.push(begin, at);
      out.push(at, at + length);
      begin = at + length;
    }
    at += length;
  }
  if (begin < piece.end) out.push(begin, piece.end);
}

}  // namespace dynamo::tokenizer::detail
