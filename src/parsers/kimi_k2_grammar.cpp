// SPDX-License-Identifier: Apache-2.0
// kimi_k2.
#include "parsers/kimi_k2_grammar.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "parsers/argument_text.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

constexpr int kSectionOpen = 0;
constexpr int kSectionClose = 1;
constexpr int kCallOpen = 2;
constexpr int kArgumentOpen = 3;
constexpr int kCallClose = 4;

constexpr std::array<Marker, 7> kMarkers{{{"<|tool_calls_section_begin|>", kSectionOpen},
                                          {"<|tool_call_section_begin|>", kSectionOpen},
                                          {"<|tool_calls_section_end|>", kSectionClose},
                                          {"<|tool_call_section_end|>", kSectionClose},
                                          {"<|tool_call_begin|>", kCallOpen},
                                          {"<|tool_call_argument_begin|>", kArgumentOpen},
                                          {"<|tool_call_end|>", kCallClose}}};

MarkerSet markers_of(std::initializer_list<int> tags) {
  std::vector<Marker> markers;
  for (const Marker& marker : kMarkers) {
    if (std::ranges::find(tags, marker.id) != tags.end()) markers.push_back(marker);
  }
  return MarkerSet(markers);
}

/// `[\w.-]+:\d+`; the name is what stands before the colon, without a leading "functions.".
std::string_view name_of_id(std::string_view id) noexcept {
  const std::size_t colon = id.find(':');
  if (colon == 0 || colon == std::string_view::npos || colon + 1 == id.size()) return {};
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_name = [&](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '.' || c == '-' || static_cast<unsigned char>(c) >= 0x80;
  };
  std::string_view name = id.substr(0, colon);
  if (!std::ranges::all_of(name, is_name) || !std::ranges::all_of(id.substr(colon + 1), is_digit)) {
    return {};
  }
  if (name.starts_with("functions.")) name.remove_prefix(std::string_view("functions.").size());
  return name;
}

class KimiK2Grammar final : public Grammar {
 public:
  explicit KimiK2Grammar(const GrammarContext&)
      : section_set_(markers_of({kCallOpen, kSectionClose, kSectionOpen})),
        id_set_(markers_of({kArgumentOpen, kCallClose, kSectionClose, kCallOpen})),
        argument_set_(markers_of({kCallClose, kSectionClose})) {}

  std::vector<Marker> text_markers() const override { return {kMarkers.begin(), kMarkers.end()}; }
  std::span<const int> thought_markers() const override {
    static constexpr std::array<int, 1> kOpen{kSectionOpen};
    return kOpen;
  }

  Entry enter(int id, const Place&, Emitter& out) override {
    if (id == kSectionOpen) {
      out.mark(Trace::Kind::block_open);
      in_section_ = true;
      state_ = State::section;
      return Entry::taken;
    }
    out.mark(Trace::Kind::orphan, id);
    if (id != kCallOpen) return Entry::deleted;
    in_section_ = false;
    open_call();
    return Entry::taken;
  }

  Step consume(std::string_view input, bool, Emitter& out) override {
    std::size_t at = 0;
    while (at < input.size()) {
      const Step step = advance(input.substr(at), out);
      at += step.consumed;
      if (step.state != Grammar::State::inside) return {at, step.state};
      if (step.consumed == 0) break;
    }
    return {at, Grammar::State::inside};
  }

  std::size_t take_run(std::string_view input, Emitter& out) override {
    if (state_ != State::arguments) return 0;
    const std::size_t size = argument_set_.unmarked(input);
    if (wanted_) out.arguments(arguments_.feed(input.substr(0, size)));
    return size;
  }

  bool finish(OutputEnd, Emitter& out) override {
    if (!out.in_call()) return false;
    if (arguments_.is_complete_json()) {
      out.end_call(Closure::unfenced);
    } else {
      out.abandon_call();
    }
    return false;
  }

 private:
  enum class State : std::uint8_t { section, id, arguments };

  void open_call() {
    id_.clear();
    state_ = State::id;
  }

  Step advance(std::string_view input, Emitter& out) {
    // What waits at the end of the output as part of a marker is markup, and vanishes with it.
    const MarkerSet& set = state_ == State::section ? section_set_
                           : state_ == State::id    ? id_set_
                                                    : argument_set_;
    const MarkerSet::Hit hit = set.scan(input, false);
    const std::size_t consumed = hit.position + hit.length;
    const std::string_view piece = input.substr(0, hit.position);
    if (state_ == State::id && id_.size() <= kNameBytesLimit) id_ += piece;
    if (state_ == State::arguments && wanted_) out.arguments(arguments_.feed(piece));
    switch (hit.id) {
      case kCallOpen:
        open_call();
        break;
      case kArgumentOpen:
        begin_arguments(out);
        break;
      case kCallClose:
        close_call(out);
        state_ = State::section;
        if (!in_section_) return {consumed, Grammar::State::left};
        break;
      case kSectionClose:
        if (out.in_call()) out.abandon_call();
        out.mark(in_section_ ? Trace::Kind::block_close : Trace::Kind::orphan, hit.id);
        return {consumed, Grammar::State::left};
      default:
        break;
    }
    return {consumed, Grammar::State::inside};
  }

  void begin_arguments(Emitter& out) {
    state_ = State::arguments;
    arguments_.begin();
    const std::string_view id = trim(id_);
    const std::string_view name =
        id_.size() <= kNameBytesLimit ? name_of_id(id) : std::string_view();
    wanted_ = !name.empty();
    if (wanted_) out.start_call(name, id);
  }

  void close_call(Emitter& out) {
    if (state_ != State::arguments || !out.in_call()) return;
    if (arguments_.empty()) out.arguments("{}");
    out.end_call(Closure::fenced);
  }

  MarkerSet section_set_;
  MarkerSet id_set_;
  MarkerSet argument_set_;
  ArgumentText arguments_;
  State state_ = State::section;
  bool in_section_ = false;
  bool wanted_ = false;
  std::string id_;
};

}  // namespace

std::unique_ptr<Grammar> make_kimi_k2_grammar(const GrammarContext& context) {
  return std::make_unique<KimiK2Grammar>(context);
}

}  // namespace dynamo::parsers::detail
