// SPDX-License-Identifier: Apache-2.0
#include "parsers/python_literal.h"

#include <dynamo/base/json.h>
#include <dynamo/base/utf8.h>

#include <charconv>
#include <cmath>
#include <cstdint>

#include "parsers/json_text.h"

namespace dynamo::parsers::detail {

PythonExpressionScanner::Status PythonExpressionScanner::feed(std::string_view text,
                                                              std::size_t& consumed) noexcept {
  consumed = 0;
  while (consumed < text.size()) {
    const char c = text[consumed];
    switch (mode_) {
      case Mode::code:
        if (c == '\'' || c == '"') {
          mode_ = Mode::quote;
          quote_ = c;
          quotes_ = 1;
        } else if (c == '(' || c == '[' || c == '{') {
          if (depth_ == kDepthLimit) return Status::invalid;
          stack_[depth_++] = c == '(' ? ')' : c == '[' ? ']' : '}';
        } else if (c == ')' || c == ']' || c == '}') {
          if (depth_ == 0) return Status::done;
          if (stack_[--depth_] != c) return Status::invalid;
        } else if (c == ',' && depth_ == 0) {
          return Status::done;
        }
        break;
      case Mode::quote:  // one or two quotes so far: empty string, or three, or one and text
        if (c == quote_ && ++quotes_ == 3) {
          triple_ = true;
          quotes_ = 0;
          mode_ = Mode::string;
          break;
        }
        if (c == quote_) break;
        if (quotes_ == 2) {
          mode_ = Mode::code;
        } else {
          triple_ = false;
          quotes_ = 0;
          mode_ = Mode::string;
        }
        continue;  // c is looked at again
      case Mode::string:
        if (c == '\\') {
          mode_ = Mode::escape;
          quotes_ = 0;
        } else if (c == quote_) {
          if (!triple_ || ++quotes_ == 3) mode_ = Mode::code;
        } else {
          if (c == '\n' && !triple_) return Status::invalid;
          quotes_ = 0;
        }
        break;
      case Mode::escape:
        mode_ = Mode::string;
        break;
    }
    ++consumed;
  }
  return Status::more;
}

namespace {

constexpr int kDepthLimit = 64;

class LiteralReader {
 public:
  LiteralReader(std::string_view text, bool big_as_strings, std::string& out)
      : text_(text), big_as_strings_(big_as_strings), out_(out) {}

  bool read() {
    if (!value(0)) return false;
    skip_space();
    return at_ == text_.size();
  }

 private:
  char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_space() noexcept {
    while (at_ < text_.size() && (peek() == ' ' || (peek() >= '\t' && peek() <= '\r'))) ++at_;
  }

  bool take(std::string_view word) noexcept {
    if (!text_.substr(at_).starts_with(word)) return false;
    const std::size_t end = at_ + word.size();
    if (end < text_.size() && is_word(text_[end])) return false;
    at_ = end;
    return true;
  }

  static bool is_word(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
  }

  bool word(std::string_view python, std::string_view json) {
    if (!take(python)) return false;
    out_ += json;
    return true;
  }

  bool value(int depth) {
    skip_space();
    if (depth > kDepthLimit || at_ == text_.size()) return false;
    if (word("True", "true") || word("False", "false") || word("None", "null") ||
        word("true", "true") || word("false", "false") || word("null", "null")) {
      return true;
    }
    const char c = peek();
    if (c == '[' || c == '(') return sequence(c == '[' ? ']' : ')', depth);
    if (c == '{') return dictionary(depth);
    if (c == '-' || c == '+' || c == '.' || (c >= '0' && c <= '9')) return number();
    std::string text;
    if (!strings(text)) return false;
    out_ += json_string(text);
    return true;
  }

  bool sequence(char end, int depth) {
    ++at_;
    const std::size_t opened = out_.size();
    out_ += '[';
    bool comma = false;
    int count = 0;
    while (true) {
      skip_space();
      if (peek() == end) break;
      if (count > 0) {
        if (!comma) return false;
        out_ += ',';
      }
      if (!value(depth + 1)) return false;
      ++count;
      skip_space();
      comma = peek() == ',';
      if (comma) ++at_;
    }
    ++at_;
    if (end == ')' && count == 1 && !comma) {
      out_.erase(opened, 1);  // a value in parentheses, not a tuple
    } else {
      out_ += ']';
    }
    return true;
  }

  bool dictionary(int depth) {
    ++at_;
    out_ += '{';
    bool comma = true;
    bool first = true;
    while (true) {
      skip_space();
      if (peek() == '}') break;
      if (!comma) return false;
      if (!first) out_ += ',';
      first = false;
      const std::size_t key_at = out_.size();
      if (!value(depth + 1)) return false;
      if (out_[key_at] != '"') {  // keys of other kinds are their JSON text
        const std::string key = out_.substr(key_at);
        out_.erase(key_at);
        out_ += json_string(key);
      }
      skip_space();
      if (peek() != ':') return false;
      ++at_;
      out_ += ':';
      if (!value(depth + 1)) return false;
      skip_space();
      comma = peek() == ',';
      if (comma) ++at_;
    }
    ++at_;
    out_ += '}';
    return true;
  }

  bool number() {
    const std::size_t begin = at_;
    if (peek() == '-' || peek() == '+') ++at_;
    while (at_ < text_.size() && (is_word(peek()) || peek() == '.' ||
                                  ((peek() == '-' || peek() == '+') &&
                                   (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E')))) {
      ++at_;
    }
    std::string digits;
    for (const char c : text_.substr(begin, at_ - begin)) {
      if (c != '_') digits += c;
    }
    if (is_integer_literal(digits)) {
      const std::string plain = json_integer(digits);
      std::uint64_t value = 0;
      const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
      const bool fits =
          fits_int64(plain) || (error == std::errc() && end == plain.data() + plain.size());
      out_ += fits || !big_as_strings_ ? plain : json_string(plain);
      return true;
    }
    if (is_json_number(digits)) {
      out_ += digits;
      return true;
    }
    std::string_view rest = digits;
    if (rest.starts_with('+')) rest.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc() || end != rest.data() + rest.size() || !std::isfinite(value))
      return false;
    out_ += Json(value).dump();
    return true;
  }

  // Adjacent strings are one string.
  bool strings(std::string& text) {
    bool any = false;
    while (true) {
      const std::size_t begin = at_;
      skip_space();
      bool raw = false;
      bool bytes_or_format = false;
      while (std::string_view("rRuUbBfF").contains(peek()) && peek() != '\0' && at_ - begin < 3) {
        raw = raw || peek() == 'r' || peek() == 'R';
        bytes_or_format = bytes_or_format || !std::string_view("rRuU").contains(peek());
        ++at_;
      }
      if (peek() != '\'' && peek() != '"') {
        at_ = begin;
        return any;
      }
      if (bytes_or_format || !string(raw, text)) return false;
      any = true;
    }
  }

  bool string(bool raw, std::string& text) {
    const char quote = peek();
    const std::string_view three = text_.substr(at_, 3);
    const bool triple = three.size() == 3 && three[1] == quote && three[2] == quote;
    const std::string_view end = three.substr(0, triple ? 3 : 1);
    at_ += end.size();
    while (at_ < text_.size()) {
      if (text_.substr(at_).starts_with(end)) {
        at_ += end.size();
        return true;
      }
      const char c = text_[at_++];
      if (c == '\n' && !triple) return false;
      if (c != '\\' || raw) text += c;
      if (c != '\\') continue;
      if (at_ == text_.size()) return false;
      if (raw) {
        text += text_[at_++];
      } else if (!escape(text)) {
        return false;
      }
    }
    return false;
  }

  bool hex(int digits, std::string& text) {
    std::uint32_t value = 0;
    const std::string_view part = text_.substr(at_, static_cast<std::size_t>(digits));
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value, 16);
    if (error != std::errc() || end != part.data() + digits || value > 0x10FFFF) return false;
    at_ += static_cast<std::size_t>(digits);
    std::uint32_t low = 0;
    if (digits == 4 && value >= 0xD800 && value < 0xDC00 && text_.substr(at_).starts_with("\\u")) {
      const std::string_view pair = text_.substr(at_ + 2, 4);
      const auto [low_end, low_error] =
          std::from_chars(pair.data(), pair.data() + pair.size(), low, 16);
      if (low_error == std::errc() && low_end == pair.data() + 4 && low >= 0xDC00 && low < 0xE000) {
        at_ += 6;
        value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
      }
    }
    // Lone surrogates have no UTF-8 form.
    const bool lone = value >= 0xD800 && value <= 0xDFFF;
    base::append_utf8(text, lone ? U'\uFFFD' : static_cast<char32_t>(value));
    return true;
  }

  bool escape(std::string& text) {
    const char c = text_[at_++];
    switch (c) {
      case '\n':
        return true;
      case 'n':
        text += '\n';
        return true;
      case 't':
        text += '\t';
        return true;
      case 'r':
        text += '\r';
        return true;
      case 'b':
        text += '\b';
        return true;
      case 'f':
        text += '\f';
        return true;
      case 'v':
        text += '\v';
        return true;
      case 'a':
        text += '\a';
        return true;
      case '\\':
      case '\'':
      case '"':
        text += c;
        return true;
      case 'x':
        return hex(2, text);
      case 'u':
        return hex(4, text);
      case 'U':
        return hex(8, text);
      default:
        break;
    }
    if (c < '0' || c > '7') {  // an unknown escape stays as it is
      text += '\\';
      text += c;
      return true;
    }
    std::uint32_t value = static_cast<std::uint32_t>(c - '0');
    for (int i = 0; i < 2 && peek() >= '0' && peek() <= '7'; ++i) {
      value = value * 8 + static_cast<std::uint32_t>(text_[at_++] - '0');
    }
    base::append_utf8(text, static_cast<char32_t>(value));
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool big_as_strings_;
  std::string& out_;
};

}  // namespace

bool python_literal_to_json(std::string_view text, bool big_integers_as_strings,
                            std::string& json) {
  const std::size_t size = json.size();
  if (LiteralReader(text, big_integers_as_strings, json).read()) return true;
  json.resize(size);
  return false;
}

}  // namespace dynamo::parsers::detail
