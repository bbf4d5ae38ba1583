// SPDX-License-Identifier: Apache-2.0
#include "parsers/json_scanner.h"

#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool is_hex_digit(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20;
}

}  // namespace

void JsonScanner::reset() noexcept {
  *this = JsonScanner(options_);
}

bool JsonScanner::in_object() const noexcept {
  const std::size_t at = depth_ - 1;
  return (objects_[at / 64] >> (at % 64) & 1U) != 0;
}

bool JsonScanner::push(bool object) noexcept {
  if (depth_ == kDepthLimit) return false;
  const std::uint64_t bit = std::uint64_t{1} << (depth_ % 64);
  objects_[depth_ / 64] = object ? objects_[depth_ / 64] | bit : objects_[depth_ / 64] & ~bit;
  ++depth_;
  return true;
}

bool JsonScanner::in_number() const noexcept {
  return state_ >= State::minus && state_ <= State::exponent_digits;
}

bool JsonScanner::number_may_end() const noexcept {
  return state_ == State::zero || state_ == State::integer || state_ == State::fraction ||
         state_ == State::exponent_digits;
}

void JsonScanner::value_ended() noexcept {
  state_ = depth_ == 0 ? State::done : State::comma_or_end;
}

JsonScanner::Status JsonScanner::begin_value(char c, std::string& out) {
  switch (c) {
    case '{':
    case '[':
      if (!push(c == '{')) return Status::invalid;
      state_ = c == '{' ? State::key_or_end : State::value_or_end;
      break;
    case '"':
      state_ = State::string;
      string_is_key_ = false;
      break;
    case '-':
      state_ = State::minus;
      break;
    case '0':
      state_ = State::zero;
      break;
    case 't':
    case 'f':
    case 'n':
      literal_ = c == 't' ? "true" : c == 'f' ? "false" : "null";
      literal_at_ = 1;
      state_ = State::literal;
      break;
    default:
      if (!is_digit(c)) return Status::invalid;
      state_ = State::integer;
  }
  out += c;
  return Status::more;
}

JsonScanner::Status JsonScanner::end_container(char c, std::string& out) {
  if (depth_ == 0 || c != (in_object() ? '}' : ']')) return Status::invalid;
  --depth_;
  out += c;
  value_ended();
  return Status::more;
}

JsonScanner::Status JsonScanner::number(char c, std::string& out) {
  const bool digit = is_digit(c);
  State next = State::done;
  switch (state_) {
    case State::minus:
      if (digit) next = c == '0' ? State::zero : State::integer;
      break;
    case State::zero:
      if (c == '.') next = State::point;
      if (c == 'e' || c == 'E') next = State::exponent;
      break;
    case State::integer:
      if (digit) next = State::integer;
      if (c == '.') next = State::point;
      if (c == 'e' || c == 'E') next = State::exponent;
      break;
    case State::point:
    case State::fraction:
      if (digit) next = State::fraction;
      if (state_ == State::fraction && (c == 'e' || c == 'E')) next = State::exponent;
      break;
    case State::exponent:
      if (c == '+' || c == '-') next = State::exponent_sign;
      if (digit) next = State::exponent_digits;
      break;
    case State::exponent_sign:
    case State::exponent_digits:
      if (digit) next = State::exponent_digits;
      break;
    default:
      break;
  }
  if (next != State::done) {
    state_ = next;
    out += c;
    return Status::more;
  }
  if (!number_may_end()) return Status::invalid;
  value_ended();
  return state_ == State::done ? Status::done : step(c, out);
}

void JsonScanner::control(char c, std::string& out) {
  if (options_.controls == Controls::join_lines && (c == '\n' || c == '\r')) {
    if (c == '\n') out += ' ';
    skip_blanks_ = true;
    return;
  }
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '\b':
      out += "\\b";
      break;
    case '\t':
      out += "\\t";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\f':
      out += "\\f";
      break;
    case '\r':
      out += "\\r";
      break;
    default:
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
  }
}

JsonScanner::Status JsonScanner::step(char c, std::string& out) {
  switch (state_) {
    case State::string:
      if (c == '"') {
        out += c;
        if (string_is_key_) {
          state_ = State::colon;
        } else {
          value_ended();
        }
        return Status::more;
      }
      if (c == '\\') state_ = State::escape;
      if (is_control(c)) {
        control(c, out);
      } else {
        out += c;
      }
      return Status::more;
    case State::escape:
      if (c == 'u') {
        state_ = State::unicode;
        unicode_digits_ = 0;
      } else if (std::string_view("\"\\/bfnrt").contains(c)) {
        state_ = State::string;
      } else {
        return Status::invalid;
      }
      out += c;
      return Status::more;
    case State::unicode:
      if (!is_hex_digit(c)) return Status::invalid;
      out += c;
      if (++unicode_digits_ == 4) state_ = State::string;
      return Status::more;
    case State::literal:
      if (c != literal_[literal_at_]) return Status::invalid;
      out += c;
      if (++literal_at_ == literal_.size()) value_ended();
      return Status::more;
    default:
      break;
  }
  if (in_number()) return number(c, out);
  if (is_json_space(c)) {
    if (!options_.compact && started()) out += c;
    return Status::more;
  }
  switch (state_) {
    case State::value:
      return begin_value(c, out);
    case State::value_or_end:
      return c == ']' ? end_container(c, out) : begin_value(c, out);
    case State::key_or_end:
      if (c == '}') return end_container(c, out);
      [[fallthrough]];
    case State::key:
      if (c != '"') return Status::invalid;
      state_ = State::string;
      string_is_key_ = true;
      break;
    case State::colon:
      if (c != ':') return Status::invalid;
      state_ = State::value;
      break;
    case State::comma_or_end:
      if (c != ',') return end_container(c, out);
      state_ = in_object() ? State::key : State::value;
      break;
    default:
      return Status::invalid;
  }
  out += c;
  return Status::more;
}

std::size_t JsonScanner::plain_run(std::string_view text) const noexcept {
  if (state_ != State::string || skip_blanks_) return 0;
  std::size_t size = 0;
  while (size < text.size() && text[size] != '"' && text[size] != '\\' && !is_control(text[size])) {
    ++size;
  }
  return size;
}

JsonScanner::Status JsonScanner::feed(std::string_view text, std::size_t& consumed,
                                      std::string& out) {
  consumed = 0;
  while (state_ != State::done) {
    if (consumed == text.size()) return Status::more;
    if (state_ == State::string) {
      if (skip_blanks_) {
        while (consumed < text.size() && (text[consumed] == ' ' || text[consumed] == '\t')) {
          ++consumed;
        }
        if (consumed == text.size()) return Status::more;
        if (text[consumed] != '\n' && text[consumed] != '\r') skip_blanks_ = false;
      }
      const std::size_t plain = plain_run(text.substr(consumed));
      out.append(text, consumed, plain);
      consumed += plain;
      if (consumed == text.size()) return Status::more;
    }
    const Status status = step(text[consumed], out);
    if (status != Status::more) return status;
    ++consumed;
  }
  return Status::done;
}

bool JsonScanner::complete_at_end() const noexcept {
  return state_ == State::done || (depth_ == 0 && number_may_end());
}

std::optional<std::string> JsonScanner::closing() const {
  std::string tail;
  switch (state_) {
    case State::string:
    case State::escape:
      if (string_is_key_) return std::nullopt;
      tail = state_ == State::escape ? "\\\"" : "\"";
      break;
    case State::key_or_end:
    case State::value_or_end:
    case State::comma_or_end:
    case State::done:
      break;
    default:
      if (!number_may_end()) return std::nullopt;
  }
  for (std::size_t at = depth_; at-- > 0;) {
    tail += (objects_[at / 64] >> (at % 64) & 1U) != 0 ? '}' : ']';
  }
  return tail;
}

bool is_json(std::string_view text, std::string* compacted) {
  JsonScanner scanner({.compact = true});
  std::string unused;
  std::size_t consumed = 0;
  const auto status = scanner.feed(text, consumed, compacted != nullptr ? *compacted : unused);
  if (status == JsonScanner::Status::invalid || !scanner.complete_at_end()) return false;
  for (; consumed < text.size(); ++consumed) {
    if (!is_json_space(text[consumed])) return false;
  }
  return true;
}

}  // namespace dynamo::parsers::detail
