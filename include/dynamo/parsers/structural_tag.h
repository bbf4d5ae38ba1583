// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>
#include <dynamo/parsers/output_parser.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace dynamo::parsers {

enum class StructuralSchemaMode : std::uint8_t {
  automatic,  ///< declared parameters of tools with `strict: true`, anything for the others
  strict,     ///< declared parameters of every tool
};

struct StructuralTagRequest {
  std::string_view tool_parser;
  std::span<const ToolDefinition> tools;
  ToolChoice tool_choice = ToolChoice::automatic;
  std::string_view named_tool;
  std::optional<bool> parallel_tool_calls;
  StructuralSchemaMode schema_mode = StructuralSchemaMode::automatic;
  /// The prompt already opened the thought.
  bool starts_in_reasoning = false;
};

/// Whether this parser has structural tags.
bool has_structural_tags(std::string_view tool_parser) noexcept;

/// The `structural_tag` for the engine: {"type":"structural_tag","format":…}; for choice none the
/// tag that bans calls. None where the parser has no tag for this choice.
/// Errors: Errc::invalid_argument for missing or unknown tools.
/// Source: xgrammar's structural tag format; spec section 12.
Result<std::optional<Json>> structural_tag(const StructuralTagRequest& request);

}  // namespace dynamo::parsers
