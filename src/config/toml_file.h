// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace dynamo::config::detail {

/// A member of a TOML file: "key", or "table.key" for one level of tables; its value as text
/// (elements of an array are joined by commas).
struct TomlMember {
  std::string key;
  std::string text;
};

/// The members of a file in no particular order; none when there is no such file.
/// Errors: invalid_argument naming file, line and column; what read_file reports.
Result<std::optional<std::vector<TomlMember>>> read_toml(const std::filesystem::path& path);

}  // namespace dynamo::config::detail
