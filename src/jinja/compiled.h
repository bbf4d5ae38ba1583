// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/jinja/template.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "jinja/ast.h"

namespace dynamo::jinja {

/// What Template points to. Immutable once compile has returned.
struct Template::Compiled {
  std::string name;
  std::string source;
  std::string_view text;  ///< the source with normalized line ends; positions in nodes refer to it
  detail::Arena arena{std::size_t{256} << 20};
  detail::Function root{};
  std::vector<std::string_view> names;  ///< by name id: variables taken from the context
  std::unordered_map<std::string_view, const detail::BlockStmt*> blocks;
  std::vector<std::string_view> mentions;    ///< sorted: attribute names and text constants
  std::vector<std::string_view> attributes;  ///< sorted: names read from values
  Facts facts;
};

}  // namespace dynamo::jinja
