// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/load/json_pull.h"

#include <dynamo/base/utf8.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include <fmt/core.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace dynamo::tokenizer::detail {
namespace {

/// First quote, backslash or control character at or after `p`, or `end`.
const char* find_string_break(const char* p, const char* end) noexcept {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i control = _mm_set1_epi8(0x1F);
  while (end - p >= 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i hit =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
                     _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(hit));
    if (mask != 0) return p + std::countr_zero(mask);
    p += 16;
  }
#endif
  while (p != end && *p != '"' && *p != '\\' && static_cast<unsigned char>(*p) >= 0x20) ++p;
  return p;
}

constexpr bool is_space(char c) noexcept {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

}  // namespace

void JsonPull::skip_space() noexcept {
  while (at_ != end_ && is_space(*at_)) ++at_;
}

bool JsonPull::fail_at(const char* message) noexcept {
  if (message_ == nullptr) message_ = message;
  return false;
}

bool JsonPull::expect(char c, const char* message) {
  if (!ok()) return false;
  skip_space();
  if (at_ == end_ || *at_ != c) return fail_at(message);
  ++at_;
  return true;
}

char JsonPull::peek() {
  skip_space();
  return at_ == end_ ? '\0' : *at_;
}

bool JsonPull::at_end() {
  return peek() == '\0';
}

Error JsonPull::error() const {
  const auto offset = static_cast<std::size_t>(at_ - whole_.data());
  const std::string_view before = whole_.substr(0, std::min(offset, whole_.size()));
  const auto line = 1 + std::ranges::count(before, '\n');
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 == 0
  return Error(Errc::invalid_argument,
               fmt::format("JSON line {} column {}: {}", line, offset - line_start + 1,
                           message_ == nullptr ? "unexpected value" : message_));
}

bool JsonPull::begin_object() {
  first_ = true;
  return expect('{', "expected an object");
}

bool JsonPull::next_key(std::string_view& key) {
  if (!ok()) return false;
  skip_space();
  if (at_ != end_ && *at_ == '}') {
    ++at_;
    first_ = false;
    return false;
  }
  if (!first_ && !expect(',', "expected ',' or '}'")) return false;
  first_ = false;
  if (peek() != '"') return fail_at("expected a member name");
  return read_string(key) && expect(':', "expected ':'");
}

bool JsonPull::begin_array() {
  first_ = true;
  return expect('[', "expected an array");
}

bool JsonPull::next_element() {
  if (!ok()) return false;
  skip_space();
  if (at_ != end_ && *at_ == ']') {
    ++at_;
    first_ = false;
    return false;
  }
  if (!first_ && !expect(',', "expected ',' or ']'")) return false;
  first_ = false;
  return true;
}

bool JsonPull::read_string(std::string_view& out) {
  if (!expect('"', "expected a string")) return false;
  const char* start = at_;
  at_ = find_string_break(at_, end_);
  if (at_ == end_) return fail_at("string without an end");
  if (*at_ == '"') {
    out = std::string_view(start, static_cast<std::size_t>(at_ - start));
    ++at_;
    return true;
  }
  return read_escaped(start, out);
}

bool JsonPull::read_hex4(std::uint32_t& unit) {
  if (end_ - at_ < 4) return fail_at("expected four hexadecimal digits");
  const auto [end, ec] = std::from_chars(at_, at_ + 4, unit, 16);
  if (ec != std::errc() || end != at_ + 4) return fail_at("expected four hexadecimal digits");
  at_ += 4;
  return true;
}

bool JsonPull::read_escaped(const char* start, std::string_view& out) {
  scratch_.assign(start, at_);
  for (;;) {
    if (at_ == end_) return fail_at("string without an end");
    if (*at_ == '"') break;
    if (*at_ != '\\') return fail_at("control character in a string");
    ++at_;
    if (at_ == end_) return fail_at("string without an end");
    const char c = *at_++;
    switch (c) {
      case '"':
      case '\\':
      case '/':
        scratch_ += c;
        break;
      case 'b':
        scratch_ += '\b';
        break;
      case 'f':
        scratch_ += '\f';
        break;
      case 'n':
        scratch_ += '\n';
        break;
      case 'r':
        scratch_ += '\r';
        break;
      case 't':
        scratch_ += '\t';
        break;
      case 'u': {
        std::uint32_t unit = 0;
        if (!read_hex4(unit)) return false;
        if (unit >= 0xD800 && unit < 0xDC00) {
          std::uint32_t low = 0;
          if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u')
            return fail_at("lone surrogate in a string");
          at_ += 2;
          if (!read_hex4(low)) return false;
          if (low < 0xDC00 || low > 0xDFFF) return fail_at("lone surrogate in a string");
          unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        } else if (unit >= 0xDC00 && unit <= 0xDFFF) {
          return fail_at("lone surrogate in a string");
        }
        base::append_utf8(scratch_, static_cast<char32_t>(unit));
        break;
      }
      default:
        return fail_at("unknown escape in a string");
    }
    const char* run = at_;
    at_ = find_string_break(at_, end_);
    scratch_.append(run, at_);
  }
  ++at_;
  out = scratch_;
  return true;
}

bool JsonPull::read_uint32(std::uint32_t& out) {
  if (!ok()) return false;
  skip_space();
  const auto [end, ec] = std::from_chars(at_, end_, out);
  if (ec != std::errc() || (end != end_ && (*end == '.' || *end == 'e' || *end == 'E'))) {
    return fail_at("expected an integer of 0 to 4294967295");
  }
  at_ = end;
  return true;
}

bool JsonPull::read_double(double& out) {
  if (!ok()) return false;
  skip_space();
  const auto [end, ec] = std::from_chars(at_, end_, out);
  if (ec != std::errc() || at_ == end_ || !(is_digit(*at_) || *at_ == '-'))
    return fail_at("expected a number");
  at_ = end;
  return true;
}

bool JsonPull::skip_string() {
  ++at_;
  for (;;) {
    at_ = find_string_break(at_, end_);
    if (at_ == end_) return fail_at("string without an end");
    if (*at_ == '"') break;
    if (*at_ != '\\') return fail_at("control character in a string");
    if (end_ - at_ < 2) return fail_at("string without an end");
    at_ += 2;
  }
  ++at_;
  return true;
}

bool JsonPull::skip_scalar() {
  for (const std::string_view word : {"true", "false", "null"}) {
    if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word)) {
      at_ += word.size();
      return true;
    }
  }
  const char* start = at_;
  while (at_ != end_ && (is_digit(*at_) || *at_ == '-' || *at_ == '+' || *at_ == '.' ||
                         *at_ == 'e' || *at_ == 'E')) {
    ++at_;
  }
  if (start == at_) return fail_at("expected a value");
  double number = 0;
  const auto [end, ec] = std::from_chars(start, at_, number);
  if (ec == std::errc::invalid_argument || end != at_) {
    at_ = start;
    return fail_at("expected a value");
  }
  return true;
}

bool JsonPull::skip(std::string_view& raw) {
  if (!ok()) return false;
  skip_space();
  const char* start = at_;
  char open[kDepthLimit];
  int depth = 0;
  bool after_value = false;
  bool need_key = false;
  for (;;) {
    skip_space();
    if (at_ == end_) return fail_at("the text ends inside a value");
    const char c = *at_;
    if (after_value) {
      if (depth == 0) break;
      const char close = open[depth - 1] == '{' ? '}' : ']';
      if (c == close) {
        ++at_;
        --depth;
        if (depth == 0) break;
        continue;
      }
      if (c != ',') return fail_at(close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
      ++at_;
      after_value = false;
      need_key = open[depth - 1] == '{';
      continue;
    }
    if (need_key) {
      if (c != '"') return fail_at("expected a member name");
      if (!skip_string() || !expect(':', "expected ':'")) return false;
      need_key = false;
      continue;
    }
    if (c == '{' || c == '[') {
      if (depth == kDepthLimit) return fail_at("nested too deeply");
      open[depth++] = c;
      ++at_;
      skip_space();
      if (at_ != end_ && *at_ == (c == '{' ? '}' : ']')) {
        ++at_;
        --depth;
        after_value = true;
        if (depth == 0) break;
        continue;
      }
      need_key = c == '{';
      continue;
    }
    if (c == '"' ? !skip_string() : !skip_scalar()) return false;
    after_value = true;
    if (depth == 0) break;
  }
  raw = std::string_view(start, static_cast<std::size_t>(at_ - start));
  return true;
}

}  // namespace dynamo::tokenizer::detail
