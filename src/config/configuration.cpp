// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/base/json.h>
#include <dynamo/base/log.h>
#include <dynamo/base/truthy.h>
#include <dynamo/config/configuration.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <limits>

#include "config/toml_file.h"

namespace dynamo::config {
namespace {

// A century: beyond it a duration is a mistake, and nanoseconds still fit.
constexpr std::uint64_t kSecondsMax = 100ull * 365 * 24 * 3600;

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

template <class Number>
std::optional<Number> parse_number(std::string_view text, Number low, Number high) noexcept {
  Number value{};
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error != std::errc() || stop != end || !(value >= low && value <= high)) return std::nullopt;
  return value;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (const std::string_view part = trim(text.substr(0, comma)); !part.empty())
      parts.emplace_back(part);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

std::unexpected<Error> expected(const Entry& entry, const std::string& what,
                                std::string_view text) {
  return fail(Errc::invalid_argument,
              std::string(entry.name) + ": expected " + what + ", got " + base::Json(text).dump());
}

std::string whole_number_between(std::uint64_t low, std::uint64_t high) {
  return "a whole number from " + std::to_string(low) + " to " + std::to_string(high);
}

std::optional<std::string> process_environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

const Entry* find_entry(std::string_view name) noexcept {
  const auto found = std::ranges::find(catalogue(), name, &Entry::name);
  return found != catalogue().end() ? &*found : nullptr;
}

}  // namespace

Result<Configuration::Value> Configuration::read(const Entry& entry, std::string_view text) {
  const std::string_view trimmed = trim(text);
  switch (entry.type) {
    case Type::boolean: {
      if (const auto value = base::parse_bool_opt(trimmed)) return *value;
      return expected(entry, "one of true/false, 1/0, on/off, yes/no", text);
    }
    case Type::number: {
      const auto low = static_cast<std::uint64_t>(entry.low);
      const auto high = static_cast<std::uint64_t>(entry.high);
      if (const auto value = parse_number<std::uint64_t>(trimmed, low, high)) return *value;
      return expected(entry, whole_number_between(low, high), text);
    }
    case Type::real: {
      if (const auto value = parse_number<double>(trimmed, entry.low, entry.high)) return *value;
      return expected(
          entry,
          "a number from " + base::Json(entry.low).dump() + " to " + base::Json(entry.high).dump(),
          text);
    }
    case Type::seconds: {
      if (const auto value = parse_number<std::uint64_t>(trimmed, 0, kSecondsMax))
        return std::chrono::nanoseconds(std::chrono::seconds(*value));
      return expected(entry, whole_number_between(0, kSecondsMax) + " (seconds)", text);
    }
    case Type::milliseconds: {
      if (const auto value = parse_number<std::uint64_t>(trimmed, 0, kSecondsMax * 1000))
        return std::chrono::nanoseconds(std::chrono::milliseconds(*value));
      return expected(entry, whole_number_between(0, kSecondsMax * 1000) + " (milliseconds)", text);
    }
    case Type::text:
      return std::string(text);
    case Type::list:
    case Type::secret:
      return split(text);
  }
  return std::monostate();
}

Result<void> Configuration::load_file(const std::filesystem::path& path) {
  DYN_TRY(const auto members, detail::read_toml(path));
  if (!members) return {};
  for (const detail::TomlMember& member : *members) {
    const auto found = std::ranges::find(catalogue(), member.key, toml_key);
    if (found == catalogue().end()) {
      warnings_.push_back(path.string() + ": unknown setting '" + member.key + "' is ignored");
      continue;
    }
    auto value = read(*found, member.text);
    if (!value) {
      warnings_.push_back(path.string() + ": " + value.error().message() + "; ignored");
      continue;
    }
    settings_[static_cast<std::size_t>(found - catalogue().begin())] = {
        *std::move(value), Source::file, path.string()};
  }
  return {};
}

void Configuration::load_environment(const Environment& environment) {
  for (std::size_t i = 0; i < settings_.size(); ++i) {
    const Entry& entry = catalogue()[i];
    const auto text = environment(std::string(entry.name).c_str());
    if (!text || text->empty()) continue;
    auto value = read(entry, *text);
    if (!value) {
      warnings_.push_back("environment variable " + value.error().message() + "; ignored");
      continue;
    }
    settings_[i] = {*std::move(value), Source::environment, {}};
  }
}

Result<void> Configuration::load_overrides(const Overrides& overrides) {
  for (const auto& [name, text] : overrides.texts()) {
    const Entry* entry = find_entry(name);
    DYN_ASSERT(entry != nullptr);
    DYN_TRY(auto value, read(*entry, text));
    settings_[static_cast<std::size_t>(entry - catalogue().data())] = {
        std::move(value), Source::command_line, {}};
  }
  return {};
}

Result<Configuration> Configuration::load(const Layers& layers) {
  Configuration configuration;
  configuration.settings_.resize(catalogue().size());
  for (std::size_t i = 0; i < catalogue().size(); ++i) {
    const Entry& entry = catalogue()[i];
    const bool is_text =
        entry.type == Type::text || entry.type == Type::list || entry.type == Type::secret;
    if (entry.default_text.empty() && !is_text) continue;
    auto value = read(entry, entry.default_text);
    DYN_ASSERT(value.has_value());
    configuration.settings_[i].value = *std::move(value);
  }
  for (const std::filesystem::path& path : layers.files) DYN_CHECK(configuration.load_file(path));
  configuration.load_environment(layers.environment ? layers.environment : process_environment);
  DYN_CHECK(configuration.load_overrides(layers.overrides));
  return configuration;
}

std::string Configuration::to_json() const {
  std::string text;
  base::JsonWriter json(text);
  json.begin_object();
  for (std::size_t i = 0; i < settings_.size(); ++i) {
    const Entry& entry = catalogue()[i];
    const Setting& setting = settings_[i];
    json.key(entry.name).begin_object().key("value");
    if (const auto* flag = std::get_if<bool>(&setting.value)) {
      json.value(*flag);
    } else if (const auto* number = std::get_if<std::uint64_t>(&setting.value)) {
      json.value(*number);
    } else if (const auto* real = std::get_if<double>(&setting.value)) {
      json.value(*real);
    } else if (const auto* wait = std::get_if<std::chrono::nanoseconds>(&setting.value)) {
      json.value(std::int64_t{*wait / (entry.type == Type::seconds
                                           ? std::chrono::nanoseconds(std::chrono::seconds(1))
                                           : std::chrono::milliseconds(1))});
    } else if (const auto* string = std::get_if<std::string>(&setting.value)) {
      json.value(*string);
    } else if (const auto* list = std::get_if<std::vector<std::string>>(&setting.value)) {
      if (entry.type == Type::secret) {
        json.value(std::to_string(list->size()) + " hidden");
      } else {
        json.begin_array();
        for (const std::string& part : *list) json.value(part);
        json.end_array();
      }
    } else {
      json.null();
    }
    json.key("source");
    switch (setting.source) {
      case Source::built_in:
        json.value("default");
        break;
      case Source::file:
        json.value(setting.file);
        break;
      case Source::environment:
        json.value("environment");
        break;
      case Source::command_line:
        json.value("command line");
        break;
    }
    json.end_object();
  }
  json.end_object();
  return text;
}

// --- the process's configuration ---------------------------------------------------------------

namespace {

// Installed configurations are never freed: any thread may hold a reference until the end.
std::atomic<const Configuration*> g_process{nullptr};

const Configuration* load_for_process() {
  auto loaded = Configuration::load();
  if (!loaded) {
    DYN_LOG_ERROR("config", "configuration files are left out", {{"error", loaded.error()}});
    loaded = Configuration::load({.files = {}, .environment = {}, .overrides = {}});
    DYN_ASSERT(loaded.has_value());
  }
  for (const std::string& warning : loaded->warnings()) DYN_LOG_WARN("config", warning);
  return new Configuration(*std::move(loaded));
}

}  // namespace

const Configuration& process() noexcept {
  if (const Configuration* installed = g_process.load(std::memory_order_acquire)) return *installed;
  static const Configuration* const loaded = load_for_process();
  return *loaded;
}

void install(Configuration configuration) {
  for (const std::string& warning : configuration.warnings()) DYN_LOG_WARN("config", warning);
  g_process.store(new Configuration(std::move(configuration)), std::memory_order_release);
}

ScopedConfiguration::ScopedConfiguration(
    std::initializer_list<std::pair<std::string_view, std::string_view>> environment)
    : before_(g_process.load()) {
  for (const auto& [name, text] : environment) DYN_ASSERT(find_entry(name) != nullptr);
  const auto lookup = [&](const char* name) -> std::optional<std::string> {
    const auto found = std::ranges::find(environment, std::string_view(name),
                                         &std::pair<std::string_view, std::string_view>::first);
    if (found == environment.end()) return std::nullopt;
    return std::string(found->second);
  };
  auto loaded = Configuration::load({.files = {}, .environment = lookup, .overrides = {}});
  DYN_ASSERT(loaded.has_value());
  for (const std::string& warning : loaded->warnings()) DYN_LOG_WARN("config", warning);
  mine_ = std::make_unique<const Configuration>(*std::move(loaded));
  g_process.store(mine_.get());
}

ScopedConfiguration::~ScopedConfiguration() {
  g_process.store(before_);
}

}  // namespace dynamo::config
