// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace dynamo::parsers {
enum class ToolChoice : std::uint8_t;
struct Event;
struct ParsedOutput;
struct ParserOptions;
struct ToolDefinition;
class OutputParser;
}  // namespace dynamo::parsers
