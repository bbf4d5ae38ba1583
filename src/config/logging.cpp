// SPDX-License-Identifier: Apache-2.0
#include <dynamo/config/configuration.h>
#include <dynamo/config/logging.h>

#include <cstdlib>
#include <string>

#include "config/toml_file.h"

namespace dynamo::config {
namespace {

constexpr std::string_view kFilterTable = "log_filters.";

void append_directive(std::string& filter, std::string_view directive) {
  if (directive.empty()) return;
  if (!filter.empty()) filter += ',';
  filter += directive;
}

}  // namespace

Result<base::LogOptions> log_options(const std::vector<std::filesystem::path>& files) {
  base::LogOptions options = base::log_options_from_environment();
  std::string level = "info";
  std::string targets;
  for (const std::filesystem::path& path : files) {
    DYN_TRY(const auto members, detail::read_toml(path));
    if (!members) continue;
    for (const detail::TomlMember& member : *members) {
      if (member.key == "log_level") {
        level = member.text;
      } else if (member.key.starts_with(kFilterTable)) {
        append_directive(targets, member.key.substr(kFilterTable.size()) + "=" + member.text);
      } else {
        return fail(Errc::invalid_argument, path.string() + ": unknown member '" + member.key +
                                                "'; expected log_level and [log_filters]");
      }
    }
  }
  const char* const chosen = std::getenv("DYN_LOG");
  // Of several directives for one target the last counts.
  std::string filter;
  if (chosen == nullptr || *chosen == '\0') filter = level;
  append_directive(filter, targets);
  if (chosen != nullptr) append_directive(filter, chosen);
  options.filter = filter;
  return options;
}

Result<base::LogOptions> log_options() {
  std::vector<std::filesystem::path> files{"/opt/dynamo/etc/logging.toml"};
  if (const std::string path = get(var::log_config_path); !path.empty()) files.emplace_back(path);
  return log_options(files);
}

}  // namespace dynamo::config
