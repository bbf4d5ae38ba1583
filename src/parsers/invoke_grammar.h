// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "parsers/grammar.h"
#include "parsers/string_value.h"

namespace dynamo::parsers::detail {

/// Facts about a family that writes calls as nested tags: a block of invocations, each with named
/// parameters. A row of a constant table.
struct InvokeFamily {
  std::string_view block_open;
  std::string_view block_close;
  std::string_view invoke_open;  ///< up to the name; `>` ends the tag
  std::string_view invoke_close;
  std::string_view parameter_open;  ///< up to the name; `>` ends the tag
  std::string_view parameter_close;
  /// Values are typed by the schema and have entities (XML); otherwise the tag's attribute
  /// string="true|false" tells (DSML).
  bool typed_by_schema = true;
  /// The close of an invocation may be missing at the end of the block or output.
  bool close_optional = false;
  /// The tags are special tokens: inside a value they are never data, and a block without
  /// invocation is no prose.
  bool special_tokens = false;
};

/// `family` must outlive the grammar. Source: spec 3.3 and 3.4.
std::unique_ptr<Grammar> make_invoke_grammar(const InvokeFamily& family,
                                             const GrammarContext& context);

}  // namespace dynamo::parsers::detail
