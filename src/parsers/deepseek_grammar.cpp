// SPDX-License-Identifier: Apache-2.0
// deepseek_v3, deepseek_v3_1.
#include "parsers/deepseek_grammar.h"

#include <string>
#include <utility>

#include "parsers/json_scanner.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

constexpr int kBlockOpen = 0;
constexpr int kBlockClose = 1;
constexpr int kCallOpen = 2;
constexpr int kCallClose = 3;
constexpr int kSeparator = 4;
constexpr int kLineEnd = 5;

constexpr std::string_view kBlockOpenText = "<｜tool▁calls▁begin｜>";
constexpr std::string_view kBlockCloseText = "<｜tool▁calls▁end｜>";
constexpr std::string_view kCallOpenText = "<｜tool▁call▁begin｜>";
constexpr std::string_view kCallCloseText = "<｜tool▁call▁end｜>";
constexpr std::string_view kSeparatorText = "<｜tool▁sep｜>";
constexpr std::string_view kFenceOpen = "```json";

class DeepSeekGrammar final : public Grammar {
 public:
  DeepSeekGrammar(bool fenced, const GrammarContext& context)
      : fenced_(fenced),
        context_(context),
        block_set_({{kCallOpenText, kCallOpen},
                    {kBlockCloseText, kBlockClose},
                    {kBlockOpenText, kBlockOpen}}),
        head_set_({{kSeparatorText, kSeparator},
                   {kCallCloseText, kCallClose},
                   {kBlockCloseText, kBlockClose}}),
        line_set_({{"\n", kLineEnd}, {kCallCloseText, kCallClose}, {kBlockCloseText, kBlockClose}}),
        end_set_({{kCallCloseText, kCallClose}, {kBlockCloseText, kBlockClose}}),
        arguments_({.compact = true, .controls = JsonScanner::Controls::join_lines}) {}

  std::vector<Marker> text_markers() const override {
    return {{kBlockOpenText, kBlockOpen},
            {kBlockCloseText, kBlockClose},
            {kCallOpenText, kCallOpen},
            {kCallCloseText, kCallClose},
            {kSeparatorText, kSeparator}};
  }

  Entry enter(int id, const Place&, Emitter& out) override {
    if (id == kBlockOpen) {
      out.mark(Trace::Kind::block_open);
      in_block_ = true;
      state_ = State::block;
      return Entry::taken;
    }
    if (id == kCallOpen) {
      out.mark(Trace::Kind::orphan, id);
      in_block_ = false;
      open_call();
      return Entry::taken;
    }
    out.mark(Trace::Kind::orphan, id);
    return Entry::deleted;
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
    if (state_ != State::value || !out.in_call()) return 0;
    const std::size_t size = arguments_.plain_run(input);
    out.arguments(input.substr(0, size));
    return size;
  }

  bool finish(OutputEnd, Emitter& out) override {
    if (!out.in_call()) return false;
    if (state_ == State::call_end) {
      out.end_call(Closure::unfenced);
    } else {
      out.abandon_call();
    }
    return false;
  }

 private:
  enum class State : std::uint8_t {
    block,
    kind,   // V3: up to the separator
    name,   // V3: up to the line end; V3.1: up to the separator
    fence,  // V3: up to ```json
    value,
    call_end,  // arguments complete, up to the call's close
    skip,      // a broken call, up to its close
  };

  void open_call() {
    name_.clear();
    state_ = fenced_ ? State::kind : State::name;
  }

  Step advance(std::string_view input, bool at_end, Emitter& out) {
    switch (state_) {
      case State::block:
        return step_block(input, at_end, out);
      case State::kind:
      case State::name:
        return step_head(input, at_end, out);
      case State::fence:
        return step_fence(input, at_end);
      case State::value:
        return step_value(input, at_end, out);
      case State::call_end:
      case State::skip:
        return step_end(input, at_end, out);
    }
    return {};
  }

  Step step_block(std::string_view input, bool at_end, Emitter& out) {
    const MarkerSet::Hit hit = block_set_.scan(input, at_end);
    const std::size_t consumed = hit.position + hit.length;
    if (hit.id == kCallOpen) open_call();
    if (hit.id == kBlockClose) {
      out.mark(Trace::Kind::block_close);
      return {consumed, Grammar::State::left};
    }
    return {consumed, Grammar::State::inside};
  }

  // The call's close came too early or in place.
  Step close(int id, std::size_t consumed, Emitter& out) {
    if (out.in_call()) {
      if (state_ == State::call_end) {
        out.end_call(id == kCallClose ? Closure::fenced : Closure::unfenced);
      } else {
        out.abandon_call();
      }
    }
    if (id == kBlockClose) {
      out.mark(in_block_ ? Trace::Kind::block_close : Trace::Kind::orphan, id);
      return {consumed, Grammar::State::left};
    }
    state_ = State::block;
    return {consumed, in_block_ ? Grammar::State::inside : Grammar::State::left};
  }

  Step step_head(std::string_view input, bool at_end, Emitter& out) {
    const bool line = fenced_ && state_ == State::name;
    const MarkerSet::Hit hit = (line ? line_set_ : head_set_).scan(input, at_end);
    const std::size_t consumed = hit.position + hit.length;
    if (state_ == State::name) name_ += input.substr(0, hit.position);
    if (name_.size() > kNameBytesLimit) {
      state_ = State::skip;
      return {consumed, Grammar::State::inside};
    }
    if (hit.id == MarkerSet::kNone) return {consumed, Grammar::State::inside};
    if (hit.id == kCallClose || hit.id == kBlockClose) return close(hit.id, consumed, out);
    if (state_ == State::kind) {
      state_ = State::name;
      return {consumed, Grammar::State::inside};
    }
    const std::string_view name = trim(name_);
    if (name.empty() || name.find_first_of("{}[]") != std::string_view::npos) {
      state_ = State::skip;
      return {consumed, Grammar::State::inside};
    }
    state_ = fenced_ ? State::fence : State::value;
    arguments_.reset();
    return {consumed, Grammar::State::inside};
  }

  Step step_fence(std::string_view input, bool at_end) {
    if (const std::size_t space = leading_space(input)) return {space, Grammar::State::inside};
    if (may_become_space(input) && !at_end) return {};
    if (input.starts_with(kFenceOpen)) {
      state_ = State::value;
      return {kFenceOpen.size(), Grammar::State::inside};
    }
    if (!at_end && kFenceOpen.starts_with(input)) return {};
    state_ = State::skip;
    return {};
  }

  Step step_value(std::string_view input, bool at_end, Emitter& out) {
    std::string json;
    std::size_t consumed = 0;
    const auto status = arguments_.feed(input, consumed, json);
    if (!json.empty()) {
      if (!out.in_call()) out.start_call(trim(name_));
      out.arguments(json);
    }
    if (status == JsonScanner::Status::done) {
      state_ = State::call_end;
    } else if (status == JsonScanner::Status::invalid) {
      // A bare number is complete where something else follows; any other defect spoils the call.
      const MarkerSet::Hit hit = end_set_.match(input.substr(consumed), at_end);
      if (hit.id == MarkerSet::kNone && hit.length != 0) return {consumed, Grammar::State::inside};
      if (out.in_call()) out.abandon_call();
      state_ = State::skip;
    }
    return {consumed, Grammar::State::inside};
  }

  Step step_end(std::string_view input, bool at_end, Emitter& out) {
    const MarkerSet::Hit hit = end_set_.scan(input, at_end);
    const std::size_t consumed = hit.position + hit.length;
    if (hit.id == MarkerSet::kNone) return {consumed, Grammar::State::inside};
    return close(hit.id, consumed, out);
  }

  bool fenced_;
  GrammarContext context_;
  MarkerSet block_set_;
  MarkerSet head_set_;
  MarkerSet line_set_;
  MarkerSet end_set_;
  JsonScanner arguments_;
  State state_ = State::block;
  bool in_block_ = false;
  std::string name_;
};

}  // namespace

std::unique_ptr<Grammar> make_deepseek_grammar(bool fenced, const GrammarContext& context) {
  return std::make_unique<DeepSeekGrammar>(fenced, context);
}

}  // namespace dynamo::parsers::detail
