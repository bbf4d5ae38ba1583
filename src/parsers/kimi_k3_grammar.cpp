// SPDX-License-Identifier: Apache-2.0
// kimi_k3.
#include "parsers/kimi_k3_grammar.h"

#include <charconv>
#include <string>
#include <utility>

#include "parsers/argument_writer.h"
#include "parsers/json_scanner.h"
#include "parsers/json_text.h"
#include "parsers/string_value.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

constexpr int kOpen = 0;
constexpr int kClose = 1;
constexpr int kEndOfMessage = 2;
constexpr int kSeparator = 3;

/// A tag's name and attributes: `call tool="N" index="1"`.
class TagText {
 public:
  explicit TagText(std::string_view text) : text_(trim(text)) {
    std::size_t end = 0;
    while (end < text_.size() && leading_space(text_.substr(end)) == 0) ++end;
    name_ = text_.substr(0, end);
    text_.remove_prefix(end);
  }

  std::string_view name() const noexcept { return name_; }

  std::string attribute(std::string_view name) const {
    std::string_view rest = text_;
    while (true) {
      rest = trim_left(rest);
      const std::size_t equals = rest.find("=\"");
      if (equals == std::string_view::npos) return {};
      const std::size_t end = rest.find('"', equals + 2);
      if (end == std::string_view::npos) return {};
      if (rest.substr(0, equals) == name) return decoded(rest.substr(equals + 2, end - equals - 2));
      rest.remove_prefix(end + 1);
    }
  }

 private:
  // `&quot;` and `&amp;` only.
  static std::string decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
      if (text.substr(i).starts_with("&quot;")) {
        out += '"';
        i += 6;
      } else if (text.substr(i).starts_with("&amp;")) {
        out += '&';
        i += 5;
      } else {
        out += text[i++];
      }
    }
    return out;
  }

  std::string_view text_;
  std::string_view name_;
};

std::string call_id(const std::string& tool, const std::string& index) {
  if (index.empty()) return tool;
  long long number = 0;
  const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), number);
  if (error != std::errc() || end != index.data() + index.size() || number < -1'000'000'000'000) {
    return tool + ":" + index;
  }
  return tool + ":" + std::to_string(number - 1);
}

class KimiK3Grammar final : public Grammar {
 public:
  explicit KimiK3Grammar(const GrammarContext& context)
      : context_(context),
        tag_set_({{"<|open|>", kOpen}, {"<|close|>", kClose}, {"<|end_of_msg|>", kEndOfMessage}}),
        separator_set_({{"<|sep|>", kSeparator}}),
        argument_set_(
            {{"<|close|>argument<|sep|>", kClose}, {"<|close|> argument <|sep|>", kClose}}),
        json_set_({{"<|close|>json<|sep|>", kClose}, {"<|close|> json <|sep|>", kClose}}) {}

  std::vector<Marker> text_markers() const override {
    std::vector<Marker> markers{
        {"<|open|>", kOpen}, {"<|close|>", kClose}, {"<|end_of_msg|>", kEndOfMessage}};
    // The reference's batch parser leaves a lone separator in the text.
    if (!context_.batch) markers.push_back({"<|sep|>", kSeparator});
    return markers;
  }

  Entry enter(int id, const Place&, Emitter& out) override {
    if (id == kSeparator) return Entry::deleted;
    in_tools_ = false;
    in_call_ = false;
    if (id == kEndOfMessage) {
      out.mark(Trace::Kind::orphan, kK3End);
      state_ = State::ended;
      return Entry::taken;
    }
    begin_tag(id == kOpen);
    return Entry::taken;
  }

  Step consume(std::string_view input, bool at_end, Emitter& out) override {
    std::size_t at = 0;
    while (at < input.size()) {
      const State before = state_;
      const Step step = advance(input.substr(at), at_end, out);
      at += step.consumed;
      if (step.state != Grammar::State::inside) return {at, step.state};
      if (step.consumed == 0 && state_ == before) break;
    }
    return {at, Grammar::State::inside};
  }

  std::size_t take_run(std::string_view input, Emitter& out) override {
    if (state_ == State::ended) return input.size();
    if (state_ != State::argument && state_ != State::json) return 0;
    const std::size_t size =
        (state_ == State::argument ? argument_set_ : json_set_).unmarked(input);
    const std::string_view run = input.substr(0, size);
    if (state_ == State::argument) {
      take_value(run, out);
    } else if (out.in_call()) {
      out.arguments(run);
    }
    return size;
  }

  // A call may lack its close only directly behind an argument's.
  bool finish(OutputEnd, Emitter& out) override {
    if (state_ == State::tag && context_.batch && !in_tools_ && !in_call_)
      out.mark(Trace::Kind::orphan, kK3Other);
    if (!out.in_call()) return false;
    const bool in_torn_tag = state_ == State::tag || torn_;
    if (delimited_ && (state_ == State::between || state_ == State::tag)) {
      if (!raw_json_) writer_.end(out);
      out.end_call(in_torn_tag ? Closure::unfenced : Closure::end_of_text);
    } else {
      out.abandon_call();
    }
    return false;
  }

 private:
  enum class State : std::uint8_t {
    tag,       // behind <|open|> or <|close|>, up to <|sep|>
    between,   // in the tools channel or in a call, between tags
    argument,  // a value
    json,      // a call's arguments as raw JSON
    ended,     // behind the end of the message: nothing counts
  };

  void begin_tag(bool opens) {
    state_ = State::tag;
    opens_ = opens;
    tag_.clear();
  }

  Step advance(std::string_view input, bool at_end, Emitter& out) {
    switch (state_) {
      case State::tag:
        return step_tag(input, at_end, out);
      case State::between:
        return step_between(input, out);
      case State::argument:
        return step_argument(input, out);
      case State::json:
        return step_json(input, out);
      case State::ended:
        return {input.size(), Grammar::State::inside};
    }
    return {};
  }

  Step step_tag(std::string_view input, bool, Emitter& out) {
    const MarkerSet::Hit hit = separator_set_.scan(input, false);
    tag_ += input.substr(0, hit.position);
    const std::size_t consumed = hit.position + hit.length;
    if (tag_.size() > 4 * kNameBytesLimit) {  // a marker that only stands in the text
      if (in_tools_ || in_call_) return {consumed, broken_call(out)};
      out.raw_text(std::exchange(tag_, {}), false);
      return {consumed, Grammar::State::left};
    }
    if (hit.id == MarkerSet::kNone) return {consumed, Grammar::State::inside};
    return {consumed, opens_ ? open(out) : close(out)};
  }

  Grammar::State outside_or_between() {
    state_ = State::between;
    return in_tools_ || in_call_ ? Grammar::State::inside : Grammar::State::left;
  }

  Grammar::State open(Emitter& out) {
    const TagText tag(tag_);
    if (in_call_) {
      if (tag.name() == "argument") return begin_argument(tag, out);
      if (tag.name() == "json" && writer_.members() == 0 && !raw_json_) {
        raw_json_ = true;
        delimited_ = false;
        state_ = State::json;
        return Grammar::State::inside;
      }
      return broken_call(out);
    }
    if (tag.name() == "call") {
      begin_call(tag, out);
      return Grammar::State::inside;
    }
    if (tag.name() == "tools") {
      out.mark(Trace::Kind::block_open, kK3Tools);
      in_tools_ = true;
      return outside_or_between();
    }
    in_tools_ = false;
    const bool response = tag.name() == "response";
    if (tag.name() != "message") out.mark(Trace::Kind::orphan, response ? kK3Response : kK3Other);
    return outside_or_between();
  }

  Grammar::State close(Emitter& out) {
    const TagText tag(tag_);
    if (tag.name() == "message") {
      if (out.in_call()) out.abandon_call();
      out.mark(Trace::Kind::orphan, kK3End);
      state_ = State::ended;
      return Grammar::State::inside;
    }
    if (in_call_) {
      if (tag.name() == "call") {
        end_call(out);
        return outside_or_between();
      }
      if (tag.name() != "tools") return broken_call(out);
      if (out.in_call()) out.abandon_call();
      in_call_ = false;
    }
    if (tag.name() == "tools") {
      out.mark(in_tools_ ? Trace::Kind::block_close : Trace::Kind::orphan, kK3ToolsClose);
      in_tools_ = false;
    } else if (!in_tools_ && tag.name() != "think") {
      out.mark(Trace::Kind::orphan, tag.name() == "response" ? kK3ResponseClose : kK3Other);
    }
    return outside_or_between();
  }

  void begin_call(const TagText& tag, Emitter& out) {
    if (!in_tools_) out.mark(Trace::Kind::orphan, kK3Call);
    in_call_ = true;
    raw_json_ = false;
    delimited_ = false;
    state_ = State::between;
    writer_.begin();
    const std::string tool = tag.attribute("tool");
    if (tool.empty() || tool.size() > kNameBytesLimit) return;
    out.start_call(tool, call_id(tool, tag.attribute("index")));
  }

  void end_call(Emitter& out) {
    in_call_ = false;
    if (!out.in_call()) return;
    if (!raw_json_) writer_.end(out);
    out.end_call(Closure::fenced);
  }

  // The call is dropped; what follows is read up to its close.
  Grammar::State broken_call(Emitter& out) {
    if (out.in_call()) out.abandon_call();
    state_ = State::between;
    return Grammar::State::inside;
  }

  Step step_between(std::string_view input, Emitter& out) {
    const MarkerSet::Hit hit = tag_set_.scan(input, false);
    const std::size_t consumed = hit.position + hit.length;
    if (in_call_ && !is_blank(input.substr(0, hit.position))) broken_call(out);
    torn_ = hit.id == MarkerSet::kNone && hit.position < input.size();
    if (hit.id == kEndOfMessage) {
      if (out.in_call()) out.abandon_call();
      out.mark(Trace::Kind::orphan, kK3End);
      state_ = State::ended;
    } else if (hit.id != MarkerSet::kNone) {
      begin_tag(hit.id == kOpen);
    }
    return {consumed, Grammar::State::inside};
  }

  Grammar::State begin_argument(const TagText& tag, Emitter& out) {
    state_ = State::argument;
    delimited_ = false;
    wanted_ = out.in_call() && !raw_json_;
    streams_ = tag.attribute("type") == "string";
    raw_.clear();
    if (!wanted_) return Grammar::State::inside;
    writer_.key(tag.attribute("key"), out);
    if (streams_) value_.begin({.trim = false});
    return Grammar::State::inside;
  }

  Step step_argument(std::string_view input, Emitter& out) {
    const MarkerSet::Hit hit = argument_set_.scan(input, false);
    take_value(input.substr(0, hit.position), out);
    if (hit.id != MarkerSet::kNone) {
      state_ = State::between;
      delimited_ = true;
      std::string json;
      if (wanted_ && streams_) {
        value_.finish(json);
      } else if (wanted_ && !is_json(raw_, &json)) {
        json = json_string(raw_);
      }
      if (wanted_) out.arguments(json);
    }
    return {hit.position + hit.length, Grammar::State::inside};
  }

  void take_value(std::string_view piece, Emitter& out) {
    if (!wanted_ || piece.empty()) return;
    if (streams_) {
      std::string json;
      value_.feed(piece, json);
      out.arguments(json);
      return;
    }
    raw_ += piece;
    if (raw_.size() <= context_.held_bytes_limit) return;
    out.abandon_call();
    wanted_ = false;
    raw_ = {};
  }

  Step step_json(std::string_view input, Emitter& out) {
    const MarkerSet::Hit hit = json_set_.scan(input, false);
    if (out.in_call()) out.arguments(input.substr(0, hit.position));
    if (hit.id != MarkerSet::kNone) {
      state_ = State::between;
      delimited_ = true;
    }
    return {hit.position + hit.length, Grammar::State::inside};
  }

  GrammarContext context_;
  MarkerSet tag_set_;
  MarkerSet separator_set_;
  MarkerSet argument_set_;
  MarkerSet json_set_;
  State state_ = State::between;
  bool opens_ = false;
  bool in_tools_ = false;
  bool in_call_ = false;    // between a call's tags, even of a broken one
  bool raw_json_ = false;   // the call's arguments are one JSON block
  bool delimited_ = false;  // the last thing in the call was an argument's close
  bool torn_ = false;       // the input ends inside a marker
  bool wanted_ = false;
  bool streams_ = false;
  std::string tag_;
  std::string raw_;
  StringValue value_;
  ArgumentWriter writer_;
};

}  // namespace

std::unique_ptr<Grammar> make_kimi_k3_grammar(const GrammarContext& context) {
  return std::make_unique<KimiK3Grammar>(context);
}

}  // namespace dynamo::parsers::detail
