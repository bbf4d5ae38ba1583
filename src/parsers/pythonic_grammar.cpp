// SPDX-License-Identifier: Apache-2.0
// pythonic.
#include "parsers/pythonic_grammar.h"

#include <algorithm>
#include <string>
#include <utility>

#include "parsers/argument_writer.h"
#include "parsers/json_text.h"
#include "parsers/python_literal.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

constexpr int kList = 0;
constexpr int kStart = 1;
constexpr int kEnd = 2;

bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_identifier_byte(char c) noexcept {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

bool is_space(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/// A list is told from prose by its shape alone, so it is held until it is complete. With the
/// tools of the request at hand, a call of one of them is believed at its first argument.
class PythonicGrammar final : public Grammar {
 public:
  explicit PythonicGrammar(const GrammarContext& context) : context_(context) {}

  std::vector<Marker> text_markers() const override {
    return {{"[", kList}, {"<|python_start|>", kStart}, {"<|python_end|>", kEnd}};
  }

  Entry enter(int id, const Place&, Emitter&) override {
    if (id != kList) return Entry::deleted;
    held_bytes_ = 0;
    calls_.clear();
    committed_ = false;
    state_ = State::call_start;
    name_.clear();
    return Entry::taken;
  }

  Step consume(std::string_view input, bool, Emitter& out) override {
    std::size_t at = 0;
    while (at < input.size()) {
      std::size_t consumed = 0;
      const bool good = advance(input.substr(at), consumed, out);
      at += consumed;
      if (!committed_) held_bytes_ += consumed;
      if (!good) return committed_ ? give_up(at, out) : Step{at, Grammar::State::rejected};
      if (state_ == State::done) {
        deliver(out);
        return {at, Grammar::State::left};
      }
      if (held_bytes_ > context_.held_bytes_limit) return {at, Grammar::State::rejected};
    }
    return {at, Grammar::State::inside};
  }

  bool finish(OutputEnd, Emitter& out) override {
    if (!committed_) return true;
    if (out.in_call()) out.abandon_call();
    return false;
  }

  bool may_reject() const override { return !committed_; }

 private:
  enum class State : std::uint8_t {
    call_start,  // the first letter of a name must follow
    name,
    argument,  // a keyword or the closing parenthesis
    keyword,
    equals,
    value,
    value_end,  // `,` or `)`
    call_end,   // `,` or `]`
    next_call,  // behind a `,`: white space, then a name
    done,
  };
  struct Call {
    std::string name;
    std::string arguments;
  };

  // Consumes at least one byte, or changes state; false: no list of calls.
  bool advance(std::string_view input, std::size_t& consumed, Emitter& out) {
    const char c = input[0];
    if (state_ == State::value) return take_value(input, consumed, out);
    consumed = 1;
    switch (state_) {
      case State::next_call:
        if (is_space(c)) return true;
        if (c == ']') {
          state_ = State::done;
          return true;
        }
        [[fallthrough]];
      case State::call_start:
        if (!is_letter(c)) return false;
        name_ = c;
        state_ = State::name;
        return true;
      case State::name:
        if (is_identifier_byte(c)) {
          name_ += c;
          return name_.size() <= kNameBytesLimit;
        }
        if (c != '(') return false;
        begin_call();
        state_ = State::argument;
        return true;
      case State::argument:
        if (is_space(c)) return true;
        if (c == ')') return end_call(out);
        if (!is_letter(c) && c != '_') return false;
        keyword_ = c;
        state_ = State::keyword;
        return true;
      case State::keyword:
        if (is_identifier_byte(c)) {
          keyword_ += c;
          return keyword_.size() <= kNameBytesLimit;
        }
        state_ = State::equals;
        if (is_space(c)) return true;
        [[fallthrough]];
      case State::equals:
        if (is_space(c)) return true;
        if (c != '=') return false;
        commit(out);
        value_.clear();
        expression_.reset();
        state_ = State::value;
        return true;
      case State::value_end:
        if (c == ',') {
          state_ = State::argument;
          return true;
        }
        return c == ')' && end_call(out);
      case State::call_end:
        if (is_space(c)) return true;
        state_ = c == ',' ? State::next_call : State::done;
        return c == ',' || c == ']';
      case State::value:
      case State::done:
        break;
    }
    return false;
  }

  bool take_value(std::string_view input, std::size_t& consumed, Emitter& out) {
    // What follows is text, so a character may not be cut.
    const bool inside_character = (static_cast<unsigned char>(input[0]) & 0xC0U) == 0x80;
    if (value_.size() > context_.held_bytes_limit && !inside_character) return false;
    const auto status = expression_.feed(input, consumed);
    value_ += input.substr(0, consumed);
    if (status == PythonExpressionScanner::Status::more) return true;
    if (status == PythonExpressionScanner::Status::invalid) return false;
    const std::string_view text = trim(value_);
    // `=` where the value should be: a comparison, no keyword.
    if (text.empty() || text[0] == '=') return false;
    std::string json;
    // A value that is no literal is left out, as in the reference.
    if (python_literal_to_json(text, true, json)) add_argument(json, out);
    state_ = State::value_end;
    return true;
  }

  bool known_tool() const {
    return std::ranges::any_of(context_.tools,
                               [&](const auto& tool) { return tool.name == name_; });
  }

  void begin_call() {
    calls_.push_back({name_, {}});
    started_ = false;
    writer_.begin();
  }

  void commit(Emitter& out) {
    if (!committed_ && (!context_.incremental || !known_tool())) return;
    if (!committed_) {
      // Calls before this one had no arguments, or names of no tool.
      for (std::size_t i = 0; i + 1 < calls_.size(); ++i) emit(calls_[i], out);
      committed_ = true;
      held_bytes_ = 0;
    }
    if (!started_) out.start_call(name_);
    started_ = true;
  }

  void add_argument(const std::string& json, Emitter& out) {
    if (committed_) {
      writer_.member(keyword_, json, out);
      return;
    }
    std::string& arguments = calls_.back().arguments;
    arguments += arguments.empty() ? "{" : ",";
    arguments += json_string(keyword_) + ":" + json;
  }

  bool end_call(Emitter& out) {
    state_ = State::call_end;
    if (!committed_) {
      calls_.back().arguments += calls_.back().arguments.empty() ? "{}" : "}";
      return true;
    }
    if (!started_) out.start_call(name_);
    writer_.end(out);
    out.end_call(Closure::fenced);
    return true;
  }

  static void emit(const Call& call, Emitter& out) {
    out.start_call(call.name);
    out.arguments(call.arguments);
    out.end_call(Closure::fenced);
  }

  void deliver(Emitter& out) {
    if (!committed_) {
      out.mark(Trace::Kind::block_open);
      for (const Call& call : calls_) emit(call, out);
    }
    out.mark(Trace::Kind::block_close);
    calls_.clear();
  }

  static Step give_up(std::size_t consumed, Emitter& out) {
    if (out.in_call()) out.abandon_call();
    return {consumed, Grammar::State::left};
  }

  GrammarContext context_;
  State state_ = State::call_start;
  bool committed_ = false;  // events went out; there is no way back
  bool started_ = false;
  std::size_t held_bytes_ = 0;  // until the calls are believed
  std::string name_;
  std::string keyword_;
  std::string value_;
  std::vector<Call> calls_;
  PythonExpressionScanner expression_;
  ArgumentWriter writer_;
};

}  // namespace

std::unique_ptr<Grammar> make_pythonic_grammar(const GrammarContext& context) {
  return std::make_unique<PythonicGrammar>(context);
}

}  // namespace dynamo::parsers::detail
