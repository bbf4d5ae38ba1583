// SPDX-License-Identifier: Apache-2.0
// qwen3_coder, nemotron_nano, minimax_m2, deepseek_v3_2, deepseek_v4.
#include "parsers/invoke_grammar.h"

#include <array>
#include <string>
#include <utility>

#include "parsers/argument_writer.h"
#include "parsers/json_scanner.h"
#include "parsers/json_text.h"
#include "parsers/schema.h"
#include "parsers/string_value.h"
#include "parsers/value_typing.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

constexpr int kBlockOpen = 0;
constexpr int kBlockClose = 1;
constexpr int kInvokeOpen = 2;
constexpr int kInvokeClose = 3;
constexpr int kParameterOpen = 4;
constexpr int kParameterClose = 5;

/// `"NAME" string="true"`, `'NAME'` or `NAME` between an opening tag and its `>`.
struct Header {
  std::string_view name;
  std::string_view string_attribute;
};

Header parse_header(std::string_view text) {
  text = trim(text);
  Header header{.name = text, .string_attribute = {}};
  if (text.empty() || (text[0] != '"' && text[0] != '\'')) return header;
  const std::size_t end = text.find(text[0], 1);
  if (end == std::string_view::npos) return header;
  header.name = trim(text.substr(1, end - 1));
  constexpr std::string_view kAttribute = "string=\"";
  std::string_view rest = trim(text.substr(end + 1));
  if (rest.starts_with(kAttribute)) {
    rest.remove_prefix(kAttribute.size());
    header.string_attribute = rest.substr(0, rest.find('"'));
  }
  return header;
}

class InvokeGrammar final : public Grammar {
 public:
  InvokeGrammar(const InvokeFamily& family, const GrammarContext& context)
      : family_(family),
        context_(context),
        block_set_({{family.invoke_open, kInvokeOpen},
                    {family.block_close, kBlockClose},
                    {family.block_open, kBlockOpen}}),
        body_set_({{family.parameter_open, kParameterOpen},
                   {family.invoke_close, kInvokeClose},
                   {family.block_close, kBlockClose}}),
        value_set_(family.special_tokens ? MarkerSet({{family.parameter_close, kParameterClose},
                                                      {family.invoke_close, kInvokeClose},
                                                      {family.block_close, kBlockClose}})
                                         : MarkerSet({{family.parameter_close, kParameterClose}})) {
  }

  std::vector<Marker> text_markers() const override {
    return {{family_.block_open, kBlockOpen},         {family_.block_close, kBlockClose},
            {family_.invoke_open, kInvokeOpen},       {family_.invoke_close, kInvokeClose},
            {family_.parameter_open, kParameterOpen}, {family_.parameter_close, kParameterClose}};
  }

  // Only XML-tagged qwen3_coder has a unified parser in the reference.
  std::span<const int> thought_markers() const override {
    static constexpr std::array<int, 1> kOpen{kBlockOpen};
    if (!family_.close_optional) return {};
    return kOpen;
  }

  Entry enter(int id, const Place&, Emitter& out) override {
    header_.clear();
    if (id == kBlockOpen) {
      open_block(out);
      return Entry::taken;
    }
    if (id == kInvokeOpen) {
      out.mark(Trace::Kind::orphan, id);
      in_block_ = false;
      state_ = State::invoke_header;
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
    if (state_ != State::value) return 0;
    const std::size_t size = value_set_.unmarked(input);
    take_value(input.substr(0, size), out);
    return size;
  }

  bool finish(OutputEnd, Emitter& out) override {
    if (!out.in_call()) return false;
    if (state_ == State::body && family_.close_optional) {
      writer_.end(out);
      out.end_call(Closure::end_of_text);
    } else {
      out.abandon_call();
    }
    return false;
  }

 private:
  enum class State : std::uint8_t { block, invoke_header, body, parameter_header, value };

  void open_block(Emitter& out) {
    out.mark(Trace::Kind::block_open);
    in_block_ = true;
    block_used_ = false;
    state_ = State::block;
  }

  Step advance(std::string_view input, bool at_end, Emitter& out) {
    switch (state_) {
      case State::block:
        return step_block(input, at_end, out);
      case State::invoke_header:
      case State::parameter_header:
        return step_header(input, out);
      case State::body:
        return step_body(input, at_end, out);
      case State::value:
        return step_value(input, at_end, out);
    }
    return {};
  }

  Step step_block(std::string_view input, bool at_end, Emitter& out) {
    if (!block_used_ && !family_.special_tokens) {
      // In prose the opener is only mentioned; a call follows it directly.
      if (const std::size_t space = leading_space(input)) return {space, Grammar::State::inside};
      if (may_become_space(input) && !at_end) return {};
      const MarkerSet::Hit here = block_set_.match(input, at_end);
      if (here.id == MarkerSet::kNone && here.length == 0) {
        if (at_end && block_set_.match(input, false).length != 0) {
          return {input.size(), Grammar::State::inside};
        }
        out.mark(Trace::Kind::broken);
        return {0, Grammar::State::left};
      }
    }
    const MarkerSet::Hit hit = block_set_.scan(input, at_end);
    const std::size_t consumed = hit.position + hit.length;
    switch (hit.id) {
      case kInvokeOpen:
        block_used_ = true;
        header_.clear();
        state_ = State::invoke_header;
        break;
      case kBlockOpen:
        open_block(out);
        break;
      case kBlockClose:
        out.mark(Trace::Kind::block_close);
        return {consumed, Grammar::State::left};
      default:
        break;
    }
    return {consumed, Grammar::State::inside};
  }

  Step step_header(std::string_view input, Emitter& out) {
    const std::size_t end = input.find('>');
    header_ += input.substr(0, end);
    if (header_.size() > kNameBytesLimit) header_.resize(kNameBytesLimit + 1);
    if (end == std::string_view::npos) return {input.size(), Grammar::State::inside};
    const Header header = parse_header(header_);
    const bool good = !header.name.empty() && header_.size() <= kNameBytesLimit;
    if (state_ == State::invoke_header) {
      state_ = State::body;
      named_ = good;
      writer_.begin();
      if (good) {
        schema_ = Schema::of_tool(context_.tools, header.name);
        out.start_call(header.name);
      }
    } else {
      begin_value(header, good, out);
    }
    header_.clear();
    return {end + 1, Grammar::State::inside};
  }

  void begin_value(const Header& header, bool good, Emitter& out) {
    state_ = State::value;
    value_wanted_ = named_ && good;
    raw_.clear();
    value_schema_ = schema_.property(header.name);
    streams_ = family_.typed_by_schema ? xml_value_is_string(value_schema_)
                                       : header.string_attribute == "true";
    if (!value_wanted_) return;
    if (streams_) {
      string_.begin(family_.typed_by_schema
                        ? StringValue::Options{.entities = Entities::xml, .null_word = true}
                        : StringValue::Options{});
    }
    rollback_ = out.revocable() ? out.arguments_size() : 0;
    writer_.key(header.name, out);
  }

  Step step_body(std::string_view input, bool at_end, Emitter& out) {
    const MarkerSet::Hit hit = body_set_.scan(input, at_end);
    const std::size_t consumed = hit.position + hit.length;
    switch (hit.id) {
      case kParameterOpen:
        header_.clear();
        state_ = State::parameter_header;
        break;
      case kInvokeClose:
        return {consumed, end_invoke(out)};
      case kBlockClose:
        return {consumed, close_block_early(out)};
      default:
        break;
    }
    return {consumed, Grammar::State::inside};
  }

  Grammar::State end_invoke(Emitter& out) {
    if (named_) {
      writer_.end(out);
      out.end_call(Closure::fenced);
    }
    state_ = State::block;
    return in_block_ ? Grammar::State::inside : Grammar::State::left;
  }

  // The block ends while an invocation is open.
  Grammar::State close_block_early(Emitter& out) {
    if (named_ && family_.close_optional) {
      writer_.end(out);
      out.end_call(Closure::fenced);
    } else if (named_) {
      out.abandon_call();
    }
    out.mark(in_block_ ? Trace::Kind::block_close : Trace::Kind::orphan, kBlockClose);
    return Grammar::State::left;
  }

  Step step_value(std::string_view input, bool at_end, Emitter& out) {
    const MarkerSet::Hit hit = value_set_.scan(input, at_end);
    const std::size_t consumed = hit.position + hit.length;
    take_value(input.substr(0, hit.position), out);
    if (hit.id == MarkerSet::kNone) return {consumed, Grammar::State::inside};
    state_ = State::body;
    if (hit.id == kParameterClose) {
      finish_value(out);
      return {consumed, Grammar::State::inside};
    }
    drop_value(out);
    if (hit.id == kInvokeClose) return {consumed, end_invoke(out)};
    return {consumed, close_block_early(out)};
  }

  void take_value(std::string_view piece, Emitter& out) {
    if (!value_wanted_ || piece.empty()) return;
    if (streams_) {
      std::string json;
      string_.feed(piece, json);
      out.arguments(json);
      return;
    }
    raw_ += piece;
    if (raw_.size() <= context_.held_bytes_limit) return;
    out.abandon_call();
    named_ = false;
    value_wanted_ = false;
    raw_ = {};
  }

  void finish_value(Emitter& out) {
    if (!value_wanted_) return;
    std::string json;
    if (streams_) {
      string_.finish(json);
    } else if (family_.typed_by_schema) {
      json = xml_value(decode_entities(trim(raw_), Entities::xml), value_schema_);
    } else if (!is_json(trim(raw_), &json)) {
      json = json_string(trim(raw_));
    }
    out.arguments(json);
    raw_.clear();
  }

  // A value without its close: it is taken back, or closed when it is already out.
  void drop_value(Emitter& out) {
    if (!value_wanted_) return;
    if (out.revocable()) {
      out.truncate_arguments(rollback_);
      writer_.forget_last();
    } else {
      finish_value(out);
    }
  }

  const InvokeFamily& family_;
  GrammarContext context_;
  MarkerSet block_set_;
  MarkerSet body_set_;
  MarkerSet value_set_;
  State state_ = State::block;
  bool in_block_ = false;
  bool block_used_ = false;  // an invocation began in this block
  bool named_ = false;       // the open invocation is a call
  bool value_wanted_ = false;
  bool streams_ = false;  // the value is a string and passes through
  std::size_t rollback_ = 0;
  std::string header_;
  std::string raw_;
  StringValue string_;
  ArgumentWriter writer_;
  Schema schema_;
  Schema value_schema_;
};

}  // namespace

std::unique_ptr<Grammar> make_invoke_grammar(const InvokeFamily& family,
                                             const GrammarContext& context) {
  return std::make_unique<InvokeGrammar>(family, context);
}

}  // namespace dynamo::parsers::detail
