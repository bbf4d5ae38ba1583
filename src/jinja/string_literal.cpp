// SPDX-License-Identifier: Apache-2.0
#include "jinja/string_literal.h"

#include <dynamo/base/utf8.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "jinja/character_names.h"
#include "jinja/failure.h"
#include "jinja/text.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {
namespace {

bool is_hex_digit(char c) noexcept {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

class Unescaper {
 public:
  Unescaper(Arena& arena, std::uint32_t line) : arena_(arena), line_(line) {}

  std::string_view unescape(std::string_view text) {
    if (text.find('\\') == std::string_view::npos) return text;
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
      if (text[at] != '\\') {
        out.push_back(text[at++]);
        continue;
      }
      ++at;
      unescape_one(text, at, out);
    }
    return arena_.copy(out);
  }

 private:
  /// `at` is behind a backslash.
  void unescape_one(std::string_view text, std::size_t& at, std::string& out) {
    const char c = text[at++];
    switch (c) {
      case '\n':
        return;
      case '\\':
      case '\'':
      case '"':
        out.push_back(c);
        return;
      case 'a':
        out.push_back('\a');
        return;
      case 'b':
        out.push_back('\b');
        return;
      case 'f':
        out.push_back('\f');
        return;
      case 'n':
        out.push_back('\n');
        return;
      case 'r':
        out.push_back('\r');
        return;
      case 't':
        out.push_back('\t');
        return;
      case 'v':
        out.push_back('\v');
        return;
      case 'x':
        append_scalar(out, read_hex(text, at, 2));
        return;
      case 'u':
      case 'U': {
        char32_t scalar = read_hex(text, at, c == 'u' ? 4 : 8);
        if (scalar >= 0xD800 && scalar < 0xDC00 && text.substr(at).starts_with("\\u")) {
          std::size_t low_at = at + 2;
          const char32_t low = read_hex(text, low_at, 4);
          if (low >= 0xDC00 && low < 0xE000) {
            scalar = 0x10000 + ((scalar - 0xD800) << 10) + (low - 0xDC00);
            at = low_at;
          }
        }
        append_scalar(out, scalar);
        return;
      }
      case 'N':
        append_scalar(out, read_name(text, at));
        return;
      default:
        break;
    }
    if (c >= '0' && c <= '7') {
      char32_t scalar = static_cast<char32_t>(c - '0');
      for (int i = 0; i < 2 && at < text.size() && text[at] >= '0' && text[at] <= '7'; ++i) {
        scalar = scalar * 8 + static_cast<char32_t>(text[at++] - '0');
      }
      append_scalar(out, scalar);
      return;
    }
    out.push_back('\\');
    if (static_cast<unsigned char>(c) < 0x80) {
      out.push_back(c);
      return;
    }
    // Jinja2 escapes non-ASCII before it unescapes, so `\é` comes out as `\xe9`.
    std::size_t begin = at - 1;
    const char32_t scalar = next_char(text, begin);
    at = begin;
    const int digits = scalar < 0x100 ? 2 : scalar < 0x10000 ? 4 : 8;
    out.push_back(digits == 2 ? 'x' : digits == 4 ? 'u' : 'U');
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) {
      out.push_back("0123456789abcdef"[(scalar >> shift) & 15]);
    }
  }

  char32_t read_hex(std::string_view text, std::size_t& at, std::size_t digits) {
    if (at + digits > text.size() ||
        !std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at),
                     text.begin() + static_cast<std::ptrdiff_t>(at + digits), is_hex_digit)) {
      fail_syntax("truncated escape in a string", line_);
    }
    std::uint32_t value = 0;
    std::from_chars(text.data() + at, text.data() + at + digits, value, 16);
    at += digits;
    if (value > 0x10FFFF) fail_syntax("illegal Unicode character in a string", line_);
    return value;
  }

  char32_t read_name(std::string_view text, std::size_t& at) {
    const std::size_t end = text.find('}', at);
    if (at >= text.size() || text[at] != '{' || end == std::string_view::npos) {
      fail_syntax("malformed \\N character escape", line_);
    }
    const std::string_view name = text.substr(at + 1, end - at - 1);
    const char32_t scalar = find_character(name);
    if (scalar == 0) fail_syntax("unknown Unicode character name " + quote(name), line_);
    at = end + 1;
    return scalar;
  }

  static void append_scalar(std::string& out, char32_t scalar) {
    base::append_utf8(out, scalar >= 0xD800 && scalar < 0xE000 ? 0xFFFD : scalar);
  }

  Arena& arena_;
  std::uint32_t line_;
};

}  // namespace

std::string_view unescape_string(Arena& arena, std::string_view text, std::uint32_t line) {
  return Unescaper(arena, line).unescape(text);
}

}  // namespace dynamo::jinja::detail
