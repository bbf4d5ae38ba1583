// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/parsers/output_parser.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "parsers/argument_text.h"
#include "parsers/bytewise_parser.h"
#include "parsers/emitter.h"
#include "parsers/marker_set.h"

namespace dynamo::parsers::detail {

/// gpt-oss ("harmony"): messages with a role, a channel, a recipient and a content type between
/// special tokens. Works on their text; needs no vocabulary.
///
/// analysis is thought; final and commentary without a recipient are the answer; messages to
/// `functions.NAME` are calls. Other recipients and JSON that was meant as a call but has no
/// recipient are dropped. Source: https://github.com/openai/harmony (format description), spec
/// 3.12 and 8.7.
class HarmonyParser final : public BytewiseParser {
 public:
  enum class Role : std::uint8_t {
    both,            ///< gpt_oss and harmony: thoughts, answer and calls
    tools_only,      ///< harmony without gpt_oss: thoughts are dropped
    reasoning_only,  ///< gpt_oss without harmony: from the first directed message on, the text is
                     ///< handed over as it is
  };

  HarmonyParser(const ParserOptions& options, Role role);

 private:
  enum class State : std::uint8_t { outside, header, body, handed_over };
  enum class Body : std::uint8_t { thought, answer, undecided, call, dropped };
  enum class Last : std::uint8_t { none, thought, answer };

  std::size_t step(std::string_view window, bool at_end) override;
  std::size_t take_run(std::string_view input) override;
  void end(OutputEnd end, std::string_view rest) override;
  void take_marker(int id, std::string_view marker);
  void take_text(std::string_view piece, bool closed);
  void show(std::string_view piece);
  void take_outside(std::string_view piece);
  bool may_be_json();
  void begin_header(std::string_view marker);
  void begin_body(std::string_view marker);
  void end_body(int id);
  void answer(std::string_view piece);
  void thought(std::string_view piece);
  void separate(Last kind);

  Role role_;
  MarkerSet markers_;
  bool closed_ = false;  // the text in hand does not end with the beginning of a marker
  State state_ = State::outside;
  Body body_ = Body::dropped;
  Last last_ = Last::none;        // kind of the text that came last, with no call since
  bool new_message_ = false;      // nothing of this message was emitted yet
  bool outside_text_ = false;     // text came since the last marker outside of messages
  std::string space_;             // before it
  std::string header_;            // between the markers that precede <|message|>
  std::string raw_header_;        // the same with its markers, to be handed over
  std::string undecided_;         // a body that may be a call without recipient
  bool looks_like_json_ = false;  // undecided_ does
  std::size_t blank_bytes_ = 0;   // of undecided_ or space_, known to be white space
  ArgumentText arguments_;
};

}  // namespace dynamo::parsers::detail
