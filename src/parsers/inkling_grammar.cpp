// SPDX-License-Identifier: Apache-2.0
// inkling.
#include "parsers/inkling_grammar.h"

#include <array>
#include <string>
#include <utility>

#include "parsers/call_object.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

constexpr int kHeader = 0;
constexpr int kThinking = 1;
constexpr int kText = 2;
constexpr int kInvoke = 3;
constexpr int kMedia = 4;
constexpr int kEnd = 5;
constexpr int kSamplingEnd = 6;

constexpr std::string_view kHeaderText = "<|message_model|>";
constexpr std::string_view kInvokeText = "<|content_invoke_tool_json|>";
constexpr std::string_view kEndText = "<|end_message|>";

constexpr std::array<Marker, 8> kMarkers{{{kHeaderText, kHeader},
                                          {"<|content_thinking|>", kThinking},
                                          {"<|content_text|>", kText},
                                          {kInvokeText, kInvoke},
                                          {"<|content_image|>", kMedia},
                                          {"<|content_audio_input|>", kMedia},
                                          {kEndText, kEnd},
                                          {"<|content_model_end_sampling|>", kSamplingEnd}}};

constexpr CallObject::Options kCallOptions{.first_key = "args",
                                           .second_key = {},
                                           .second_key_wins = false,
                                           .name_only = true,
                                           .null_is_empty = true,
                                           .strict = false};

bool is_name_byte(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-' || c == ':' || c == '/';
}

class InklingGrammar final : public Grammar {
 public:
  InklingGrammar(const GrammarContext& context, bool hand_over)
      : context_(context),
        hand_over_(hand_over),
        markers_(kMarkers),
        end_set_({{kEndText, kEnd}}) {}

  std::vector<Marker> text_markers() const override { return {kMarkers.begin(), kMarkers.end()}; }
  bool primed() const override { return true; }

  Entry enter(int id, const Place&, Emitter& out) override {
    switch (id) {
      case kHeader:
        begin_header();
        return Entry::taken;
      case kInvoke:
        begin_header();
        begin_call(out);
        return Entry::taken;
      case kMedia:
        state_ = State::discard;
        return Entry::taken;
      default:
        return Entry::deleted;
    }
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
    return state_ == State::call && !hand_over_ ? object_.take_run(input, out) : 0;
  }

  bool finish(OutputEnd, Emitter& out) override {
    switch (state_) {
      case State::header:
        out.text(std::exchange(name_, {}));
        break;
      case State::call:
        if (out.in_call()) out.abandon_call();
        break;
      case State::fence:
      case State::skip:
      case State::discard:
        break;
    }
    if (hand_over_) out.text(std::exchange(block_, {}));
    return false;
  }

 private:
  enum class State : std::uint8_t {
    header,   // a name, or the block's kind
    call,     // the JSON of a call
    fence,    // JSON complete, up to the fence
    skip,     // broken JSON, up to the next fence
    discard,  // a media block
  };

  void begin_header() {
    state_ = State::header;
    name_.clear();
  }

  void begin_call(Emitter& out) {
    out.mark(Trace::Kind::block_open);
    state_ = State::call;
    object_.begin(kCallOptions);
    scanner_.reset();
    // A call whose header was in the prompt gets it back, so that the block is complete.
    if (hand_over_) block_ = std::string(kHeaderText) + name_ + std::string(kInvokeText);
    name_.clear();
  }

  Step advance(std::string_view input, bool at_end, Emitter& out) {
    switch (state_) {
      case State::header:
        return step_header(input, at_end, out);
      case State::call:
        return step_call(input, out);
      case State::fence:
      case State::skip:
      case State::discard:
        return step_fence(input, out);
    }
    return {};
  }

  Step step_header(std::string_view input, bool at_end, Emitter& out) {
    std::size_t n = 0;
    while (n < input.size() && is_name_byte(input[n])) ++n;
    name_ += input.substr(0, n);
    if (n == input.size() && name_.size() <= kNameBytesLimit) return {n, Grammar::State::inside};
    const MarkerSet::Hit hit = markers_.match(input.substr(n), at_end && context_.batch);
    if (hit.id == MarkerSet::kNone && hit.length != 0) return {n, Grammar::State::inside};
    switch (hit.id) {
      case kInvoke:
        begin_call(out);
        return {n + hit.length, Grammar::State::inside};
      case kHeader:
        out.text(std::exchange(name_, {}));
        begin_header();
        return {n + hit.length, Grammar::State::inside};
      case kMedia:
        state_ = State::discard;
        name_.clear();
        return {n + hit.length, Grammar::State::inside};
      default:
        break;
    }
    // Text, a thought (the driver reads its marker again) or prose.
    if (hit.id == kText) name_.clear();
    out.text(std::exchange(name_, {}));
    if (hit.id == kThinking) return {n, Grammar::State::left};
    return {n + (hit.id == MarkerSet::kNone ? 0 : hit.length), Grammar::State::left};
  }

  Step step_call(std::string_view input, Emitter& out) {
    std::size_t consumed = 0;
    bool done = false;
    bool broken = false;
    if (hand_over_) {
      const auto status = scanner_.feed(input, consumed, unused_);
      unused_.clear();
      done = status == JsonScanner::Status::done;
      broken = status == JsonScanner::Status::invalid;
      block_ += input.substr(0, consumed);
    } else {
      const auto status = object_.feed(input, consumed, out);
      done = status == CallObject::Status::done;
      broken = status == CallObject::Status::invalid;
    }
    if (done) state_ = State::fence;
    if (broken) {
      object_.give_up(out);
      state_ = State::skip;
    }
    return {consumed, Grammar::State::inside};
  }

  Step step_fence(std::string_view input, Emitter& out) {
    const MarkerSet::Hit hit = end_set_.scan(input, false);
    const std::size_t consumed = hit.position + hit.length;
    if (hand_over_ && state_ != State::discard) block_ += input.substr(0, consumed);
    if (hit.id == MarkerSet::kNone) return {consumed, Grammar::State::inside};
    if (state_ == State::fence) out.mark(Trace::Kind::block_close);
    if (hand_over_) out.text(std::exchange(block_, {}));
    return {consumed, Grammar::State::left};
  }

  GrammarContext context_;
  bool hand_over_;
  MarkerSet markers_;
  MarkerSet end_set_;
  CallObject object_;
  JsonScanner scanner_;
  State state_ = State::header;
  std::string name_;
  std::string block_;  // handed over
  std::string unused_;
};

}  // namespace

std::unique_ptr<Grammar> make_inkling_grammar(const GrammarContext& context, bool hand_over) {
  return std::make_unique<InklingGrammar>(context, hand_over);
}

}  // namespace dynamo::parsers::detail
