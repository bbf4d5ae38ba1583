// SPDX-License-Identifier: Apache-2.0
// hermes, qwen25, nemotron_deci, llama3_json, mistral, phi4, jamba, default.
#include "parsers/json_grammar.h"

#include <algorithm>
#include <utility>

#include "parsers/call_object.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

/// JSON in prose is believed to be a call only within this many bytes of shape
/// `{"name": "…", "arguments":`.
constexpr std::size_t kProbeBytesLimit = 2 * kNameBytesLimit;

constexpr int kObjectStart = 100;
constexpr int kArrayStart = 101;
constexpr int kCloser = 50;  // first id of the closers; openers begin at 0

class JsonGrammar final : public Grammar {
 public:
  JsonGrammar(const JsonFamily& family, const GrammarContext& context)
      : family_(family), context_(context), block_set_(block_markers(family)) {}

  std::vector<Marker> text_markers() const override {
    std::vector<Marker> markers = block_markers(family_);
    markers.push_back({"{", kObjectStart});
    markers.push_back({"[", kArrayStart});
    return markers;
  }

  Entry enter(int id, const Place&, Emitter& out) override {
    if (id >= kObjectStart) {
      probed_ = 1;
      in_array_ = id == kArrayStart;
      bare_ = true;
      state_ = State::probe;
      probes_object_ = !in_array_;
      name_seen_ = false;
      if (!in_array_) begin_object(true);
      if (!in_array_) feed_object("{", out);
      return Entry::taken;
    }
    if (id >= kCloser) {
      out.mark(Trace::Kind::orphan, id - kCloser);
      return Entry::deleted;
    }
    open_block(id, out);
    return Entry::taken;
  }

  Step consume(std::string_view input, bool at_end, Emitter& out) override {
    std::size_t at = 0;
    while (at < input.size()) {
      const auto before = std::pair(state_, skipping_element_);
      const Step step = advance(input.substr(at), at_end, out);
      at += step.consumed;
      if (step.state != State_::inside) return {at, step.state};
      if (step.consumed == 0 && before == std::pair(state_, skipping_element_)) break;
    }
    return {at, State_::inside};
  }

  std::size_t take_run(std::string_view input, Emitter& out) override {
    return state_ == State::object ? object_.take_run(input, out) : 0;
  }

  bool finish(OutputEnd, Emitter& out) override {
    switch (state_) {
      case State::probe:
        return true;
      case State::object:
        out.mark(Trace::Kind::broken, static_cast<int>(JsonFault::torn));
        object_.finish(family_.repair, out);
        break;
      case State::elements:
        out.mark(Trace::Kind::broken, static_cast<int>(JsonFault::torn));
        break;
      case State::body:
        out.mark(Trace::Kind::broken, static_cast<int>(JsonFault::not_json));
        return family_.opener_is_word;
      case State::behind:
      case State::skip:
        break;
    }
    return false;
  }

  bool may_reject() const override {
    return state_ == State::probe || (state_ == State::body && family_.opener_is_word);
  }

  std::size_t rejected_bytes() const override {
    return state_ == State::probe ? 1 : family_.openers[0].size();
  }

 private:
  using State_ = Grammar::State;
  enum class State : std::uint8_t {
    body,      // behind an opener: white space, then JSON
    probe,     // JSON without a marker that may be a call
    elements,  // inside an array, between its elements
    object,
    behind,  // JSON is complete: a closer, `;` and more, or text
    skip,    // broken JSON, up to the next marker or its end
  };

  static std::vector<Marker> block_markers(const JsonFamily& family) {
    std::vector<Marker> markers;
    markers.reserve(family.openers.size() + family.closers.size());
    for (std::size_t i = 0; i < family.openers.size(); ++i) {
      markers.push_back({family.openers[i], static_cast<int>(i)});
    }
    for (std::size_t i = 0; i < family.closers.size(); ++i) {
      markers.push_back({family.closers[i], kCloser + static_cast<int>(i)});
    }
    return markers;
  }

  void open_block(int id, Emitter& out) {
    out.mark(Trace::Kind::block_open, id);
    state_ = State::body;
    in_array_ = false;
    bare_ = false;
    clear_space();
    probed_ = 0;
  }

  void clear_space() {
    space_.clear();
    semicolon_ = false;
  }

  void begin_object(bool strict) {
    object_.begin(
        {.second_key_wins = !in_array_, .name_only = family_.name_only, .strict = strict});
  }

  Step advance(std::string_view input, bool at_end, Emitter& out) {
    switch (state_) {
      case State::body:
        return step_body(input, at_end, out);
      case State::probe:
        return step_probe(input, out);
      case State::elements:
        return step_elements(input, at_end, out);
      case State::object:
        return step_object(input, at_end, out);
      case State::behind:
        return step_behind(input, at_end, out);
      case State::skip:
        return step_skip(input, at_end, out);
    }
    return {};
  }

  // A marker at the front of the input: true when it was handled (step says how) or waits.
  bool step_marker(std::string_view input, bool at_end, Emitter& out, Step& step) {
    const MarkerSet::Hit hit = block_set_.match(input, at_end);
    if (hit.id == MarkerSet::kNone) {
      step = {};
      return hit.length != 0;
    }
    step = {hit.length, State_::inside};
    if (hit.id < kCloser && family_.opener_is_word) {
      step = {0, State_::left};  // it may be text
    } else if (hit.id >= kCloser) {
      out.mark(Trace::Kind::block_close, hit.id - kCloser);
      step.state = State_::left;
    } else {
      open_block(hit.id, out);
    }
    return true;
  }

  Step step_body(std::string_view input, bool at_end, Emitter& out) {
    const char c = input[0];
    if (is_json_space(c) && probed_ < kProbeBytesLimit) {
      ++probed_;
      return {1, State_::inside};
    }
    if (c == '{') {
      begin_object(false);
      state_ = State::object;
      return {};  // the object consumes its bracket
    }
    if (c == '[') {
      out.mark(Trace::Kind::broken, static_cast<int>(JsonFault::array));
      in_array_ = true;
      state_ = State::elements;
      expect_value_ = true;
      return {1, State_::inside};
    }
    Step step;
    if (step_marker(input, at_end, out, step)) {
      return family_.opener_is_word && step.state == State_::left ? Step{0, State_::rejected}
                                                                  : step;
    }
    if (at_end && block_set_.match(input, false).length != 0) return {input.size(), State_::inside};
    out.mark(Trace::Kind::broken, static_cast<int>(JsonFault::not_json));
    return {0, family_.opener_is_word ? State_::rejected : State_::left};
  }

  CallObject::Status feed_object(std::string_view text, Emitter& out) {
    std::size_t n = 0;
    return object_.feed(text, n, out);
  }

  bool known_tool(const std::string& name) const {
    return context_.batch || context_.tools.empty() ||
           std::ranges::any_of(context_.tools, [&](const auto& tool) { return tool.name == name; });
  }

  // Until the shape is certain, what is consumed may be given back.
  Step step_probe(std::string_view input, Emitter& out) {
    if (++probed_ > kProbeBytesLimit) return {1, State_::rejected};
    if (in_array_ && !probes_object_) {
      if (is_json_space(input[0])) return {1, State_::inside};
      if (input[0] != '{') return {1, State_::rejected};
      begin_object(true);
      probes_object_ = true;
    }
    // Byte by byte: the call starts at a byte, and what came before it is then no text.
    const auto status = feed_object(input.substr(0, 1), out);
    if (!object_.call_started()) {
      const bool named = std::exchange(name_seen_, object_.name_known());
      const bool wrong_tool = !named && object_.name_known() && !known_tool(object_.name());
      const bool no_call = status == CallObject::Status::invalid || wrong_tool;
      return {1, no_call ? State_::rejected : State_::inside};
    }
    out.mark(Trace::Kind::block_open, kBareJson);
    state_ = State::object;
    if (status == CallObject::Status::done) return object_done(1);
    if (status == CallObject::Status::invalid) return object_broken(1, out);
    return {1, State_::inside};
  }

  Step object_done(std::size_t consumed) {
    state_ = in_array_ ? State::elements : State::behind;
    expect_value_ = false;
    return {consumed, State_::inside};
  }

  Step object_broken(std::size_t consumed, Emitter& out) {
    out.mark(Trace::Kind::broken, static_cast<int>(JsonFault::malformed));
    skip_depth_ = object_.depth() + (in_array_ ? 1 : 0);
    skip_in_string_ = false;
    skip_escape_ = false;
    object_.give_up(out);
    state_ = State::skip;
    return {consumed, State_::inside};
  }

  Step step_object(std::string_view input, bool at_end, Emitter& out) {
    std::size_t n = 0;
    const auto status = object_.feed(input, n, out);
    if (status == CallObject::Status::more) return {n, State_::inside};
    if (status == CallObject::Status::done) return object_done(n);
    // Not JSON any more: a marker that came too early, or a defect.
    const std::string_view rest = input.substr(n);
    const MarkerSet::Hit hit = block_set_.match(rest, at_end);
    if (hit.id == MarkerSet::kNone && hit.length != 0) return {n, State_::inside};
    if (hit.id == MarkerSet::kNone) return object_broken(n, out);
    out.mark(Trace::Kind::broken, static_cast<int>(JsonFault::torn));
    object_.finish(family_.repair, out);
    if (out.in_call()) out.abandon_call();
    Step step;
    step_marker(rest, at_end, out, step);
    return {n + step.consumed, step.state};
  }

  Step step_elements(std::string_view input, bool at_end, Emitter& out) {
    const char c = input[0];
    if (skipping_element_) {
      std::size_t n = 0;
      std::string unused;
      const auto status = element_.feed(input, n, unused);
      if (status == JsonScanner::Status::more) return {n, State_::inside};
      skipping_element_ = false;
      expect_value_ = false;
      if (status == JsonScanner::Status::done) return {n, State_::inside};
      return object_broken(n, out);
    }
    if (is_json_space(c)) return {1, State_::inside};
    if (c == ',' && !expect_value_) {
      expect_value_ = true;
      return {1, State_::inside};
    }
    if (c == ']') {
      in_array_ = false;
      state_ = State::behind;
      return {1, State_::inside};
    }
    if (c == '{') {
      begin_object(false);
      state_ = State::object;
      return {};
    }
    Step step;
    if (step_marker(input, at_end, out, step)) {
      if (step.consumed != 0) out.mark(Trace::Kind::broken, static_cast<int>(JsonFault::torn));
      return step;
    }
    object_.begin({});
    if (!expect_value_) return object_broken(0, out);
    element_.reset();
    skipping_element_ = true;
    return {};
  }

  // The JSON is complete. White space goes to the text only when text follows.
  Step step_behind(std::string_view input, bool at_end, Emitter& out) {
    const char c = input[0];
    if (is_json_space(c) && space_.size() < kProbeBytesLimit) {
      space_ += c;
      return {1, State_::inside};
    }
    Step step;
    if (step_marker(input, at_end, out, step)) {
      if (step.state == State_::left && step.consumed == 0) out.text(space_);
      if (step.state == State_::left) clear_space();
      return step;
    }
    if (at_end && block_set_.match(input, false).length != 0) {
      out.mark(Trace::Kind::broken, static_cast<int>(JsonFault::torn_closer));
      return {input.size(), State_::inside};
    }
    if (c == ';' && !semicolon_) {
      semicolon_ = true;
      space_ += c;
      return {1, State_::inside};
    }
    const bool more = semicolon_ || (!bare_ && !family_.closers.empty());
    if (more && (c == '{' || c == '[')) {
      clear_space();
      state_ = State::body;
      return {};
    }
    if (!bare_ && !family_.closers.empty() && (c == '}' || c == ']')) return {1, State_::inside};
    out.text(space_);
    clear_space();
    return {0, State_::left};
  }

  // A family with closers is in step again at its next marker; others where the brackets close.
  Step step_skip(std::string_view input, bool at_end, Emitter& out) {
    if (!bare_ && !family_.closers.empty()) {
      const MarkerSet::Hit hit = block_set_.scan(input, at_end);
      if (hit.id == MarkerSet::kNone) return {hit.position, State_::inside};
      Step step;
      step_marker(input.substr(hit.position), at_end, out, step);
      return {hit.position + step.consumed, step.state};
    }
    for (std::size_t at = 0; at < input.size(); ++at) {
      const char c = input[at];
      if (std::exchange(skip_escape_, false)) continue;
      if (skip_in_string_) {
        if (c == '\\') skip_escape_ = true;
        if (c == '"') skip_in_string_ = false;
        continue;
      }
      if (c == '"') skip_in_string_ = true;
      if (c == '{' || c == '[') ++skip_depth_;
      if (c != '}' && c != ']') continue;
      if (skip_depth_ > 0) --skip_depth_;
      if (skip_depth_ == 0) {
        state_ = State::behind;
        return {at + 1, State_::inside};
      }
    }
    return {input.size(), State_::inside};
  }

  const JsonFamily& family_;
  GrammarContext context_;
  MarkerSet block_set_;
  CallObject object_;
  JsonScanner element_;
  State state_ = State::body;
  bool in_array_ = false;
  bool bare_ = false;
  bool expect_value_ = false;
  bool skipping_element_ = false;
  bool skip_in_string_ = false;
  bool skip_escape_ = false;
  bool probes_object_ = false;  // State::probe is inside an object
  bool name_seen_ = false;      // in State::probe, and it is a tool's
  std::size_t skip_depth_ = 0;
  std::size_t probed_ = 0;  // bytes since the marker, in State::body and State::probe
  std::string space_;       // behind complete JSON, and one `;`
  bool semicolon_ = false;  // in space_
};

}  // namespace

std::unique_ptr<Grammar> make_json_grammar(const JsonFamily& family,
                                           const GrammarContext& context) {
  return std::make_unique<JsonGrammar>(family, context);
}

}  // namespace dynamo::parsers::detail
