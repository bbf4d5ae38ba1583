// SPDX-License-Identifier: Apache-2.0
#include "jinja/unicode.h"

#include <dynamo/base/utf8.h>

#include <algorithm>

#include <utf8proc.h>

#include "jinja/unicode_tables.h"

namespace dynamo::jinja::detail {
namespace {

using Category = utf8proc_category_t;

template <std::size_t N>
bool contains(const Span (&spans)[N], char32_t c) noexcept {
  const Span* at = std::upper_bound(std::begin(spans), std::end(spans), c,
                                    [](char32_t x, const Span& s) { return x < s.first; });
  return at != std::begin(spans) && c <= (at - 1)->last;
}

template <std::size_t N>
const Expansion* find(const Expansion (&table)[N], char32_t c) noexcept {
  const Expansion* at = std::lower_bound(std::begin(table), std::end(table), c,
                                         [](const Expansion& e, char32_t x) { return e.from < x; });
  return at != std::end(table) && at->from == c ? at : nullptr;
}

Category category(char32_t c) noexcept {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

void append_expansion(std::string& out, const Expansion& e) {
  for (const char32_t c : e.to) {
    if (c != 0) base::append_utf8(out, c);
  }
}

char32_t simple_lower(char32_t c) noexcept {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

void append_upper(std::string& out, char32_t c) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c));
  } else if (const Expansion* e = find(kUpper, c)) {
    append_expansion(out, *e);
  } else {
    base::append_utf8(out,
                      static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
  }
}

void append_title(std::string& out, char32_t c) {
  if (c < 0x80) return append_upper(out, c);
  // The iota-subscript letters expand in upper case but have a single title-case form.
  const bool single_title = (c >= 0x1F80 && c <= 0x1FAF) || c == 0x1FB3 || c == 0x1FBC ||
                            c == 0x1FC3 || c == 0x1FCC || c == 0x1FF3 || c == 0x1FFC;
  if (const Expansion* e = find(kTitle, c)) {
    append_expansion(out, *e);
  } else if (const Expansion* u = single_title ? nullptr : find(kUpper, c)) {
    append_expansion(out, *u);
  } else {
    base::append_utf8(out,
                      static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
  }
}

bool is_cased(char32_t c) noexcept {
  return is_lower(c) || is_upper(c) || is_title(c);
}

bool is_case_ignorable(char32_t c) noexcept {
  constexpr char32_t kPunctuation[] = {0x27,   0x2E,   0x3A,   0xB7,   0x387,  0x55F,
                                       0x5F4,  0x2018, 0x2019, 0x2024, 0x2027, 0xFE13,
                                       0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A};
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return std::find(std::begin(kPunctuation), std::end(kPunctuation), c) !=
             std::end(kPunctuation);
  }
}

/// Whether the sigma at [begin, end) ends a word.
bool is_final_sigma(std::string_view text, std::size_t begin, std::size_t end) noexcept {
  bool cased_before = false;
  for (std::size_t at = begin; at > 0;) {
    do {
      --at;
    } while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
    std::size_t p = at;
    const char32_t c = next_char(text, p);
    if (is_case_ignorable(c)) continue;
    cased_before = is_cased(c);
    break;
  }
  if (!cased_before) return false;
  while (end < text.size()) {
    const char32_t c = next_char(text, end);
    if (is_case_ignorable(c)) continue;
    return !is_cased(c);
  }
  return true;
}

void append_lower(std::string& out, std::string_view text, std::size_t begin, std::size_t end,
                  char32_t c) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
  } else if (c == 0x130) {
    out += "i\u0307";
  } else if (c == 0x3A3) {
    base::append_utf8(out, is_final_sigma(text, begin, end) ? 0x3C2 : 0x3C3);
  } else {
    base::append_utf8(out, simple_lower(c));
  }
}

}  // namespace

char32_t next_char(std::string_view text, std::size_t& at) noexcept {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) {
    ++at;
    return first;
  }
  const base::Utf8Char c = base::decode_utf8(text.substr(at));
  at += c.length_bytes;
  return c.scalar;
}

bool is_ascii(std::string_view text) noexcept {
  std::size_t i = 0;
  std::uint64_t all = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word = 0;
    __builtin_memcpy(&word, text.data() + i, 8);
    all |= word;
  }
  for (; i < text.size(); ++i) all |= static_cast<unsigned char>(text[i]);
  return (all & 0x8080808080808080ULL) == 0;
}

std::size_t char_count(std::string_view text) noexcept {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

std::size_t char_offset(std::string_view text, std::size_t index) noexcept {
  if (is_ascii(text)) return index;
  std::size_t at = 0;
  while (index-- > 0 && at < text.size()) at += char_length(text[at]);
  return std::min(at, text.size());
}

bool is_space(char32_t c) noexcept {
  if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_printable(char32_t c) noexcept {
  if (c < 0x7F) return c >= 0x20;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

bool is_alpha(char32_t c) noexcept {
  if (c < 0x80) return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
  const Category k = category(c);
  return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

bool is_decimal(char32_t c) noexcept {
  if (c < 0x80) return c >= '0' && c <= '9';
  return category(c) == UTF8PROC_CATEGORY_ND;
}

bool is_digit(char32_t c) noexcept {
  return is_decimal(c) || contains(kDigits, c);
}

bool is_numeric(char32_t c) noexcept {
  if (c < 0x80) return c >= '0' && c <= '9';
  const Category k = category(c);
  return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO ||
         contains(kNumericIdeographs, c);
}

bool is_alnum(char32_t c) noexcept {
  return is_alpha(c) || is_numeric(c);
}

bool is_lower(char32_t c) noexcept {
  if (c < 0x80) return c >= 'a' && c <= 'z';
  return category(c) == UTF8PROC_CATEGORY_LL || contains(kOtherLower, c);
}
bool is_upper(char32_t c) noexcept {
  if (c < 0x80) return c >= 'A' && c <= 'Z';
  return category(c) == UTF8PROC_CATEGORY_LU || contains(kOtherUpper, c);
}
bool is_title(char32_t c) noexcept {
  return category(c) == UTF8PROC_CATEGORY_LT;
}

bool is_identifier_start(char32_t c) noexcept {
  if (c < 0x80) return c == '_' || is_alpha(c);
  return is_alpha(c) || category(c) == UTF8PROC_CATEGORY_NL;
}
bool is_identifier_part(char32_t c) noexcept {
  if (c < 0x80) return c == '_' || is_alpha(c) || is_decimal(c);
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return is_identifier_start(c);
  }
}

int digit_value(char32_t c) noexcept {
  if (c < 0x80) return static_cast<int>(c) - '0';
  // Digits of a script are contiguous from its zero.
  char32_t zero = c;
  while (c - zero < 9 && is_decimal(zero - 1)) --zero;
  return static_cast<int>(c - zero);
}

std::string to_upper(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) append_upper(out, next_char(text, at));
  return out;
}

std::string to_lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_char(text, at);
    append_lower(out, text, begin, at, c);
  }
  return out;
}

std::string to_casefold(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_char(text, at);
    utf8proc_int32_t folded[8];
    int boundary = 0;
    const utf8proc_ssize_t n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), folded, 8,
                                                       UTF8PROC_CASEFOLD, &boundary);
    for (utf8proc_ssize_t i = 0; i < n; ++i) {
      base::append_utf8(out, static_cast<char32_t>(folded[i]));
    }
  }
  return out;
}

std::string swap_case(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_char(text, at);
    if (is_upper(c)) {
      append_lower(out, text, begin, at, c);
    } else if (is_lower(c)) {
      append_upper(out, c);
    } else {
      base::append_utf8(out, c);
    }
  }
  return out;
}

std::string to_title(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool after_cased = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_char(text, at);
    if (after_cased) {
      append_lower(out, text, begin, at, c);
    } else {
      append_title(out, c);
    }
    after_cased = is_cased(c);
  }
  return out;
}

std::string capitalize(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_char(text, at);
    if (begin == 0) {
      append_title(out, c);
    } else {
      append_lower(out, text, begin, at, c);
    }
  }
  return out;
}

std::string_view strip_space(std::string_view text, bool left, bool right) noexcept {
  if (left) {
    for (std::size_t at = 0; at < text.size(); at = 0) {
      if (!is_space(next_char(text, at))) break;
      text.remove_prefix(at);
    }
  }
  if (right) {
    while (!text.empty()) {
      std::size_t begin = text.size() - 1;
      while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
      std::size_t at = begin;
      if (!is_space(next_char(text, at))) break;
      text = text.substr(0, begin);
    }
  }
  return text;
}

std::string_view strip_chars(std::string_view text, std::string_view chars, bool left,
                             bool right) noexcept {
  const auto listed = [chars](std::string_view one) {
    for (std::size_t at = 0; at < chars.size();) {
      const std::size_t length = char_length(chars[at]);
      if (chars.substr(at, length) == one) return true;
      at += length;
    }
    return false;
  };
  if (left) {
    while (!text.empty()) {
      const std::size_t length = std::min(char_length(text.front()), text.size());
      if (!listed(text.substr(0, length))) break;
      text.remove_prefix(length);
    }
  }
  if (right) {
    while (!text.empty()) {
      std::size_t begin = text.size() - 1;
      while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
      if (!listed(text.substr(begin))) break;
      text = text.substr(0, begin);
    }
  }
  return text;
}

}  // namespace dynamo::jinja::detail
