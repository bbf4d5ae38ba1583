// SPDX-License-Identifier: Apache-2.0
#include "parsers/guided_grammar.h"

#include <utility>

#include "parsers/call_object.h"
#include "parsers/json_scanner.h"
#include "parsers/schema.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

constexpr int kObjectStart = 1000;
constexpr int kArrayStart = 1001;

class GuidedGrammar final : public Grammar {
 public:
  GuidedGrammar(std::string named_tool, std::unique_ptr<Grammar> native,
                const GrammarContext& context)
      : named_tool_(std::move(named_tool)), native_(std::move(native)), context_(context) {
    if (native_ == nullptr) return;
    for (const Marker& marker : native_->text_markers()) {
      if (marker.text == "{") native_object_ = marker.id;
      if (marker.text == "[") native_array_ = marker.id;
    }
  }

  std::vector<Marker> text_markers() const override {
    std::vector<Marker> markers{{"{", kObjectStart}, {"[", kArrayStart}};
    if (native_ != nullptr) {
      for (const Marker& marker : native_->text_markers()) markers.push_back(marker);
    }
    return markers;
  }

  Entry enter(int id, const Place& place, Emitter& out) override {
    in_native_ = false;
    if (id == kObjectStart || id == kArrayStart) {
      if (!used_ && place.at_start) {
        used_ = true;
        taken_ = place.marker;
        begin(id, out);
        return Entry::taken;
      }
      id = id == kObjectStart ? native_object_ : native_array_;
      if (id < 0) return Entry::plain;
    }
    in_native_ = true;
    return native_->enter(id, place, out);
  }

  Step consume(std::string_view input, bool at_end, Emitter& out) override {
    if (in_native_) return native_->consume(input, at_end, out);
    std::size_t at = 0;
    while (at < input.size()) {
      const State before = state_;
      std::size_t consumed = 0;
      const bool good = advance(input.substr(at), consumed, out);
      if (!called_) taken_ += input.substr(at, consumed);
      at += consumed;
      if (!good) return give_up(at, out);
      if (state_ == State::done) {
        return {at, called_ ? Grammar::State::left : Grammar::State::rejected};
      }
      if (taken_.size() > context_.held_bytes_limit) return give_up(at, out);
      if (consumed == 0 && state_ == before) break;
    }
    return {at, Grammar::State::inside};
  }

  bool finish(OutputEnd end, Emitter& out) override {
    if (in_native_) return native_->finish(end, out);
    if (state_ == State::direct) {
      const auto closing = scanner_.closing();
      if (closing) {
        out.arguments(*closing);
        out.end_call(Closure::repaired);
      } else {
        out.abandon_call();
      }
      return false;
    }
    if (state_ == State::object && object_.finish(true, out)) called_ = true;
    if (out.in_call()) out.abandon_call();
    return !called_;
  }

  bool may_reject() const override { return in_native_ ? native_->may_reject() : !called_; }
  std::size_t rejected_bytes() const override { return in_native_ ? native_->rejected_bytes() : 1; }
  bool reads_words() const override { return native_ != nullptr && native_->reads_words(); }
  std::size_t take_run(std::string_view input, Emitter& out) override {
    return in_native_ ? native_->take_run(input, out) : 0;
  }

 private:
  enum class State : std::uint8_t {
    first_key,  // of a named tool's object: are these the arguments, or a call around them?
    direct,     // the arguments themselves
    held,       // an object that only its end explains
    object,     // {"name": …, "parameters": …}
    elements,
    done,
  };

  void begin(int id, Emitter& out) {
    called_ = false;
    key_.clear();
    if (id == kArrayStart) {
      state_ = State::elements;
    } else if (!named_tool_.empty()) {
      state_ = State::first_key;
    } else {
      begin_object(true, out);
    }
  }

  void begin_object(bool bracket_taken, Emitter& out) {
    state_ = State::object;
    object_.begin({.second_key_wins = true});
    std::size_t n = 0;
    if (bracket_taken) object_.feed("{", n, out);
  }

  // False: this is no call.
  bool advance(std::string_view input, std::size_t& consumed, Emitter& out) {
    switch (state_) {
      case State::first_key:
        return take_first_key(input, consumed, out);
      case State::direct:
        return take_direct(input, consumed, out);
      case State::held:
        return take_held(input, consumed, out);
      case State::object:
        return take_object(input, consumed, out);
      case State::elements:
        return take_element(input, consumed, out);
      case State::done:
        break;
    }
    return false;
  }

  bool is_call_key(std::string_view key) const {
    if (key != "name" && key != "arguments" && key != "parameters") return false;
    // A tool that declares `name` itself, and nothing like `arguments`, means itself.
    const Schema schema = Schema::of_tool(context_.tools, named_tool_);
    const bool own = schema.property(key).known();
    return !own || schema.property("arguments").known() || schema.property("parameters").known();
  }

  bool take_first_key(std::string_view input, std::size_t& consumed, Emitter& out) {
    const char c = input[0];
    if (key_.empty() && is_json_space(c)) {
      consumed = 1;
      return true;
    }
    if (key_.empty() && c == '}') {
      start_direct(out);
      return true;
    }
    if (key_.empty() && c != '"') return false;
    consumed = 1;
    key_ += c;
    if (key_.size() > kNameBytesLimit) {
      consumed = 0;
      key_.pop_back();
      start_direct(out);
      return true;
    }
    if (key_.size() == 1 || c != '"') return true;
    if (!is_call_key(std::string_view(key_).substr(1, key_.size() - 2))) {
      consumed = 0;
      key_.pop_back();
      start_direct(out);
      return true;
    }
    state_ = State::held;
    scanner_.reset();
    std::size_t n = 0;
    std::string unused;
    // The held object begins with what was taken, without this byte.
    scanner_.feed(taken_, n, unused);
    consumed = 0;
    key_.pop_back();
    return true;
  }

  // The object is the arguments; what was taken of it goes out.
  void start_direct(Emitter& out) {
    state_ = State::direct;
    called_ = true;
    scanner_.reset();
    out.start_call(named_tool_);
    std::size_t n = 0;
    std::string json;
    scanner_.feed(std::exchange(taken_, {}), n, json);
    out.arguments(json);
  }

  bool take_direct(std::string_view input, std::size_t& consumed, Emitter& out) {
    std::string json;
    const auto status = scanner_.feed(input, consumed, json);
    out.arguments(json);
    if (status == JsonScanner::Status::done) {
      out.end_call(Closure::fenced);
      state_ = State::done;
    }
    return status != JsonScanner::Status::invalid;
  }

  bool take_held(std::string_view input, std::size_t& consumed, Emitter& out) {
    std::string unused;
    const auto status = scanner_.feed(input, consumed, unused);
    if (status == JsonScanner::Status::invalid) return false;
    if (status == JsonScanner::Status::more) return true;
    const std::string text = taken_ + std::string(input.substr(0, consumed));
    std::size_t n = 0;
    begin_object(false, out);
    object_.feed(text, n, out);
    if (!object_.call_started()) {
      called_ = true;
      out.start_call(named_tool_);
      out.arguments(text);
      out.end_call(Closure::fenced);
    }
    called_ = true;
    state_ = State::done;
    return true;
  }

  bool take_object(std::string_view input, std::size_t& consumed, Emitter& out) {
    const auto status = object_.feed(input, consumed, out);
    called_ = called_ || object_.call_started();
    if (status == CallObject::Status::done) state_ = in_array_ ? State::elements : State::done;
    return status != CallObject::Status::invalid;
  }

  bool take_element(std::string_view input, std::size_t& consumed, Emitter& out) {
    const char c = input[0];
    in_array_ = true;
    if (c == '{') {
      begin_object(false, out);
      object_.begin({});  // in an array, `arguments` counts before `parameters`
      return true;
    }
    consumed = 1;
    if (c == ']') state_ = State::done;
    return is_json_space(c) || c == ',' || c == ']';
  }

  Step give_up(std::size_t consumed, Emitter& out) {
    if (out.in_call()) out.abandon_call();
    return {consumed, called_ ? Grammar::State::left : Grammar::State::rejected};
  }

  std::string named_tool_;
  std::unique_ptr<Grammar> native_;
  GrammarContext context_;
  int native_object_ = -1;
  int native_array_ = -1;
  State state_ = State::done;
  bool used_ = false;
  bool in_native_ = false;
  bool in_array_ = false;
  bool called_ = false;  // a call went out; there is no way back
  std::string key_;
  std::string taken_;
  CallObject object_;
  JsonScanner scanner_;
};

}  // namespace

std::unique_ptr<Grammar> make_guided_grammar(std::string named_tool,
                                             std::unique_ptr<Grammar> native,
                                             const GrammarContext& context) {
  return std::make_unique<GuidedGrammar>(std::move(named_tool), std::move(native), context);
}

}  // namespace dynamo::parsers::detail
