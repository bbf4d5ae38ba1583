// SPDX-License-Identifier: Apache-2.0
#include <dynamo/parsers/event.h>

namespace dynamo::parsers {

void fold_events(std::span<const Event> events, ParsedOutput& output) {
  for (const Event& event : events) {
    switch (event.kind) {
      case EventKind::text:
        output.content += event.text;
        break;
      case EventKind::reasoning:
        output.reasoning += event.text;
        break;
      case EventKind::call_start:
        output.calls.push_back(
            {.id = event.id, .name = event.text, .arguments = {}, .complete = false});
        break;
      case EventKind::call_arguments:
        if (!output.calls.empty()) output.calls.back().arguments += event.text;
        break;
      case EventKind::call_end:
        if (!output.calls.empty()) output.calls.back().complete = event.complete;
        break;
    }
  }
}

}  // namespace dynamo::parsers
