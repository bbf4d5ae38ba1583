// SPDX-License-Identifier: Apache-2.0
#include <dynamo/config/catalogue.h>

#include <algorithm>
#include <array>
#include <utility>

namespace dynamo::config {
namespace {

constexpr Entry kCatalogue[] = {
#define DYN_SWITCH(id, name, preset, library, meaning) \
  {name, Type::boolean, preset, 0, 0, {}, library, meaning},
#define DYN_NUMBER(id, name, preset, low, high, unit, library, meaning) \
  {name, Type::number, preset, low, high, unit, library, meaning},
#define DYN_REAL(id, name, preset, low, high, unit, library, meaning) \
  {name, Type::real, preset, low, high, unit, library, meaning},
#define DYN_SECONDS(id, name, preset, library, meaning) \
  {name, Type::seconds, preset, 0, 0, "s", library, meaning},
#define DYN_MILLISECONDS(id, name, preset, library, meaning) \
  {name, Type::milliseconds, preset, 0, 0, "ms", library, meaning},
#define DYN_TEXT(id, name, preset, library, meaning) \
  {name, Type::text, preset, 0, 0, {}, library, meaning},
#define DYN_LIST(id, name, preset, library, meaning) \
  {name, Type::list, preset, 0, 0, {}, library, meaning},
#define DYN_SECRET(id, name, library, meaning) {name, Type::secret, "", 0, 0, {}, library, meaning},
#include <dynamo/config/variables.inc>
};

// Members of the reference's runtime.toml whose names do not follow the rule.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kReferenceKeys{{
    {"DYN_SYSTEM_STARTING_HEALTH_STATUS", "starting_health_status"},
    {"DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS", "use_endpoint_health_status"},
    {"DYN_CANARY_WAIT_TIME", "canary_wait_time_secs"},
    {"DYN_HEALTH_CHECK_REQUEST_TIMEOUT", "health_check_request_timeout_secs"},
}};

}  // namespace

std::span<const Entry> catalogue() noexcept {
  return kCatalogue;
}

std::string toml_key(const Entry& entry) {
  for (const auto& [name, key] : kReferenceKeys)
    if (name == entry.name) return std::string(key);
  std::string_view rest = entry.name;
  for (const std::string_view prefix : {"DYN_RUNTIME_", "DYN_"}) {
    if (rest.starts_with(prefix)) {
      rest.remove_prefix(prefix.size());
      break;
    }
  }
  std::string key(rest);
  for (char& c : key)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return key;
}

std::string_view to_string(Type type) noexcept {
  switch (type) {
    case Type::boolean:
      return "switch";
    case Type::number:
      return "number";
    case Type::real:
      return "real";
    case Type::seconds:
      return "seconds";
    case Type::milliseconds:
      return "milliseconds";
    case Type::text:
      return "text";
    case Type::list:
      return "list";
    case Type::secret:
      return "secret list";
  }
  return "text";
}

std::string catalogue_markdown() {
  std::string page =
      "# Configuration\n\n"
      "<!-- Rendered from include/dynamo/config/variables.inc; a test compares the two.\n"
      "     Renew it with ./x build -p config_catalogue && build/dev/bin/dynamo_config_catalogue > "
      "docs/configuration.md -->\n\n"
      "A setting has the value of the highest of these layers that gives it one: the default "
      "below,\n"
      "`/opt/dynamo/defaults/runtime.toml`, `/opt/dynamo/etc/runtime.toml`, the environment "
      "variable, the\ncommand line. In the TOML files a setting is called by its variable in lower "
      "case without `DYN_` or\n`DYN_RUNTIME_`. `dynamo-run --print-config` shows every value and "
      "where it comes from.\n\n"
      "Switches are on for `1 true on yes` and off for `0 false off no`, in any case. Empty "
      "environment\nvariables count as not set. A value that cannot be read is reported in the log "
      "and left aside.\n";
  std::string_view library;
  for (const Entry& entry : kCatalogue) {
    if (entry.library != library) {
      library = entry.library;
      page.append("\n## ").append(library).append("\n\n");
      page += "| variable | type | default | meaning |\n|---|---|---|---|\n";
    }
    std::string type(to_string(entry.type));
    if (entry.type == Type::number && !entry.unit.empty()) type.append(", ").append(entry.unit);
    const std::string shown =
        entry.default_text.empty() ? "" : "`" + std::string(entry.default_text) + "`";
    page.append("| `").append(entry.name).append("` | ").append(type).append(" | ");
    page.append(shown).append(" | ").append(entry.meaning).append(" |\n");
  }
  return page;
}

}  // namespace dynamo::config
