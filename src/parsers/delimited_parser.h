// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/parsers/output_parser.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "parsers/bytewise_parser.h"
#include "parsers/emitter.h"
#include "parsers/grammar.h"
#include "parsers/marker_set.h"
#include "parsers/reasoning_spec.h"

namespace dynamo::parsers::detail {

/// Driver of every family whose thoughts stand between two markers: watches text and thought for
/// markers, and hands calls to the grammar. Both the reasoning parser and the grammar may be
/// missing.
class DelimitedParser final : public BytewiseParser {
 public:
  DelimitedParser(const ParserOptions& options, ReasoningSpec reasoning, IdStyle ids,
                  std::unique_ptr<Grammar> grammar);

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

  std::size_t step(std::string_view window, bool at_end) override;
  std::size_t take_run(std::string_view input) override;
  void end(OutputEnd end, std::string_view rest) override;

  std::size_t step_start(std::string_view window, bool at_end);
  std::size_t step_undecided(std::string_view window, bool at_end);
  std::size_t step_text(std::string_view window, bool at_end);
  std::size_t step_reasoning(std::string_view window, bool at_end);
  std::size_t step_call(std::string_view window, bool at_end);
  std::size_t enter_grammar(int id, std::string_view window, const MarkerSet::Hit& hit);
  void emit_text(std::string_view piece, bool closed = false);
  void note_word(std::string_view piece);
  void emit_reasoning(std::string_view piece);
  void enter_reasoning();
  void leave_reasoning();
  void leave_call();
  bool reject(std::string_view rest);

  ReasoningSpec reasoning_;
  std::unique_ptr<Grammar> grammar_;
  MarkerSet text_set_;
  MarkerSet thought_set_;
  MarkerSet boundary_set_;  // for State::undecided

  State state_ = State::text;
  State after_start_ = State::text;
  bool in_thought_ = false;  // the open call stands inside a thought
  bool label_due_ = false;
  bool only_space_ = true;
  bool reads_words_ = false;
  char last_ = 0;
  std::string start_space_;  // in State::start
  std::string word_;         // at the end of the text, if the grammar reads words
  std::string undecided_;    // in State::undecided
  std::string thought_;      // a thought that is delivered whole
  std::string taken_;        // by the grammar, while it may yet be text
};

}  // namespace dynamo::parsers::detail
