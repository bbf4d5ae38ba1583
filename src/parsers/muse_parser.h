// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/parsers/output_parser.h>

#include <memory>
#include <string>
#include <string_view>

#include "parsers/bytewise_parser.h"
#include "parsers/emitter.h"
#include "parsers/grammar.h"
#include "parsers/marker_set.h"

namespace dynamo::parsers::detail {

/// Muse Glimmer: messages addressed to oneself (thought), to the user (answer) or to tools (XML
/// invocations). Source: spec 11.
class MuseParser final : public BytewiseParser {
 public:
  MuseParser(const ParserOptions& options, bool reasoning, bool tools);

 private:
  enum class State : std::uint8_t {
    primed,  ///< the prompt ended inside a header
    outside,
    header,
    thought,
    answer,
    tools,
    call,
  };

  std::size_t step(std::string_view window, bool at_end) override;
  std::size_t take_run(std::string_view input) override;
  void end(OutputEnd end, std::string_view rest) override;

  std::size_t step_primed(std::string_view window, bool at_end);
  std::size_t step_call(std::string_view window, bool at_end);
  void begin_body();
  void take_text(std::string_view piece, bool closed);

  bool reasoning_;
  std::unique_ptr<Grammar> grammar_;
  MarkerSet markers_;
  State state_ = State::primed;
  std::string space_;  // in State::primed
  std::string header_;
};

}  // namespace dynamo::parsers::detail
