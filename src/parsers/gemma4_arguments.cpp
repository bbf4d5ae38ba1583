// SPDX-License-Identifier: Apache-2.0
#include "parsers/gemma4_arguments.h"

#include "parsers/grammar.h"
#include "parsers/json_text.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

constexpr std::string_view kQuote = "<|\"|>";

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool is_key_byte(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
         c == '-';
}

/// `-?\d+(\.\d*)?`, as JSON writes it.
bool append_number(std::string_view word, std::string& out) {
  const std::size_t point = word.find('.');
  const std::string_view whole = word.substr(0, point);
  if (!is_integer_literal(whole) || whole.starts_with('+')) return false;
  std::string number = json_integer(whole);
  if (point != std::string_view::npos) {
    const std::string_view fraction = word.substr(point + 1);
    for (const char c : fraction) {
      if (!is_digit(c)) return false;
    }
    number += '.';
    number += fraction.empty() ? std::string_view("0") : fraction;
  }
  out += number;
  return true;
}

}  // namespace

Gemma4Arguments::Gemma4Arguments() : quote_({{kQuote, 0}}) {}

void Gemma4Arguments::begin() {
  state_ = State::key_or_end;
  object_[0] = true;
  depth_ = 1;
  first_ = true;
  opened_ = false;
  word_.clear();
}

void Gemma4Arguments::finish_key(std::string& out) {
  // The outermost brace waits for the first key, so that broken arguments can still become {}.
  if (!opened_) out += '{';
  opened_ = true;
  if (!first_) out += ',';
  first_ = false;
  out += json_string(word_);
  out += ':';
  word_.clear();
}

bool Gemma4Arguments::finish_word(std::string& out) {
  struct Word {
    std::string_view text;
    std::string_view json;
  };
  constexpr std::array<Word, 5> kWords{
      {{"true", "true"}, {"false", "false"}, {"null", "null"}, {"none", "null"}, {"nil", "null"}}};
  bool known = false;
  for (const Word& word : kWords) {
    if (!equals_ignoring_case(word_, word.text)) continue;
    out += word.json;
    known = true;
    break;
  }
  if (!known && !append_number(word_, out)) return false;
  word_.clear();
  state_ = State::comma_or_end;
  return true;
}

Gemma4Arguments::Status Gemma4Arguments::open(bool object, std::string& out) {
  if (depth_ == kDepthLimit) return Status::invalid;
  object_[depth_++] = object;
  out += object ? '{' : '[';
  first_ = true;
  state_ = object ? State::key_or_end : State::value_or_end;
  return Status::more;
}

Gemma4Arguments::Status Gemma4Arguments::close(char c, std::string& out) {
  if (c != (in_object() ? '}' : ']')) return Status::invalid;
  if (--depth_ == 0) {
    out += opened_ ? "}" : "{}";
    return Status::done;
  }
  out += c;
  first_ = false;
  state_ = State::comma_or_end;
  return Status::more;
}

Gemma4Arguments::Status Gemma4Arguments::step(char c, std::string& out) {
  if (is_json_space(c)) return Status::more;
  switch (state_) {
    case State::key_or_end:
      if (c == '}') return close(c, out);
      if (!is_key_byte(c)) return Status::invalid;
      word_ = c;
      state_ = State::key;
      return Status::more;
    case State::colon:
      if (c != ':') return Status::invalid;
      finish_key(out);
      state_ = State::value;
      return Status::more;
    case State::value:
    case State::value_or_end:
      if (state_ == State::value_or_end && c == ']') return close(c, out);
      if (state_ == State::value && in_object() && (c == ',' || c == '}')) {
        out += "\"\"";  // a key with nothing behind it
        state_ = State::comma_or_end;
        return step(c, out);
      }
      if (!in_object()) {
        if (!first_) out += ',';
        first_ = false;
      }
      if (c == '{' || c == '[') return open(c == '{', out);
      if (!is_key_byte(c)) return Status::invalid;
      word_ = c;
      state_ = State::word;
      return Status::more;
    case State::comma_or_end:
      if (c != ',') return close(c, out);
      state_ = in_object() ? State::key_or_end : State::value;
      return Status::more;
    default:
      return Status::invalid;
  }
}

Gemma4Arguments::Status Gemma4Arguments::feed(std::string_view text, std::size_t& consumed,
                                              std::string& out) {
  consumed = 0;
  while (consumed < text.size()) {
    const std::string_view rest = text.substr(consumed);
    if (state_ == State::string || state_ == State::quoted_key) {
      const MarkerSet::Hit hit = quote_.scan(rest, false);
      if (state_ == State::string) {
        string_.feed(rest.substr(0, hit.position), out);
      } else {
        word_ += rest.substr(0, hit.position);
        if (word_.size() > kNameBytesLimit) return Status::invalid;
      }
      consumed += hit.position + hit.length;
      if (hit.id == MarkerSet::kNone) return Status::more;
      if (state_ == State::string) string_.finish(out);
      state_ = state_ == State::string ? State::comma_or_end : State::colon;
      continue;
    }
    if (state_ == State::key || state_ == State::word) {
      if (is_key_byte(rest[0])) {
        word_ += rest[0];
        if (word_.size() > kNameBytesLimit) return Status::invalid;
        ++consumed;
        continue;
      }
      if (state_ == State::key) {
        state_ = State::colon;
      } else if (!finish_word(out)) {
        return Status::invalid;
      }
      continue;
    }
    if (rest[0] == '<') {
      const MarkerSet::Hit hit = quote_.match(rest, false);
      if (hit.id == MarkerSet::kNone) return hit.length != 0 ? Status::more : Status::invalid;
      if (state_ == State::key_or_end) {
        state_ = State::quoted_key;
        word_.clear();
      } else if (state_ == State::value || state_ == State::value_or_end) {
        if (!in_object()) {
          if (!first_) out += ',';
          first_ = false;
        }
        state_ = State::string;
        string_.begin({.trim = false});
      } else {
        return Status::invalid;
      }
      consumed += hit.length;
      continue;
    }
    const Status status = step(rest[0], out);
    if (status == Status::invalid) return status;
    ++consumed;
    if (status == Status::done) return status;
  }
  return Status::more;
}

}  // namespace dynamo::parsers::detail
