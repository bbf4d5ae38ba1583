// SPDX-License-Identifier: Apache-2.0
// The one file that sees toml++.
#include "config/toml_file.h"

#include <dynamo/base/file.h>
#include <dynamo/base/json.h>

#include <toml++/toml.h>

namespace dynamo::config::detail {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{1024} * 1024;

std::string text_of(const toml::node& node) {
  if (const auto value = node.value_exact<std::string>()) return *value;
  if (const auto value = node.value_exact<bool>()) return *value ? "true" : "false";
  if (const auto value = node.value_exact<std::int64_t>()) return std::to_string(*value);
  if (const auto value = node.value_exact<double>()) return base::Json(*value).dump();
  std::string joined;
  if (const toml::array* array = node.as_array()) {
    for (const toml::node& element : *array) {
      if (!joined.empty()) joined += ',';
      joined += text_of(element);
    }
  }
  return joined;
}

void collect(const toml::table& table, const std::string& prefix,
             std::vector<TomlMember>& members) {
  for (const auto& [key, node] : table) {
    std::string name = prefix + std::string(key.str());
    if (const toml::table* inner = node.as_table(); inner != nullptr && prefix.empty()) {
      collect(*inner, name + ".", members);
    } else {
      members.push_back({std::move(name), text_of(node)});
    }
  }
}

}  // namespace

Result<std::optional<std::vector<TomlMember>>> read_toml(const std::filesystem::path& path) {
  auto content = base::read_file(path, kFileBytesMax);
  if (!content) {
    if (content.error().code() == Errc::not_found) return std::nullopt;
    return fail(std::move(content).error());
  }
  try {
    std::vector<TomlMember> members;
    collect(toml::parse(*content), "", members);
    return members;
  } catch (const toml::parse_error& error) {
    return fail(Errc::invalid_argument, path.string() + ": " + std::string(error.description()) +
                                            " at line " +
                                            std::to_string(error.source().begin.line) + " column " +
                                            std::to_string(error.source().begin.column));
  }
}

}  // namespace dynamo::config::detail
