// SPDX-License-Identifier: Apache-2.0
// minimax_m3, minimax_m3_nom.
#include "parsers/minimax_m3_grammar.h"

#include <string>
#include <unordered_map>
#include <utility>

#include "parsers/argument_writer.h"
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
constexpr int kOtherTag = 4;
constexpr int kToken = 5;

constexpr std::string_view kTokenText = "]<]minimax[>[";
constexpr std::size_t kDepthLimit = 64;

/// One open tag inside an invocation, with what it holds so far.
struct Node {
  std::string tag;
  Schema schema;
  std::string text;
  /// Child tags in order of appearance; the values of one name are collected.
  std::vector<std::pair<std::string, std::vector<std::string>>> children;
  std::unordered_map<std::string, std::size_t> index;  // of children, by name
};

void add_child(Node& node, std::string_view name, std::string json) {
  const auto [at, added] = node.index.try_emplace(std::string(name), node.children.size());
  if (added) node.children.emplace_back(std::string(name), std::vector<std::string>{});
  node.children[at->second].second.push_back(std::move(json));
}

std::string json_array(const std::vector<std::string>& values) {
  std::string out = "[";
  for (const std::string& value : values) {
    if (out.size() > 1) out += ',';
    out += value;
  }
  return out + "]";
}

std::string json_of_values(const std::vector<std::string>& values) {
  return values.size() == 1 ? values[0] : json_array(values);
}

std::string json_of(const Node& node) {
  if (node.children.empty()) {
    return m3_scalar(decode_entities(node.text, Entities::xml), node.schema);
  }
  const bool list = node.children[0].first == "item" && node.schema.admits("array");
  if (list && node.children.size() == 1) return json_array(node.children[0].second);
  std::string out = "{";
  for (const auto& [name, values] : node.children) {
    if (out.size() > 1) out += ',';
    out += json_string(name) + ":" + json_of_values(values);
  }
  if (const std::string_view text = trim(node.text); !text.empty()) {
    std::string name = "$text";
    while (node.index.contains(name)) name.insert(0, "$");
    out += "," + json_string(name) + ":" + json_string(decode_entities(text, Entities::xml));
  }
  return out + "}";
}

class MinimaxM3Grammar final : public Grammar {
 public:
  explicit MinimaxM3Grammar(const GrammarContext& context)
      : context_(context), token_set_({{kTokenText, kToken}}) {
    for (const auto& [tail, id] :
         {std::pair("<tool_call>", kBlockOpen), std::pair("</tool_call>", kBlockClose),
          std::pair("<invoke", kInvokeOpen), std::pair("</invoke>", kInvokeClose),
          std::pair("<", kOtherTag), std::pair("", kToken)}) {
      texts_.emplace_back(std::string(kTokenText) + tail, id);
    }
  }

  std::vector<Marker> text_markers() const override {
    std::vector<Marker> markers;
    markers.reserve(texts_.size());
    for (const auto& [text, id] : texts_) markers.push_back({text, id});
    return markers;
  }

  Entry enter(int id, const Place&, Emitter& out) override {
    tag_.clear();
    nodes_.clear();
    switch (id) {
      case kBlockOpen:
        out.mark(Trace::Kind::block_open);
        in_block_ = true;
        state_ = State::text;
        return Entry::taken;
      case kInvokeOpen:
        out.mark(Trace::Kind::orphan, id);
        in_block_ = false;
        tag_ = "<invoke";
        state_ = State::tag;
        return Entry::taken;
      case kOtherTag:
        out.mark(Trace::Kind::orphan, id);
        state_ = State::orphan_tag;
        return Entry::taken;
      default:
        out.mark(Trace::Kind::orphan, id);
        return Entry::deleted;
    }
  }

  Step consume(std::string_view input, bool, Emitter& out) override {
    std::size_t at = 0;
    while (at < input.size()) {
      const State before = state_;
      const Step step = advance(input.substr(at), out);
      at += step.consumed;
      if (step.state != Grammar::State::inside) return {at, step.state};
      if (step.consumed == 0 && state_ == before) break;
    }
    return {at, Grammar::State::inside};
  }

  std::size_t take_run(std::string_view input, Emitter& out) override {
    if (state_ != State::text) return 0;
    const std::size_t size = token_set_.unmarked(input);
    take_text(input.substr(0, size), out);
    return size;
  }

  bool finish(OutputEnd, Emitter& out) override {
    if (out.in_call()) out.abandon_call();
    return false;
  }

 private:
  enum class State : std::uint8_t {
    text,        // up to the next namespace token
    tag,         // behind it, up to `>`
    orphan_tag,  // a tag in prose
  };

  Step advance(std::string_view input, Emitter& out) {
    if (state_ == State::text) {
      const MarkerSet::Hit hit = token_set_.scan(input, false);
      take_text(input.substr(0, hit.position), out);
      if (hit.id == kToken) {
        state_ = State::tag;
        tag_.clear();
      }
      return {hit.position + hit.length, Grammar::State::inside};
    }
    if (state_ == State::tag && tag_.empty() && input[0] != '<') {
      state_ = State::text;  // a token without a tag
      return {};
    }
    const std::size_t end = input.find('>');
    tag_ += input.substr(0, end);
    if (tag_.size() > kNameBytesLimit) tag_.resize(kNameBytesLimit + 1);
    if (end == std::string_view::npos) return {input.size(), Grammar::State::inside};
    if (state_ == State::orphan_tag) return {end + 1, Grammar::State::left};
    state_ = State::text;
    return {end + 1, take_tag(out)};
  }

  void take_text(std::string_view piece, Emitter& out) {
    if (nodes_.empty()) return;
    nodes_.back().text += piece;
    held_ += piece.size();
    if (held_ > context_.held_bytes_limit) {
      nodes_.clear();
      if (out.in_call()) out.abandon_call();
    }
  }

  Grammar::State take_tag(Emitter& out) {
    const std::string_view tag = tag_;
    if (tag.size() > kNameBytesLimit) return Grammar::State::inside;
    if (tag == "<tool_call") {
      out.mark(Trace::Kind::block_open);
      if (out.in_call()) out.abandon_call();
      nodes_.clear();
      in_block_ = true;
      return Grammar::State::inside;
    }
    if (tag == "</tool_call") {
      if (out.in_call()) out.abandon_call();
      nodes_.clear();
      out.mark(in_block_ ? Trace::Kind::block_close : Trace::Kind::orphan, kBlockClose);
      return Grammar::State::left;
    }
    if (tag == "</invoke") {
      end_invoke(out);
      return in_block_ ? Grammar::State::inside : Grammar::State::left;
    }
    if (!out.in_call()) {
      if (tag.starts_with("<invoke"))
        begin_invoke(tag.substr(std::string_view("<invoke").size()), out);
      return Grammar::State::inside;
    }
    if (tag.starts_with("</")) {
      close_node(trim(tag.substr(2)), out);
    } else {
      open_node(trim(tag.substr(1)));
    }
    return Grammar::State::inside;
  }

  void begin_invoke(std::string_view attributes, Emitter& out) {
    attributes = trim(attributes);
    if (attributes.starts_with("name=")) attributes.remove_prefix(std::string_view("name=").size());
    if (attributes.size() >= 2 && (attributes[0] == '"' || attributes[0] == '\'') &&
        attributes.back() == attributes[0]) {
      attributes = attributes.substr(1, attributes.size() - 2);
    }
    const std::string_view name = trim(attributes);
    if (name.empty()) return;
    schema_ = Schema::of_tool(context_.tools, name);
    writer_.begin();
    done_ = {};
    held_ = 0;
    out.start_call(name);
  }

  void open_node(std::string_view name) {
    if (name.empty() || nodes_.size() == kDepthLimit) return;
    const Schema schema = nodes_.empty() ? schema_.property(name)
                          : name == "item" && nodes_.back().schema.admits("array")
                              ? nodes_.back().schema.items()
                              : nodes_.back().schema.member(name);
    nodes_.push_back(
        {.tag = std::string(name), .schema = schema, .text = {}, .children = {}, .index = {}});
  }

  // Tags that were not closed before their parent end with it.
  void close_node(std::string_view name, Emitter& out) {
    std::size_t depth = nodes_.size();
    while (depth > 0 && nodes_[depth - 1].tag != name) --depth;
    if (depth == 0) return;
    while (nodes_.size() >= depth) {
      std::string json = json_of(nodes_.back());
      const std::string tag = std::move(nodes_.back().tag);
      nodes_.pop_back();
      if (!nodes_.empty()) {
        add_child(nodes_.back(), tag, std::move(json));
      } else {
        add_argument(tag, std::move(json), out);
        return;
      }
    }
  }

  // A repeated parameter becomes an array, so the last one waits for the next name; what can be
  // taken back waits for the end of the call.
  void add_argument(const std::string& name, std::string json, Emitter& out) {
    if (!out.revocable() && !done_.children.empty() && done_.children.back().first != name) {
      flush_arguments(out);
    }
    add_child(done_, name, std::move(json));
  }

  void flush_arguments(Emitter& out) {
    for (const auto& [name, values] : done_.children)
      writer_.member(name, json_of_values(values), out);
    done_ = {};
  }

  void end_invoke(Emitter& out) {
    nodes_.clear();
    if (!out.in_call()) return;
    flush_arguments(out);
    writer_.end(out);
    out.end_call(Closure::fenced);
  }

  GrammarContext context_;
  MarkerSet token_set_;
  std::vector<std::pair<std::string, int>> texts_;
  State state_ = State::text;
  bool in_block_ = false;
  std::size_t held_ = 0;
  std::string tag_;
  std::vector<Node> nodes_;
  Node done_;  // parameters that wait
  Schema schema_;
  ArgumentWriter writer_;
};

}  // namespace

std::unique_ptr<Grammar> make_minimax_m3_grammar(const GrammarContext& context) {
  return std::make_unique<MinimaxM3Grammar>(context);
}

}  // namespace dynamo::parsers::detail
