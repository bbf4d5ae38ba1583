// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/parsers/output_parser.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/emitter.h"
#include "parsers/grammar.h"
#include "parsers/marker_set.h"

namespace dynamo::parsers::detail {

/// Muse Glimmer: messages addressed to oneself (thought), to the user (answer) or to tools (XML
/// invocations). Source: spec 11.
class MuseParser final : public OutputParser {
 public:
  MuseParser(const ParserOptions& options, bool reasoning, bool tools);

  void feed(std::string_view delta, std::vector<Event>& out) override;
  void finish(std::vector<Event>& out, OutputEnd end) override;
  std::uint32_t calls_started() const noexcept override { return emitter_.calls_started(); }

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

  std::size_t step(std::string_view input, bool at_end);
  std::size_t step_primed(std::string_view input, bool at_end);
  std::size_t step_call(std::string_view input, bool at_end);
  void begin_body();
  void take_text(std::string_view piece);

  bool reasoning_;
  Emitter emitter_;
  std::unique_ptr<Grammar> grammar_;
  MarkerSet markers_;
  State state_ = State::primed;
  std::string held_;
  std::string header_;
};

}  // namespace dynamo::parsers::detail
