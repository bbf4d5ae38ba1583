// SPDX-License-Identifier: Apache-2.0
#include "parsers/muse_parser.h"

#include <utility>

#include "parsers/invoke_grammar.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

constexpr int kStart = 0;
constexpr int kMessage = 1;
constexpr int kEnd = 2;
constexpr int kInvoke = 3;
constexpr int kStray = 4;
/// InvokeGrammar's own number for its opening tag; it numbers them block, close, invocation.
constexpr int kInvokeOpen = 2;

constexpr InvokeFamily kInvocations{.block_open = {},
                                    .block_close = {},
                                    .invoke_open = "<atem:invoke name=",
                                    .invoke_close = "</atem:invoke>",
                                    .parameter_open = "<atem:parameter name=",
                                    .parameter_close = "</atem:parameter>",
                                    .typed_by_schema = true,
                                    .close_optional = false,
                                    .special_tokens = false};

std::string_view recipient_of(std::string_view header) {
  const std::size_t at = header.find("to=");
  if (at == std::string_view::npos) return {};
  std::string_view rest = header.substr(at + 3);
  std::size_t end = 0;
  while (end < rest.size() && leading_space(rest.substr(end)) == 0) ++end;
  return rest.substr(0, end);
}

}  // namespace

MuseParser::MuseParser(const ParserOptions& options, bool reasoning, bool tools)
    : BytewiseParser(options, IdStyle::call_uuid),
      reasoning_(reasoning),
      grammar_(make_invoke_grammar(kInvocations,
                                   {.tools = options.tools,
                                    .batch = false,
                                    .incremental = options.delivery == CallDelivery::incremental,
                                    .held_bytes_limit = options.held_bytes_limit})),
      markers_({{"<|start|>", kStart},
                {"<|message|>", kMessage},
                {"<|eom|>", kEnd},
                {"<|eot|>", kEnd},
                {tools ? kInvocations.invoke_open : std::string_view(), kInvoke},
                {tools ? kInvocations.invoke_close : std::string_view(), kStray},
                {tools ? kInvocations.parameter_close : std::string_view(), kStray}}) {
  emitter_.guard(markers_);
  if (options.starting_state == StartingState::reasoning) state_ = State::thought;
  if (options.starting_state == StartingState::response) state_ = State::answer;
}

// " to=self<|message|>" goes on with the prompt's header; anything else is an answer.
std::size_t MuseParser::step_primed(std::string_view window, bool at_end) {
  const bool spaced = space_.size() >= kLeadingSpaceLimit;
  state_ = State::answer;
  if (!spaced) {
    if (const std::size_t space = leading_space(window)) {
      space_ += window.substr(0, space);
      state_ = State::primed;
      return space;
    }
    constexpr std::string_view kTo = "to=";
    const MarkerSet::Hit hit = markers_.match(window, at_end);
    const bool waits = may_become_space(window) ||
                       (window.size() < kTo.size() && kTo.starts_with(window)) ||
                       (hit.id == MarkerSet::kNone && hit.length != 0);
    if (waits && !at_end) {
      state_ = State::primed;
      return 0;
    }
    if (window.starts_with(kTo) || hit.id == kMessage) state_ = State::header;
    if (hit.id == kStart) state_ = State::outside;
  }
  space_ += window;
  give_back(std::exchange(space_, {}));
  return window.size();
}

void MuseParser::end(OutputEnd end, std::string_view) {
  if (state_ == State::primed && !space_.empty()) {
    state_ = State::answer;
    give_back(std::exchange(space_, {}));
    return;
  }
  if (state_ == State::call) grammar_->finish(end, emitter_);
  state_ = State::outside;
}

std::size_t MuseParser::take_run(std::string_view input) {
  if (state_ == State::call) return grammar_->take_run(input, emitter_);
  if (state_ != State::answer && state_ != State::thought) return 0;
  const std::size_t size = markers_.unmarked(input);
  take_text(input.substr(0, size), true);
  return size;
}

std::size_t MuseParser::step(std::string_view window, bool at_end) {
  if (state_ == State::primed) return step_primed(window, at_end);
  if (state_ == State::call) return step_call(window, at_end);
  const MarkerSet::Hit hit = markers_.scan(window, at_end);
  take_text(window.substr(0, hit.position), hit.position == window.size());
  if (hit.id != MarkerSet::kNone) emitter_.marker();
  switch (hit.id) {
    case kStart:
      state_ = State::header;
      header_.clear();
      break;
    case kMessage:
      begin_body();
      break;
    case kEnd:
      state_ = State::outside;
      break;
    case kInvoke:
      if (state_ != State::header) {
        grammar_->enter(kInvokeOpen, {}, emitter_);
        state_ = State::call;
      }
      break;
    default:
      break;
  }
  return hit.position + hit.length;
}

std::size_t MuseParser::step_call(std::string_view window, bool at_end) {
  const Grammar::Step step = grammar_->consume(window, at_end, emitter_);
  if (step.state == Grammar::State::inside) return step.consumed;
  state_ = State::tools;
  return step.consumed == 0 ? this->step(window, at_end) : step.consumed;
}

void MuseParser::begin_body() {
  const std::string_view to = recipient_of(header_);
  state_ = to == "self"                 ? State::thought
           : to.empty() || to == "user" ? State::answer
                                        : State::tools;
  header_.clear();
}

void MuseParser::take_text(std::string_view piece, bool closed) {
  switch (state_) {
    case State::header:
      if (header_.size() < kNameBytesLimit) header_ += piece;
      break;
    case State::thought:
      if (reasoning_) {
        emitter_.reasoning(piece);
      } else {
        emitter_.text(piece, closed);
      }
      break;
    case State::answer:
      emitter_.text(piece, closed);
      break;
    default:
      break;
  }
}

}  // namespace dynamo::parsers::detail
