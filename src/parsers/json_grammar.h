// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "parsers/grammar.h"

namespace dynamo::parsers::detail {

/// Facts about a family that writes calls as JSON between markers. A row of a constant table.
struct JsonFamily {
  std::vector<std::string_view> openers;
  std::vector<std::string_view> closers;  ///< empty: a call ends with its JSON
  /// An object with nothing but a name is a call.
  bool name_only = false;
  /// The opener is a word of prose as well: without JSON behind it, it is text.
  bool opener_is_word = false;
  /// Arguments that the end of the output cuts off are closed.
  bool repair = true;
};

/// What the batch conventions need to know about one opener of the JSON family; `id` of
/// Trace::Kind::broken.
enum class JsonFault : int {
  not_json,     ///< no `{` or `[` behind the opener
  malformed,    ///< JSON that cannot be continued
  torn,         ///< the output ended inside the JSON, or the closer came too early
  torn_closer,  ///< complete JSON, and the output ended inside the closer
  array         ///< no fault: the JSON is an array
};
/// `id` of Trace::Kind::block_open for JSON without any marker.
inline constexpr int kBareJson = -1;

/// `family` must outlive the grammar.
std::unique_ptr<Grammar> make_json_grammar(const JsonFamily& family, const GrammarContext& context);

}  // namespace dynamo::parsers::detail
