// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/parsers/event.h>
#include <dynamo/parsers/output_parser.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dynamo::parsers {

enum class BatchMode : std::uint8_t {
  aggregate,  ///< the text is taken as it is: what is not closed is no call
  finalize,   ///< the text may be cut off: what is provably complete is recovered
};

/// Calls and content of a complete text without reasoning: the streaming parser fed once, folded
/// by the conventions of the reference's batch functions (what is trimmed, whether text behind a
/// call is kept, what becomes of markup that is no call).
/// An empty name means "default". Errors: Errc::invalid_argument for an unknown parser.
Result<ParsedOutput> parse_tool_calls(std::string_view tool_parser, std::string_view text,
                                      std::span<const ToolDefinition> tools, BatchMode mode);

struct ReasoningSplit {
  std::string normal{};
  std::string reasoning{};
};

/// Thought and rest of a complete text. Unknown names fall back to "basic".
ReasoningSplit split_reasoning(std::string_view reasoning_parser, std::string_view text,
                               std::optional<bool> starts_in_reasoning = std::nullopt);
ReasoningSplit split_reasoning(const ReasoningDelimiters& delimiters, std::string_view text,
                               std::optional<bool> starts_in_reasoning = std::nullopt);

}  // namespace dynamo::parsers
