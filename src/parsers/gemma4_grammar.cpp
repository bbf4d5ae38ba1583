// SPDX-License-Identifier: Apache-2.0
// gemma4.
#include "parsers/gemma4_grammar.h"

#include <string>
#include <utility>

#include "parsers/gemma4_arguments.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

constexpr int kOpen = 0;
constexpr int kClose = 1;
constexpr int kQuote = 2;
constexpr int kBareCall = 3;

constexpr std::string_view kCallWord = "call:";
/// A call without its opening token is held until its closing one; more than this is prose.
constexpr std::size_t kBareBytesLimit = std::size_t{64} << 10;

bool is_word_byte(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kNameBytesLimit) return false;
  for (const char c : name) {
    if (!is_word_byte(c) && c != '.' && c != '-') return false;
  }
  return true;
}

class Gemma4Grammar final : public Grammar {
 public:
  explicit Gemma4Grammar(const GrammarContext&)
      : close_set_({{"<tool_call|>", kClose}, {"<|tool_call>", kOpen}}) {}

  std::vector<Marker> text_markers() const override {
    return {{"<|tool_call>", kOpen},
            {"<tool_call|>", kClose},
            {"<|\"|>", kQuote},
            {kCallWord, kBareCall}};
  }

  Entry enter(int id, const Place& place, Emitter& out) override {
    if (id == kOpen) {
      out.mark(Trace::Kind::block_open);
      bare_ = false;
      begin();
      return Entry::taken;
    }
    if (id == kBareCall) {
      if (is_word_byte(place.last)) return Entry::plain;
      bare_ = true;
      begin();
      head_ = kCallWord;
      bare_bytes_ = 0;
      return Entry::taken;
    }
    out.mark(Trace::Kind::orphan, id);
    return Entry::deleted;
  }

  Step consume(std::string_view input, bool, Emitter& out) override {
    std::size_t at = 0;
    while (at < input.size()) {
      const State before = state_;
      const Step step = advance(input.substr(at), out);
      at += step.consumed;
      bare_bytes_ += step.consumed;
      if (bare_ && bare_bytes_ > kBareBytesLimit) return {at, Grammar::State::rejected};
      if (step.state != Grammar::State::inside) return {at, step.state};
      if (step.consumed == 0 && state_ == before) break;
    }
    return {at, Grammar::State::inside};
  }

  std::size_t take_run(std::string_view input, Emitter& out) override {
    if (state_ != State::arguments) return 0;
    const std::size_t size = arguments_.plain_run(input);
    if (size != 0) step_arguments(input.substr(0, size), out);
    return size;
  }

  bool finish(OutputEnd, Emitter& out) override {
    if (bare_) return true;
    if (!out.in_call()) return false;
    if (state_ == State::close) {
      out.end_call(torn_close_ ? Closure::unfenced : Closure::end_of_text);
    } else {
      out.abandon_call();
    }
    return false;
  }

  bool may_reject() const override { return bare_; }
  std::size_t rejected_bytes() const override { return kCallWord.size(); }

 private:
  enum class State : std::uint8_t {
    head,  // `call:NAME{`
    arguments,
    close,  // the arguments are complete
    lost,   // arguments that cannot be read, up to the closing token
  };

  void begin() {
    state_ = State::head;
    head_.clear();
    json_.clear();
    emitted_ = false;
    torn_close_ = false;
  }

  Step advance(std::string_view input, Emitter& out) {
    switch (state_) {
      case State::head:
        return step_head(input, out);
      case State::arguments:
        return step_arguments(input, out);
      case State::close:
        return step_close(input, out);
      case State::lost:
        return step_lost(input, out);
    }
    return {};
  }

  Step step_head(std::string_view input, Emitter& out) {
    const std::size_t brace = input.find('{');
    const MarkerSet::Hit hit = close_set_.scan(input, false);
    if (hit.position < std::min(brace, input.size()) &&
        (hit.id != MarkerSet::kNone || brace == std::string_view::npos)) {
      // The closing token came without arguments, or may be coming.
      head_ += input.substr(0, hit.position);
      if (hit.id == MarkerSet::kNone) return {hit.position, Grammar::State::inside};
      if (bare_) return {hit.position, Grammar::State::rejected};
      if (hit.id == kOpen) begin();
      return {hit.position + hit.length,
              hit.id == kOpen ? Grammar::State::inside : Grammar::State::left};
    }
    head_ += input.substr(0, brace);
    if (head_.size() > kNameBytesLimit + kCallWord.size()) {
      if (bare_) return {std::min(brace, input.size()), Grammar::State::rejected};
      head_.resize(kNameBytesLimit + kCallWord.size() + 1);
    }
    if (bare_ && !may_be_head()) return {std::min(brace, input.size()), Grammar::State::rejected};
    if (brace == std::string_view::npos) return {input.size(), Grammar::State::inside};
    std::string_view name = trim_left(head_);
    if (!name.starts_with(kCallWord) || !is_name(name.substr(kCallWord.size()))) {
      if (bare_) return {brace, Grammar::State::rejected};
      state_ = State::lost;
      return {brace + 1, Grammar::State::inside};
    }
    name_ = name.substr(kCallWord.size());
    state_ = State::arguments;
    arguments_.begin();
    if (!bare_) out.start_call(name_);
    return {brace + 1, Grammar::State::inside};
  }

  bool may_be_head() const noexcept {
    const std::string_view name = std::string_view(head_).substr(kCallWord.size());
    return name.empty() || is_name(name);
  }

  Step step_arguments(std::string_view input, Emitter& out) {
    std::string json;
    std::size_t consumed = 0;
    const auto status = arguments_.feed(input, consumed, json);
    if (bare_) {
      json_ += json;
    } else {
      out.arguments(json);
      emitted_ = emitted_ || !json.empty();
    }
    if (status == Gemma4Arguments::Status::more) return {consumed, Grammar::State::inside};
    if (status == Gemma4Arguments::Status::done) {
      state_ = State::close;
      return {consumed, Grammar::State::inside};
    }
    if (bare_) return {consumed, Grammar::State::rejected};
    lose_arguments(out);
    return {consumed, Grammar::State::inside};
  }

  // The call is kept with empty arguments where none went out yet.
  void lose_arguments(Emitter& out) {
    state_ = State::lost;
    if (out.revocable()) {
      out.truncate_arguments(0);
    } else if (std::exchange(emitted_, false)) {
      out.abandon_call();
      return;
    }
    out.arguments("{}");
  }

  Step step_close(std::string_view input, Emitter& out) {
    const MarkerSet::Hit hit = close_set_.match(input, false);
    emitted_ = false;
    if (hit.id == kClose) {
      if (bare_) {
        out.mark(Trace::Kind::block_open, kBareCall);
        out.start_call(name_);
        out.arguments(json_);
      }
      out.end_call(Closure::fenced);
      return {hit.length, Grammar::State::left};
    }
    if (hit.id == MarkerSet::kNone && hit.length != 0) {
      torn_close_ = true;
      return {};
    }
    torn_close_ = false;
    if (bare_) return {0, Grammar::State::rejected};
    if (is_json_space(input[0])) return {1, Grammar::State::inside};
    out.end_call(Closure::unfenced);
    return {0, Grammar::State::left};
  }

  Step step_lost(std::string_view input, Emitter& out) {
    const MarkerSet::Hit hit = close_set_.scan(input, false);
    const std::size_t consumed = hit.position + hit.length;
    if (hit.id == MarkerSet::kNone) return {consumed, Grammar::State::inside};
    if (out.in_call()) {
      if (hit.id == kClose) {
        out.end_call(Closure::fenced);
      } else {
        out.abandon_call();
      }
    }
    emitted_ = false;
    if (hit.id == kOpen) begin();
    return {consumed, hit.id == kOpen ? Grammar::State::inside : Grammar::State::left};
  }

  MarkerSet close_set_;
  Gemma4Arguments arguments_;
  State state_ = State::head;
  bool bare_ = false;
  bool emitted_ = false;     // arguments of the open call went out
  bool torn_close_ = false;  // the input ends inside the closing token
  std::string head_;
  std::string name_;
  std::string json_;            // of a bare call
  std::size_t bare_bytes_ = 0;  // of a bare call, behind its word
};

}  // namespace

std::unique_ptr<Grammar> make_gemma4_grammar(const GrammarContext& context) {
  return std::make_unique<Gemma4Grammar>(context);
}

}  // namespace dynamo::parsers::detail
