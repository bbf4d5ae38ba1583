// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/json.h>

#include <string>
#include <string_view>
#include <vector>

/// Nodes of xgrammar's structural tag format.
namespace dynamo::parsers::detail {

Json tag(std::string_view begin, Json content, std::string_view end);
Json sequence(Json::Array elements);
Json const_string(std::string_view value);
Json regex(std::string_view pattern);
Json any_text(std::vector<std::string_view> excludes);
Json json_schema(Json schema, std::string_view style);
Json optional_node(Json content);
Json tags_with_separator(Json::Array tags, bool stop_after_first);

struct KimiK3Tool {
  std::string name;
  const Json* parameters = nullptr;  ///< null: any arguments
};
/// The envelope of a Kimi K3 answer: response channel, tools channel, end of the message.
Json kimi_k3_format(const std::vector<KimiK3Tool>& tools, bool named, bool stop_after_first);

}  // namespace dynamo::parsers::detail
