// SPDX-License-Identifier: Apache-2.0
#include "jinja/lexer.h"

#include <dynamo/base/utf8.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "jinja/bigint.h"
#include "jinja/failure.h"
#include "jinja/string_literal.h"
#include "jinja/text.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {
namespace {

struct Operator {
  std::string_view text;
  TokenKind kind;
};
constexpr Operator kOperators[] = {{"//", TokenKind::floor_divide},
                                   {"**", TokenKind::power},
                                   {"==", TokenKind::eq},
                                   {"!=", TokenKind::ne},
                                   {">=", TokenKind::ge},
                                   {"<=", TokenKind::le},
                                   {"+", TokenKind::add},
                                   {"-", TokenKind::subtract},
                                   {"/", TokenKind::divide},
                                   {"*", TokenKind::multiply},
                                   {"%", TokenKind::modulo},
                                   {"~", TokenKind::tilde},
                                   {"[", TokenKind::left_bracket},
                                   {"]", TokenKind::right_bracket},
                                   {"(", TokenKind::left_paren},
                                   {")", TokenKind::right_paren},
                                   {"{", TokenKind::left_brace},
                                   {"}", TokenKind::right_brace},
                                   {">", TokenKind::gt},
                                   {"<", TokenKind::lt},
                                   {"=", TokenKind::assign},
                                   {".", TokenKind::dot},
                                   {":", TokenKind::colon},
                                   {"|", TokenKind::pipe},
                                   {",", TokenKind::comma},
                                   {";", TokenKind::semicolon}};

bool is_ascii_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_hex_digit(char c) noexcept {
  return is_ascii_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

class Lexer {
 public:
  Lexer(Arena& arena, std::string_view source) : arena_(arena), source_(source) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) lex_root();
    tokens_.push_back(token(TokenKind::eof, at_, at_));
    return std::move(tokens_);
  }

 private:
  Token token(TokenKind kind, std::size_t begin, std::size_t end) const {
    return {kind, line_, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end),
            {},   {}};
  }

  bool looking_at(std::string_view text, std::size_t at) const noexcept {
    return source_.substr(at).starts_with(text);
  }

  void skip_space(std::size_t& at) const noexcept {
    while (at < source_.size()) {
      std::size_t after = at;
      if (!is_space(next_char(source_, after))) break;
      at = after;
    }
  }

  /// Moves to `to`, counting lines.
  void advance(std::size_t to) noexcept {
    line_ += static_cast<std::uint32_t>(
        std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                   source_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    at_line_start_ = to > at_ && source_[to - 1] == '\n';
    at_ = to;
  }

  /// Data before a tag, with the tag's whitespace control applied to its end.
  void emit_data(std::size_t end, char sign, bool may_lstrip) {
    std::string_view text = source_.substr(at_, end - at_);
    if (sign == '-') {
      text = strip_space(text, false, true);
    } else if (sign != '+' && may_lstrip) {
      const std::size_t newline = text.rfind('\n');
      const std::size_t from = newline == std::string_view::npos ? 0 : newline + 1;
      if ((from > 0 || at_line_start_) && from < text.size() &&
          strip_space(text.substr(from)).empty()) {
        text = text.substr(0, from);
      }
    }
    if (!text.empty()) {
      Token t = token(TokenKind::data, at_, end);
      t.text = text;
      tokens_.push_back(t);
    }
    advance(end);
  }

  /// End of `{% raw %}` / `{% endraw %}` tags: after the name, or nullopt when this is not one.
  std::optional<std::size_t> match_raw_tag(std::size_t begin, std::string_view name) const {
    std::size_t at = begin + 2;
    if (at < source_.size() && (source_[at] == '-' || source_[at] == '+')) ++at;
    skip_space(at);
    if (!looking_at(name, at)) return std::nullopt;
    at += name.size();
    skip_space(at);
    return at;
  }

  void lex_root() {
    std::size_t tag = at_;
    for (;; ++tag) {
      tag = source_.find('{', tag);
      if (tag == std::string_view::npos || tag + 1 >= source_.size()) {
        Token t = token(TokenKind::data, at_, source_.size());
        t.text = source_.substr(at_);
        tokens_.push_back(t);
        advance(source_.size());
        return;
      }
      const char c = source_[tag + 1];
      if (c == '%' || c == '{' || c == '#') break;
    }
    const char kind = source_[tag + 1];
    const char sign =
        tag + 2 < source_.size() && (source_[tag + 2] == '-' || source_[tag + 2] == '+')
            ? source_[tag + 2]
            : '\0';
    if (kind == '%') {
      if (const auto after = match_raw_tag(tag, "raw")) {
        std::size_t end = *after;
        if (looking_at("-%}", end)) {
          end += 3;
          skip_space(end);
          return lex_raw(tag, sign, end);
        }
        if (looking_at("%}", end)) return lex_raw(tag, sign, end + 2);
      }
    }
    emit_data(tag, sign, kind != '{');
    const std::size_t inside = tag + (sign != '\0' ? 3 : 2);
    if (kind == '#') {
      at_line_start_ = false;
      return lex_comment(inside);
    }
    tokens_.push_back(
        token(kind == '%' ? TokenKind::block_begin : TokenKind::variable_begin, tag, inside));
    advance(inside);
    lex_code(kind == '%');
  }

  /// Where the end of a comment or raw tag leads: behind `+%}`, `-%}\s*` or `%}\n?`.
  std::optional<std::size_t> match_end(std::size_t at, std::string_view close) const {
    if (at < source_.size() && source_[at] == '+' && looking_at(close, at + 1)) return at + 3;
    if (at < source_.size() && source_[at] == '-' && looking_at(close, at + 1)) {
      std::size_t end = at + 3;
      skip_space(end);
      return end;
    }
    if (!looking_at(close, at)) return std::nullopt;
    const std::size_t end = at + 2;
    return end < source_.size() && source_[end] == '\n' ? end + 1 : end;
  }

  void lex_comment(std::size_t inside) {
    for (std::size_t at = inside; at < source_.size(); ++at) {
      if (const auto end = match_end(at, "#}")) return advance(*end);
    }
    if (inside < source_.size()) fail_syntax("Missing end of comment tag", line_);
    advance(source_.size());
  }

  void lex_raw(std::size_t tag, char sign, std::size_t inside) {
    emit_data(tag, sign, true);
    advance(inside);
    for (std::size_t at = inside; (at = source_.find("{%", at)) != std::string_view::npos; ++at) {
      const auto after = match_raw_tag(at, "endraw");
      if (!after) continue;
      const auto end = match_end(*after, "%}");
      if (!end) continue;
      const char end_sign =
          source_[at + 2] == '-' || source_[at + 2] == '+' ? source_[at + 2] : '\0';
      emit_data(at, end_sign, true);
      return advance(*end);
    }
    if (inside < source_.size()) fail_syntax("Missing end of raw directive", line_);
  }

  /// The inside of a tag, up to and with its end.
  void lex_code(bool block) {
    std::string open;  // closing brackets that are due
    while (at_ < source_.size()) {
      if (open.empty()) {
        if (block) {
          if (const auto end = match_end(at_, "%}")) {
            tokens_.push_back(token(TokenKind::block_end, at_, *end));
            return advance(*end);
          }
        } else if (looking_at("-}}", at_) || looking_at("}}", at_)) {
          std::size_t end = at_ + (source_[at_] == '-' ? 3 : 2);
          if (source_[at_] == '-') skip_space(end);
          tokens_.push_back(token(TokenKind::variable_end, at_, end));
          return advance(end);
        }
      }
      std::size_t after = at_;
      const char32_t c = next_char(source_, after);
      if (is_space(c)) {
        skip_space(after);
        advance(after);
        continue;
      }
      if (c < 0x80 && is_ascii_digit(static_cast<char>(c)) && lex_number()) continue;
      if ((c == '\'' || c == '"') && lex_string()) continue;
      if (c == '_' || is_alnum(c) || is_identifier_part(c)) {
        lex_name();
      } else {
        lex_operator(open);
      }
    }
  }

  void lex_name() {
    std::size_t end = at_;
    bool first = true;
    bool valid = true;
    while (end < source_.size()) {
      std::size_t after = end;
      const char32_t c = next_char(source_, after);
      if (c != '_' && !is_alnum(c) && !is_identifier_part(c)) break;
      valid = valid && (first ? is_identifier_start(c) : is_identifier_part(c));
      first = false;
      end = after;
    }
    if (!valid) fail_syntax("Invalid character in identifier", line_);
    Token t = token(TokenKind::name, at_, end);
    t.text = source_.substr(at_, end - at_);
    tokens_.push_back(t);
    advance(end);
  }

  /// Digits with single underscores between them; `from` when there is none.
  std::size_t digits_end(std::size_t from) const noexcept {
    std::size_t at = from;
    while (at < source_.size() && (is_ascii_digit(source_[at]) ||
                                   (source_[at] == '_' && at > from && source_[at - 1] != '_' &&
                                    at + 1 < source_.size() && is_ascii_digit(source_[at + 1])))) {
      ++at;
    }
    return at;
  }

  bool lex_number() {
    if (at_ == 0 || source_[at_ - 1] != '.') {
      std::size_t end = digits_end(at_);
      const std::size_t whole = end;
      if (end < source_.size() && source_[end] == '.' && digits_end(end + 1) > end + 1) {
        end = digits_end(end + 1);
      }
      if (end < source_.size() && (source_[end] | 0x20) == 'e') {
        std::size_t exponent = end + 1;
        if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) {
          ++exponent;
        }
        if (digits_end(exponent) > exponent) end = digits_end(exponent);
      }
      if (end > whole) {
        std::string text(source_.substr(at_, end - at_));
        std::erase(text, '_');
        double value = 0;
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
        if (parsed.ec == std::errc::result_out_of_range) value = std::strtod(text.c_str(), nullptr);
        push_number(end, make_real(value));
        return true;
      }
    }
    const char second =
        at_ + 1 < source_.size() ? static_cast<char>(source_[at_ + 1] | 0x20) : '\0';
    if (source_[at_] == '0' && (second == 'b' || second == 'o' || second == 'x')) {
      const unsigned base = second == 'b' ? 2 : second == 'o' ? 8 : 16;
      const auto fits = [base](char c) {
        return base == 16 ? is_hex_digit(c) : c >= '0' && c < static_cast<char>('0' + base);
      };
      std::size_t end = at_ + 2;
      std::string digits;
      while (end < source_.size()) {
        const std::size_t digit = source_[end] == '_' ? end + 1 : end;
        if (digit >= source_.size() || !fits(source_[digit])) break;
        digits.push_back(source_[digit]);
        end = digit + 1;
      }
      if (!digits.empty()) {
        push_number(end, int_from_digits(arena_, digits, base, false));
        return true;
      }
    }
    // A leading zero stands alone (or with other zeros).
    const bool zero = source_[at_] == '0';
    std::size_t end = at_ + 1;
    std::string digits(1, source_[at_]);
    while (end < source_.size()) {
      const std::size_t digit = source_[end] == '_' ? end + 1 : end;
      if (digit >= source_.size() || !is_ascii_digit(source_[digit])) break;
      if (zero && source_[digit] != '0') break;
      digits.push_back(source_[digit]);
      end = digit + 1;
    }
    push_number(end, int_from_digits(arena_, digits, 10, false));
    return true;
  }

  void push_number(std::size_t end, Value value) {
    Token t = token(TokenKind::number, at_, end);
    t.number = value;
    tokens_.push_back(t);
    advance(end);
  }

  bool lex_string() {
    const char mark = source_[at_];
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != mark) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) return false;
    Token t = token(TokenKind::string, at_, end + 1);
    t.text = unescape_string(arena_, source_.substr(at_ + 1, end - at_ - 1), line_);
    tokens_.push_back(t);
    advance(end + 1);
    return true;
  }

  void lex_operator(std::string& open) {
    for (const Operator& op : kOperators) {
      if (!looking_at(op.text, at_)) continue;
      switch (op.kind) {
        case TokenKind::left_brace:
          open.push_back('}');
          break;
        case TokenKind::left_paren:
          open.push_back(')');
          break;
        case TokenKind::left_bracket:
          open.push_back(']');
          break;
        case TokenKind::right_brace:
        case TokenKind::right_paren:
        case TokenKind::right_bracket:
          if (open.empty()) fail_syntax("unexpected '" + std::string(op.text) + "'", line_);
          if (open.back() != op.text.front()) {
            fail_syntax("unexpected '" + std::string(op.text) + "', expected '" +
                            std::string(1, open.back()) + "'",
                        line_);
          }
          open.pop_back();
          break;
        default:
          break;
      }
      tokens_.push_back(token(op.kind, at_, at_ + op.text.size()));
      advance(at_ + op.text.size());
      return;
    }
    std::size_t after = at_;
    next_char(source_, after);
    fail_syntax(
        "unexpected char " + quote(source_.substr(at_, after - at_)) + " at " + std::to_string(at_),
        line_);
  }

  Arena& arena_;
  std::string_view source_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  bool at_line_start_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::string_view describe(TokenKind kind) noexcept {
  switch (kind) {
    case TokenKind::data:
      return "template data / text";
    case TokenKind::variable_begin:
      return "begin of print statement";
    case TokenKind::variable_end:
      return "end of print statement";
    case TokenKind::block_begin:
      return "begin of statement block";
    case TokenKind::block_end:
      return "end of statement block";
    case TokenKind::name:
      return "name";
    case TokenKind::string:
      return "string";
    case TokenKind::number:
      return "number";
    case TokenKind::eof:
      return "end of template";
    default:
      for (const Operator& op : kOperators) {
        if (op.kind == kind) return op.text;
      }
      return "token";
  }
}

std::string describe(const Token& token) {
  return quote(token.kind == TokenKind::name ? token.text : describe(token.kind));
}

std::string_view normalize_source(Arena& arena, std::string_view source) {
  if (source.find('\r') != std::string_view::npos) {
    std::string text;
    text.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {
      if (source[i] != '\r') {
        text.push_back(source[i]);
        continue;
      }
      text.push_back('\n');
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
    source = arena.copy(text);
  }
  if (source.ends_with('\n')) source.remove_suffix(1);
  return source;
}

std::vector<Token> tokenize(Arena& arena, std::string_view source) {
  return Lexer(arena, source).run();
}

}  // namespace dynamo::jinja::detail
