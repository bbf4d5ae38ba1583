// SPDX-License-Identifier: Apache-2.0
#include "parsers/call_object.h"

#include <dynamo/base/json.h>

#include <utility>

#include "parsers/grammar.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {

void CallObject::begin(const Options& options) {
  *this = CallObject();
  options_ = options;
}

std::size_t CallObject::depth() const noexcept {
  return (state_ == State::open || state_ == State::done ? 0 : 1) +
         (state_ == State::value || state_ == State::key ? scanner_.depth() : 0);
}

CallObject::Status CallObject::feed(std::string_view text, std::size_t& consumed, Emitter& out) {
  consumed = 0;
  while (consumed < text.size()) {
    if (state_ == State::key || state_ == State::value) {
      std::size_t n = 0;
      const Status status = value(text.substr(consumed), n, out);
      consumed += n;
      if (status != Status::more || state_ == State::key || state_ == State::value) return status;
      continue;
    }
    const char c = text[consumed];
    if (!is_json_space(c)) {
      const Status status = structure(c, out);
      if (status == Status::invalid) return status;
      if (state_ == State::key || (state_ == State::value && c != ':'))
        continue;  // c is its first byte
      if (status == Status::done) {
        ++consumed;
        return status;
      }
    }
    ++consumed;
  }
  return Status::more;
}

std::size_t CallObject::take_run(std::string_view text, Emitter& out) {
  if (state_ != State::value || kind_ != Value::arguments || !started_ || !out.in_call()) return 0;
  const std::size_t size = scanner_.plain_run(text);
  out.arguments(text.substr(0, size));
  return size;
}

CallObject::Status CallObject::structure(char c, Emitter& out) {
  switch (state_) {
    case State::open:
      if (c != '{') return Status::invalid;
      state_ = State::key_or_end;
      return Status::more;
    case State::key_or_end:
      if (c == '}') return object_complete(out);
      if (c != '"') return Status::invalid;
      state_ = State::key;
      scanner_.reset();
      return Status::more;
    case State::colon:
      if (c != ':') return Status::invalid;
      return begin_value() ? Status::more : Status::invalid;
    case State::comma_or_end:
      if (c == '}') return object_complete(out);
      if (c != ',') return Status::invalid;
      state_ = State::key_or_end;
      return Status::more;
    default:
      return Status::invalid;
  }
}

// Decides by the key what becomes of the value; false: this object is no call.
bool CallObject::begin_value() {
  state_ = State::value;
  scanner_.reset();
  kind_ = Value::skipped;
  if (key_ == "name") {
    broken_ = broken_ || has_name_;
    kind_ = Value::name;
    if (has_name_) kind_ = Value::dropped;
  } else if (is_argument_key()) {
    broken_ = broken_ || (has_arguments_ && arguments_key_ == key_);
    kind_ = has_arguments_ ? Value::dropped : Value::arguments;
    if (options_.strict && !has_name_) return false;
  } else if (options_.strict && !started_ && key_ != "id" && key_ != "type") {
    return false;
  }
  return true;
}

CallObject::Status CallObject::value(std::string_view text, std::size_t& consumed, Emitter& out) {
  if (state_ == State::value && !scanner_.started()) {
    while (consumed < text.size() && is_json_space(text[consumed])) ++consumed;
    if (consumed == text.size()) return Status::more;
    const char first = text[consumed];
    if (kind_ == Value::name && first != '"') {
      if (options_.strict) return Status::invalid;
      kind_ = Value::skipped;
    }
    if (options_.strict && !started_ && kind_ == Value::skipped && first != '"') {
      return Status::invalid;
    }
    if (kind_ == Value::dropped && !broken_ && is_argument_key() &&
        (key_ == options_.second_key) == options_.second_key_wins &&
        (!started_ || out.revocable())) {
      // The other spelling counts, and nothing of the first went out.
      if (started_) out.truncate_arguments(0);
      text_.clear();
      has_arguments_ = false;
      kind_ = Value::arguments;
    }
    if (kind_ == Value::arguments) {
      has_arguments_ = true;
      arguments_complete_ = false;
      arguments_key_ = key_;
      text_.clear();
      const bool wait = options_.null_is_empty && first == 'n';
      if (has_name_ && !wait) start(out);
    }
  }
  // Arguments that wait for the name stay in text_ while other members are read.
  std::string member;
  const bool keeps = state_ == State::value && kind_ == Value::arguments;
  std::string& into = keeps ? text_ : state_ == State::key ? key_ : member;
  const bool is_name = state_ == State::value && kind_ == Value::name;
  std::string& target = is_name ? name_ : into;
  std::size_t n = 0;
  if (state_ == State::key && !scanner_.started()) key_.clear();
  const JsonScanner::Status status = scanner_.feed(text.substr(consumed), n, target);
  consumed += n;
  if (keeps && started_ && out.in_call()) {
    out.arguments(text_);
    text_.clear();
  }
  if (status == JsonScanner::Status::invalid) return Status::invalid;
  if ((state_ == State::key || is_name) && target.size() > kNameBytesLimit) return Status::invalid;
  if (text_.size() > out.held_bytes_limit()) return Status::invalid;
  if (status == JsonScanner::Status::more) return Status::more;
  return value_complete(out) ? Status::more : Status::invalid;
}

bool CallObject::value_complete(Emitter& out) {
  if (state_ == State::key) {
    key_ = key_.substr(1, key_.size() - 2);
    state_ = State::colon;
    return true;
  }
  state_ = State::comma_or_end;
  if (kind_ == Value::name) {
    const auto parsed = parse_json(name_);
    const std::string* name = parsed ? parsed->if_string() : nullptr;
    if (name == nullptr || (name->empty() && options_.strict)) return false;
    name_ = *name;
    has_name_ = true;
    if (has_arguments_) start(out);
  } else if (kind_ == Value::arguments) {
    arguments_complete_ = true;
    if (has_name_ && !started_) {
      if (options_.null_is_empty && text_ == "null") text_ = "{}";
      start(out);
    }
  }
  return true;
}

void CallObject::start(Emitter& out) {
  if (started_) return;
  started_ = true;
  if (options_.null_is_empty && arguments_complete_ && text_ == "null") text_ = "{}";
  out.start_call(name_);
  out.arguments(text_);
  text_.clear();
}

CallObject::Status CallObject::object_complete(Emitter& out) {
  state_ = State::done;
  if (!started_ && has_name_ && !has_arguments_ && options_.name_only) {
    text_ = "{}";
    start(out);
  }
  if (!started_) return options_.strict ? Status::invalid : Status::done;
  if (broken_ && out.revocable()) {
    out.abandon_call();
  } else {
    out.end_call(Closure::fenced);
  }
  return Status::done;
}

void CallObject::give_up(Emitter& out) {
  if (!out.in_call()) return;
  if (arguments_complete_) {
    out.end_call(Closure::unfenced);
  } else {
    out.abandon_call();
  }
}

bool CallObject::finish(bool repair, Emitter& out) {
  if (!started_ || !out.in_call()) return false;
  if (arguments_complete_) {
    out.end_call(Closure::repaired);
    return true;
  }
  const auto closing = repair ? scanner_.closing() : std::nullopt;
  if (!closing || (state_ == State::value && kind_ != Value::arguments)) {
    out.abandon_call();
    return false;
  }
  out.arguments(*closing);
  out.end_call(Closure::repaired);
  return true;
}

}  // namespace dynamo::parsers::detail
