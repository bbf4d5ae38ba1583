// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/json.h>
#include <dynamo/parsers/output_parser.h>

#include <optional>
#include <string>
#include <vector>

/// Cases of the output parsers: tool calls, reasoning, recorded streams, events, structural tags.
namespace dynamo::conformance {

struct Mismatch {
  std::string expected;
  std::string got;
};

/// Whether the case describes what later versions do differently, or what is history.
bool is_history(const Json& parser_case);

/// Runs one case of any file of the parsers folder; the fields tell which kind it is.
/// None when it holds.
std::optional<Mismatch> check_parser_case(const Json& parser_case);

/// A text of a case and how it is to be parsed as a stream, for tests that cut it into pieces.
struct StreamOfCase {
  parsers::ParserOptions options;
  std::vector<parsers::ToolDefinition> tools;  ///< options.tools is to be set to it
  std::string text;
};
/// None for cases that have no text (structural tags, steps that are not a stream).
std::optional<StreamOfCase> stream_of(const Json& parser_case);

/// Events with adjacent pieces of one kind joined, as JSON; ids left out unless `ids`.
Json describe(const std::vector<parsers::Event>& events, bool ids = false);

}  // namespace dynamo::conformance
