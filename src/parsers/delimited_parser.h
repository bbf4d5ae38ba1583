// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/parsers/output_parser.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/emitter.h"
#include "parsers/grammar.h"
#include "parsers/marker_set.h"
#include "parsers/reasoning_spec.h"

namespace dynamo::parsers::detail {

/// Driver of every family whose thoughts stand between two markers: watches text and thought for
/// markers, and hands calls to the grammar. Both the reasoning parser and the grammar may be
/// missing.
class DelimitedParser final : public OutputParser {
 public:
  DelimitedParser(const ParserOptions& options, ReasoningSpec reasoning, IdStyle ids,
                  std::unique_ptr<Grammar> grammar);

  void feed(std::string_view delta, std::vector<Event>& out) override;
  void finish(std::vector<Event>& out, OutputEnd end) override;
  std::uint32_t calls_started() const noexcept override { return emitter_.calls_started(); }

  /// For the batch functions.
  void record(Trace* trace) noexcept { emitter_.record(trace); }
  /// Whether the last thought ended with an exit for good.
  bool exited() const noexcept { return state_ == State::verbatim; }

 private:
  enum class State : std::uint8_t {
    start,      ///< guided output: the first character decides about the reasoning parser
    undecided,  ///< thought or text, the first boundary will tell
    text,
    reasoning,
    call,
    verbatim,  ///< behind an exit for good
  };

  void run(std::string_view input, bool at_end, OutputEnd end);
  std::size_t step(std::string_view input, bool at_end);
  std::size_t step_start(std::string_view input, bool at_end);
  std::size_t step_undecided(std::string_view input, bool at_end);
  std::size_t step_text(std::string_view input, bool at_end);
  std::size_t step_reasoning(std::string_view input, bool at_end);
  std::size_t step_call(std::string_view input, bool at_end);
  std::size_t enter_grammar(int id, std::string_view input, const MarkerSet::Hit& hit);
  void emit_text(std::string_view piece);
  void note_tail(std::string_view text, bool followed);
  void emit_behind_seam(std::string_view piece);
  void emit_reasoning(std::string_view piece);
  void enter_reasoning();
  void leave_reasoning();
  void leave_call();
  std::string_view give_back(std::string_view input, std::string& again);

  ReasoningSpec reasoning_;
  std::unique_ptr<Grammar> grammar_;
  Emitter emitter_;
  MarkerSet text_set_;
  MarkerSet thought_set_;
  MarkerSet boundary_set_;  // for State::undecided
  MarkerSet markup_set_;    // of text_set_, what can be nothing but markup

  State state_ = State::text;
  State after_start_ = State::text;
  bool in_thought_ = false;  // the open call stands inside a thought
  bool label_due_ = false;
  bool only_space_ = true;
  // Where a marker was taken out, the texts before and behind it must not form another one.
  std::string tail_;         // end of the text so far, if it is a proper prefix of a marker
  std::string seam_;         // end of the text before, a proper prefix of a marker
  std::string behind_seam_;  // text behind it that may complete the marker
  char last_ = 0;
  std::string held_;       // input that is not decided yet
  std::string undecided_;  // in State::undecided
  std::string thought_;    // a thought that is delivered whole
  bool rejected_ = false;
  const char* call_begin_ = nullptr;  // of the open call's marker, when it came in this feed
};

}  // namespace dynamo::parsers::detail
