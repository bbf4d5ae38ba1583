// SPDX-License-Identifier: Apache-2.0
// glm47.
#include "parsers/glm_grammar.h"

#include <dynamo/base/utf8.h>

#include <algorithm>
#include <string>
#include <utility>

#include "parsers/argument_writer.h"
#include "parsers/schema.h"
#include "parsers/string_value.h"
#include "parsers/value_typing.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

constexpr int kOpen = 0;
constexpr int kClose = 1;
constexpr int kKeyOpen = 2;
constexpr int kKeyClose = 3;
constexpr int kValueOpen = 4;
constexpr int kValueClose = 5;
constexpr int kBareCall = 6;

class GlmGrammar final : public Grammar {
 public:
  explicit GlmGrammar(const GrammarContext& context)
      : context_(context),
        name_set_({{"<arg_key>", kKeyOpen}, {"</tool_call>", kClose}, {"<tool_call>", kOpen}}),
        pair_set_({{"<arg_key>", kKeyOpen},
                   {"<arg_value>", kValueOpen},
                   {"</tool_call>", kClose},
                   {"<tool_call>", kOpen}}),
        key_set_({{"</arg_key>", kKeyClose}, {"</tool_call>", kClose}}),
        value_set_({{"</arg_value>", kValueClose}}) {
    for (const ToolDefinition& tool : context.tools) bare_.push_back(tool.name + "<arg_key>");
  }

  std::vector<Marker> text_markers() const override {
    std::vector<Marker> markers{{"<tool_call>", kOpen},      {"</tool_call>", kClose},
                                {"<arg_key>", kKeyOpen},     {"</arg_key>", kKeyClose},
                                {"<arg_value>", kValueOpen}, {"</arg_value>", kValueClose}};
    // A call that lost its opener: only a tool's name tells it from prose.
    for (const std::string& call : bare_) markers.push_back({call, kBareCall});
    return markers;
  }

  // A stream has shown the word before it is known to be a name.
  bool reads_words() const override { return context_.batch; }

  Entry enter(int id, const Place& place, Emitter& out) override {
    taken_.clear();
    switch (id) {
      case kOpen:
        open_call(out);
        reopened_ = false;
        return Entry::taken;
      case kBareCall:
        out.mark(Trace::Kind::orphan, id);
        begin_call(
            place.marker.substr(0, place.marker.size() - std::string_view("<arg_key>").size()),
            out);
        state_ = State::key;
        return Entry::taken;
      case kKeyOpen:
        out.mark(Trace::Kind::orphan, id);
        begin_call(is_name(place.word) ? place.word : std::string_view(), out);
        state_ = State::key;
        return Entry::taken;
      default:
        out.mark(Trace::Kind::orphan, id);
        return Entry::deleted;
    }
  }

  Step consume(std::string_view input, bool at_end, Emitter& out) override {
    std::size_t at = 0;
    while (at < input.size()) {
      const State before = state_;
      const Step step = advance(input.substr(at), at_end, out);
      keep(input.substr(at, step.consumed));
      at += step.consumed;
      if (step.state != Grammar::State::inside) return {at, step.state};
      if (step.consumed == 0 && state_ == before) break;
    }
    return {at, Grammar::State::inside};
  }

  std::size_t take_run(std::string_view input, Emitter& out) override {
    if (state_ != State::value || !decided_) return 0;
    const std::string_view run = input.substr(0, value_set_.unmarked(input));
    keep(run);
    if (value_wanted_) take_value(run, out);
    return run.size();
  }

  // Deliberately not recovered: a value without its close may be cut anywhere.
  bool finish(OutputEnd end, Emitter& out) override {
    const bool started = out.in_call();
    const bool revocable = out.revocable();
    if (started) out.abandon_call();
    if (end == OutputEnd::length && (!started || revocable)) {
      const std::string_view taken = taken_;  // the limit may have cut a character
      out.raw_text(taken.substr(0, base::complete_utf8_prefix(taken)), true);
    }
    return false;
  }

 private:
  enum class State : std::uint8_t { name, pairs, key, value };

  // What the length limit cut off is shown instead of the call (spec 10.7).
  void keep(std::string_view consumed) {
    if (std::exchange(reopened_, false)) return;
    const std::size_t room = context_.held_bytes_limit - taken_.size();
    taken_ += consumed.substr(0, room);
  }

  static bool is_name_byte(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  }

  static bool is_name(std::string_view word) noexcept {
    return word.size() <= kNameBytesLimit && std::ranges::all_of(word, is_name_byte);
  }

  void open_call(Emitter& out) {
    out.mark(Trace::Kind::block_open);
    name_.clear();
    taken_.clear();
    reopened_ = true;
    state_ = State::name;
  }

  void begin_call(std::string_view name, Emitter& out) {
    const bool known =
        context_.tools.empty() ||
        std::ranges::any_of(context_.tools, [&](const auto& t) { return t.name == name; });
    wanted_ = known && !name.empty();
    if (!wanted_) return;
    schema_ = Schema::of_tool(context_.tools, name);
    writer_.begin();
    out.start_call(name);
  }

  Step advance(std::string_view input, bool at_end, Emitter& out) {
    switch (state_) {
      case State::name:
        return step_name(input, at_end, out);
      case State::pairs:
        return step_pairs(input, at_end, out);
      case State::key:
        return step_key(input, at_end, out);
      case State::value:
        return step_value(input, at_end, out);
    }
    return {};
  }

  Step step_name(std::string_view input, bool at_end, Emitter& out) {
    const MarkerSet::Hit hit = name_set_.scan(input, at_end);
    const std::size_t consumed = hit.position + hit.length;
    if (name_.size() <= kNameBytesLimit) name_ += input.substr(0, hit.position);
    if (hit.id == MarkerSet::kNone) return {consumed, Grammar::State::inside};
    if (hit.id == kOpen) {
      open_call(out);
      return {consumed, Grammar::State::inside};
    }
    const std::string_view name = trim(name_);
    begin_call(name_.size() <= kNameBytesLimit ? name : std::string_view(), out);
    if (hit.id == kClose) return {consumed, close(out)};
    begin_key();
    return {consumed, Grammar::State::inside};
  }

  Grammar::State close(Emitter& out) {
    if (wanted_) {
      writer_.end(out);
      out.end_call(Closure::fenced);
    }
    out.mark(Trace::Kind::block_close);
    return Grammar::State::left;
  }

  void begin_key() {
    key_.clear();
    state_ = State::key;
  }

  Step step_pairs(std::string_view input, bool at_end, Emitter& out) {
    const MarkerSet::Hit hit = pair_set_.scan(input, at_end);
    const std::size_t consumed = hit.position + hit.length;
    switch (hit.id) {
      case kKeyOpen:
        begin_key();
        break;
      case kValueOpen:
        begin_value(out);
        break;
      case kClose:
        return {consumed, close(out)};
      case kOpen:
        if (out.in_call()) out.abandon_call();
        open_call(out);
        break;
      default:
        break;
    }
    return {consumed, Grammar::State::inside};
  }

  Step step_key(std::string_view input, bool at_end, Emitter& out) {
    const MarkerSet::Hit hit = key_set_.scan(input, at_end);
    const std::size_t consumed = hit.position + hit.length;
    if (key_.size() <= kNameBytesLimit) key_ += input.substr(0, hit.position);
    if (hit.id == kKeyClose) state_ = State::pairs;
    if (hit.id == kClose) return {consumed, close(out)};
    return {consumed, Grammar::State::inside};
  }

  void begin_value(Emitter& out) {
    state_ = State::value;
    key_ = trim(key_);
    value_wanted_ =
        wanted_ && !key_.empty() && key_.size() <= kNameBytesLimit && !key_.contains('<');
    value_schema_ = schema_.property(key_);
    raw_.clear();
    blank_bytes_ = 0;
    streams_ = false;
    decided_ = !glm_value_is_string(value_schema_);
    if (value_wanted_) writer_.key(key_, out);
  }

  Step step_value(std::string_view input, bool at_end, Emitter& out) {
    const MarkerSet::Hit hit = value_set_.scan(input, at_end);
    const std::size_t consumed = hit.position + hit.length;
    if (value_wanted_) take_value(input.substr(0, hit.position), out);
    if (hit.id == MarkerSet::kNone) return {consumed, Grammar::State::inside};
    if (value_wanted_) {
      std::string json;
      if (streams_) {
        string_.finish(json);
      } else {
        json = glm_value(decode_entities(raw_, Entities::glm), value_schema_);
      }
      out.arguments(json);
    }
    key_.clear();
    state_ = State::pairs;
    return {consumed, Grammar::State::inside};
  }

  void take_value(std::string_view piece, Emitter& out) {
    if (!streams_) {
      raw_ += piece;
      if (raw_.size() > context_.held_bytes_limit) {
        out.abandon_call();
        wanted_ = false;
        value_wanted_ = false;
        raw_ = {};
        return;
      }
      if (decided_) return;
      std::string_view rest = std::string_view(raw_).substr(blank_bytes_);
      while (const std::size_t n = leading_space(rest)) rest.remove_prefix(n);
      blank_bytes_ = raw_.size() - rest.size();
      if (rest.empty() || may_become_space(rest)) return;
      decided_ = true;
      // What begins like JSON may be JSON, whatever the schema says; `&quot;` is a quote.
      if (std::string_view("{[\"&").contains(rest[0])) return;
      streams_ = true;
      string_.begin({.trim = false, .entities = Entities::glm});
      piece = raw_;
    }
    std::string json;
    string_.feed(piece, json);
    out.arguments(json);
  }

  GrammarContext context_;
  std::vector<std::string> bare_;
  MarkerSet name_set_;
  MarkerSet pair_set_;
  MarkerSet key_set_;
  MarkerSet value_set_;
  State state_ = State::name;
  bool wanted_ = false;
  bool value_wanted_ = false;
  bool reopened_ = false;  // what was consumed ends with another opener
  bool streams_ = false;
  bool decided_ = false;         // whether the value passes through
  std::size_t blank_bytes_ = 0;  // of the value, before its first other character
  std::string name_;
  std::string key_;
  std::string raw_;
  std::string taken_;
  StringValue string_;
  ArgumentWriter writer_;
  Schema schema_;
  Schema value_schema_;
};

}  // namespace

std::unique_ptr<Grammar> make_glm_grammar(const GrammarContext& context) {
  return std::make_unique<GlmGrammar>(context);
}

}  // namespace dynamo::parsers::detail
