// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/hash.h>
#include <dynamo/base/json.h>
#include <dynamo/base/utf8.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/json_scan.h"

namespace dynamo::base {
namespace detail {
namespace {

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

// Recursive descent over RFC 8259 as serde_json reads it: numbers that overflow binary64 are
// refused, integers outside 64 bits become doubles, "-0" is a double, lone surrogates are refused.
// The recursion is bounded by the depth limit. A failure sets `problem_` and the position, and
// every caller leaves at once.
class JsonReader {
 public:
  JsonReader(std::string_view text, const JsonParseOptions& options)
      : text_(text),
        depth_left_(options.depth_limit),
        values_left_(options.value_limit),
        unique_depth_left_(options.unique_members ? options.depth_limit : 0) {}

  Result<Json> read() {
    Json value;
    const bool good = read_value(value) && read_end();
    // The reader itself passes any bytes in strings; of two faults the first is reported.
    if (!good || has_non_ascii(seen_)) {
      const std::size_t valid = valid_utf8_prefix(text_);
      if (valid != text_.size() && (good || valid < at_)) {
        at_ = valid;
        problem_ = "invalid UTF-8";
        code_ = Errc::invalid_argument;
        return error();
      }
    }
    if (!good) return error();
    return value;
  }

 private:
  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }

  bool read_end() {
    skip_space();
    return at_end() || expected("end of text after the value");
  }

  void skip_space() {
    while (!at_end() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }

  bool broken(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  bool expected(std::string_view what) {
    return broken("expected " + std::string(what) + ", got " + found());
  }

  // What stands at the current position, for messages: always valid, printable text.
  std::string found() const {
    if (at_end()) return "end of text";
    const Utf8Char next = decode_utf8(text_.substr(at_));
    if (next.valid && next.scalar >= 0x20 && next.scalar != 0x7F)
      return "'" + std::string(text_.substr(at_, next.length_bytes)) + "'";
    const auto byte = static_cast<std::uint8_t>(text_[at_]);
    return (next.valid ? "control character 0x" : "byte 0x") + to_hex({&byte, 1});
  }

  std::unexpected<Error> error() const {
    std::size_t line = 1;
    std::size_t column = 1;
    for (const char c : text_.substr(0, at_)) {
      if (c == '\n') {
        ++line;
        column = 1;
      } else if ((static_cast<unsigned char>(c) & 0xC0u) != 0x80u) {
        ++column;
      }
    }
    return fail(
        code_, problem_ + " at line " + std::to_string(line) + " column " + std::to_string(column));
  }

  bool read_value(Json& out) {
    if (values_left_ == 0) {
      code_ = Errc::payload_too_large;
      return broken("too many values");
    }
    --values_left_;
    skip_space();
    switch (peek()) {
      case '{':
        return read_object(out);
      case '[':
        return read_array(out);
      case '"':
        return read_string(out.value_.emplace<std::string>());
      case 't':
        return read_word("true", Json(true), out);
      case 'f':
        return read_word("false", Json(false), out);
      case 'n':
        return read_word("null", Json(), out);
      default:
        if (peek() == '-' || is_digit(peek())) return read_number(out);
        return expected("a value");
    }
  }

  bool read_word(std::string_view word, Json value, Json& out) {
    for (const char c : word) {
      if (peek() != c) return expected("'" + std::string(word) + "'");
      ++at_;
    }
    out = std::move(value);
    return true;
  }

  bool enter() {
    if (depth_left_ == 0) return broken("nested too deeply");
    --depth_left_;
    ++at_;
    skip_space();
    return true;
  }

  void leave() {
    ++depth_left_;
    ++at_;
  }

  bool read_array(Json& out) {
    if (!enter()) return false;
    auto& elements = out.value_.emplace<Json::Array>();
    if (peek() != ']') {
      for (;;) {
        if (!read_value(elements.emplace_back())) return false;
        skip_space();
        if (peek() == ']') break;
        if (peek() != ',') return expected("',' or ']' in an array");
        ++at_;
      }
    }
    leave();
    return true;
  }

  bool read_object(Json& out) {
    const bool outermost = depth_left_ == unique_depth_left_;
    if (!enter()) return false;
    auto& members = out.value_.emplace<JsonObject>();
    std::string buffer;
    if (peek() != '}') {
      for (;;) {
        if (peek() != '"') return expected("a quoted object key");
        std::string_view key;
        if (!read_key(key, buffer)) return false;
        skip_space();
        if (peek() != ':') return expected("':' after an object key");
        ++at_;
        const std::size_t before = members.size();
        Json& value = members[key];
        if (outermost && members.size() == before)
          return broken("duplicate field `" + std::string(key) + "`");
        if (!read_value(value)) return false;
        skip_space();
        if (peek() == '}') break;
        if (peek() != ',') return expected("',' or '}' in an object");
        ++at_;
        skip_space();
      }
    }
    leave();
    return true;
  }

  // A key without escapes is a view of the text, any other is unescaped into the buffer.
  bool read_key(std::string_view& key, std::string& buffer) {
    const std::size_t end = find_plain_end(text_, at_ + 1, seen_);
    if (end < text_.size() && text_[end] == '"') {
      key = text_.substr(at_ + 1, end - at_ - 1);
      at_ = end + 1;
      return true;
    }
    buffer.clear();
    if (!read_string(buffer)) return false;
    key = buffer;
    return true;
  }

  bool read_string(std::string& out) {
    const std::size_t start = at_++;
    for (;;) {
      const std::size_t end = find_plain_end(text_, at_, seen_);
      out.append(text_, at_, end - at_);
      at_ = end;
      if (at_end()) {
        at_ = start;
        return broken("string is not terminated");
      }
      if (text_[at_] == '"') break;
      if (text_[at_] != '\\') return broken("unescaped " + found() + " in a string");
      if (!read_escape(out)) return false;
    }
    ++at_;
    return true;
  }

  bool read_escape(std::string& out) {
    const std::size_t start = at_++;
    switch (peek()) {
      case '"':
        out.push_back('"');
        break;
      case '\\':
        out.push_back('\\');
        break;
      case '/':
        out.push_back('/');
        break;
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'u':
        return read_unicode_escape(out, start);
      default:
        return expected("an escape (one of \"\\/bfnrtu) after '\\'");
    }
    ++at_;
    return true;
  }

  bool read_unicode_escape(std::string& out, std::size_t start) {
    char32_t unit = 0;
    if (!read_code_unit(unit)) return false;
    if (unit >= 0xDC00 && unit <= 0xDFFF) return lone_surrogate(start);
    if (unit >= 0xD800 && unit <= 0xDBFF) {
      char32_t low = 0;
      if (peek() != '\\' || at_ + 1 == text_.size() || text_[at_ + 1] != 'u')
        return lone_surrogate(start);
      ++at_;
      if (!read_code_unit(low)) return false;
      if (low < 0xDC00 || low > 0xDFFF) return lone_surrogate(start);
      unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(out, unit);
    return true;
  }

  // At 'u'; leaves the position behind the four digits.
  bool read_code_unit(char32_t& unit) {
    ++at_;
    for (int i = 0; i < 4; ++i, ++at_) {
      const int digit = hex_value(peek());
      if (digit < 0) return expected("four hex digits after '\\u'");
      unit = unit << 4 | static_cast<char32_t>(digit);
    }
    return true;
  }

  bool lone_surrogate(std::size_t start) {
    at_ = start;
    return broken("lone surrogate in a '\\u' escape");
  }

  std::size_t skip_digits() {
    const std::size_t start = at_;
    while (is_digit(peek())) ++at_;
    return at_ - start;
  }

  bool read_number(Json& out) {
    const std::size_t start = at_;
    const bool negative = peek() == '-';
    if (negative) ++at_;
    const std::size_t first = at_;
    std::uint64_t magnitude = 0;  // exact up to 19 digits
    for (; is_digit(peek()); ++at_)
      magnitude = magnitude * 10 + static_cast<unsigned>(peek() - '0');
    const std::size_t digits = at_ - first;
    if (digits == 0) return expected("a digit");
    if (digits > 1 && text_[first] == '0') {
      at_ = first;
      return broken("number with a leading zero");
    }
    bool integer = true;
    if (peek() == '.') {
      integer = false;
      ++at_;
      if (skip_digits() == 0) return expected("a digit after '.'");
    }
    if (peek() == 'e' || peek() == 'E') {
      integer = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (skip_digits() == 0) return expected("a digit in the exponent");
    }
    if (integer && digits <= 18 && !(negative && magnitude == 0)) {
      const auto value = static_cast<std::int64_t>(magnitude);
      out = Json(negative ? -value : value);
      return true;
    }
    const std::string_view number = text_.substr(start, at_ - start);
    return (integer && read_long_integer(number, out)) || read_real(number, start, out);
  }

  // An integer of many digits that fits 64 bits.
  static bool read_long_integer(std::string_view number, Json& out) {
    const char* const first = number.data();
    const char* const last = first + number.size();
    if (std::int64_t value = 0; std::from_chars(first, last, value).ec == std::errc()) {
      if (value == 0) return false;  // "-0"
      out = Json(value);
      return true;
    }
    if (std::uint64_t value = 0; std::from_chars(first, last, value).ec == std::errc()) {
      out = Json(value);
      return true;
    }
    return false;
  }

  bool read_real(std::string_view number, std::size_t start, Json& out) {
    double value = 0;
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), value);
    if (parsed.ec != std::errc() && !is_large(number)) {
      value = number.front() == '-' ? -0.0 : 0.0;  // so small that zero is nearest
    } else if (parsed.ec != std::errc() || std::isinf(value)) {
      at_ = start;
      return broken("number out of range");
    }
    out = Json(value);
    return true;
  }

  // Whether a number outside the range of binary64 is above it (and not below): the sign of the
  // decimal exponent of its first significant digit.
  static bool is_large(std::string_view number) {
    const std::size_t e = std::min(number.find_first_of("eE"), number.size());
    const std::string_view mantissa = number.substr(0, e);
    const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
    const std::size_t significant = mantissa.find_first_of("123456789");
    if (significant == std::string_view::npos) return false;
    std::int64_t exponent =
        static_cast<std::int64_t>(point) - static_cast<std::int64_t>(significant);
    if (e < number.size()) {
      std::string_view digits = number.substr(e + 1);
      const bool negative = digits.front() == '-';
      if (negative || digits.front() == '+') digits.remove_prefix(1);
      std::int64_t written = 0;
      const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), written);
      if (parsed.ec != std::errc()) written = std::numeric_limits<std::int64_t>::max() / 2;
      exponent += negative ? -std::min(written, std::numeric_limits<std::int64_t>::max() / 2)
                           : std::min(written, std::numeric_limits<std::int64_t>::max() / 2);
    }
    return exponent > 0;
  }

  std::string_view text_;
  std::size_t depth_left_;
  std::size_t values_left_;
  std::size_t unique_depth_left_;  // depth_left_ in front of an object with unique members
  std::size_t at_ = 0;
  std::uint64_t seen_ = 0;  // bits of the bytes in strings
  Errc code_ = Errc::invalid_argument;
  std::string problem_;
};

}  // namespace detail

namespace {

bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20;
}

// Copy of the text with invalid UTF-8 replaced by U+FFFD and raw control characters inside strings
// written as escapes.
std::string repair_json(std::string_view text) {
  const std::string valid = to_valid_utf8(text);
  std::string out;
  out.reserve(valid.size() + 16);
  bool in_string = false;
  bool escaped = false;
  for (const char c : valid) {
    if (in_string && is_control(c)) {
      // The string form of the character without its quotes. Behind a backslash the backslash
      // itself is doubled: what the author meant is not known, and both survive this way.
      if (escaped) out.push_back('\\');
      std::string quoted;
      append_json_string(quoted, std::string_view(&c, 1));
      out.append(quoted, 1, quoted.size() - 2);
      escaped = false;
      continue;
    }
    out.push_back(c);
    if (escaped) {
      escaped = false;
    } else if (c == '\\') {
      escaped = in_string;
    } else if (c == '"') {
      in_string = !in_string;
    }
  }
  return out;
}

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonParseOptions& options) {
  if (text.size() > options.size_limit_bytes)
    return fail(Errc::payload_too_large, "JSON text has " + std::to_string(text.size()) +
                                             " bytes, the limit is " +
                                             std::to_string(options.size_limit_bytes));
  Result<Json> strict = detail::JsonReader(text, options).read();
  if (strict || !options.lenient) return strict;
  Result<Json> repaired = detail::JsonReader(repair_json(text), options).read();
  // The first error speaks about the text that was sent.
  return repaired ? std::move(repaired) : std::move(strict);
}

}  // namespace dynamo::base
