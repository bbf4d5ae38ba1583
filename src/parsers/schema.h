// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/json.h>
#include <dynamo/parsers/output_parser.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::parsers::detail {

/// What a schema says about a value, as far as typing of untyped text needs it.
///
/// `$ref` within the schema, list-valued `type`, `anyOf`, `oneOf` and `allOf` are followed to a
/// bounded depth. A view: the schema must outlive it.
class Schema {
 public:
  Schema() noexcept = default;
  Schema(const Json* root, const Json* node) noexcept : root_(root), node_(node) {}

  /// The schema of a tool's arguments; empty when the tool or its parameters are unknown.
  static Schema of_tool(std::span<const ToolDefinition> tools, std::string_view name) noexcept;

  bool known() const noexcept { return node_ != nullptr; }
  /// The schema of a member. Without `properties`, the object itself maps names to schemas.
  Schema property(std::string_view name) const noexcept;
  /// As property, but falls back to `additionalProperties` when that is a schema.
  Schema member(std::string_view name) const noexcept;
  Schema items() const noexcept;

  /// The `type` words that the schema admits, lower-cased, in the order in which it names them;
  /// empty when it names none.
  std::vector<std::string> types() const;
  /// Whether `types` holds the word.
  bool admits(std::string_view type) const;

 private:
  Schema resolved() const noexcept;
  void collect(std::vector<std::string>& words, int depth) const;

  const Json* root_ = nullptr;
  const Json* node_ = nullptr;
};

}  // namespace dynamo::parsers::detail
