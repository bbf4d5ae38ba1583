// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/openai/chat.h>
#include <dynamo/parsers/output_parser.h>

#include <optional>
#include <span>
#include <vector>

namespace dynamo::llm::detail {

/// The tools of a request as parsers want them. Owns a copy of the JSON, so that it may outlive the
/// request. Neither copyable nor movable: the definitions point into it.
class ToolDefinitions {
 public:
  explicit ToolDefinitions(const std::optional<Json>& tools);
  ToolDefinitions(const ToolDefinitions&) = delete;
  ToolDefinitions& operator=(const ToolDefinitions&) = delete;

  std::span<const parsers::ToolDefinition> all() const noexcept { return definitions_; }

 private:
  Json tools_;
  std::vector<parsers::ToolDefinition> definitions_;
};

parsers::ToolChoice parser_tool_choice(const std::optional<openai::ToolChoice>& choice) noexcept;

}  // namespace dynamo::llm::detail
