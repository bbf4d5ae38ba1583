// SPDX-License-Identifier: Apache-2.0
#include <dynamo/parsers/event.h>
#include <dynamo/parsers/output_parser.h>

#include "expect.h"

using namespace dynamo;

int main() {
  auto parser =
      parsers::OutputParser::create({.tool_parser = "hermes", .reasoning_parser = "qwen3"});
  EXPECT(parser);

  std::vector<parsers::Event> events;
  for (const auto piece :
       {"<think>Which city?</th", "ink>Let me look.<tool", "_call>{\"name\": \"weather\", ",
        "\"arguments\": {\"city\": \"Paris\"}}</tool_call>"}) {
    (*parser)->feed(piece, events);  // events may go to the client after each piece
  }
  (*parser)->finish(events);

  parsers::ParsedOutput output;
  parsers::fold_events(events, output);
  EXPECT(output.reasoning == "Which city?");
  EXPECT(output.content == "Let me look.");
  EXPECT(output.calls[0].name == "weather" && output.calls[0].arguments == R"({"city": "Paris"})");
}
