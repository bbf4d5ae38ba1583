// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/config/catalogue.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace dynamo::config {

/// Where a value comes from, lowest first: a later one wins.
enum class Source : std::uint8_t { built_in, file, environment, command_line };

/// Values given on the command line.
class Overrides {
 public:
  template <class T>
  void set(Variable<T> variable, std::string text) {
    texts_.insert_or_assign(catalogue()[variable.index].name, std::move(text));
  }
  const std::map<std::string_view, std::string>& texts() const noexcept { return texts_; }

 private:
  std::map<std::string_view, std::string> texts_;
};

/// A variable of the environment, or none when it is not set.
using Environment = std::function<std::optional<std::string>(const char* name)>;

/// The outside world that a configuration is read from; each part can be replaced in tests.
struct Layers {
  /// TOML files, lowest first; those that do not exist are skipped.
  std::vector<std::filesystem::path> files = {"/opt/dynamo/defaults/runtime.toml",
                                              "/opt/dynamo/etc/runtime.toml"};
  Environment environment;  ///< empty: the process's own
  Overrides overrides;
};

/// The value of every variable of the catalogue, resolved once: built-in < files < environment <
/// command line. Empty environment variables are ignored. A value of a file or of the environment
/// that cannot be read leaves the layer below in force and is reported in warnings().
///
/// Immutable once loaded; any thread may read it.
/// Source: lib/runtime/src/config.rs (v1.5.0); the truth of switches is base/truthy.h.
class Configuration {
 public:
  /// Errors: Errc::invalid_argument for a TOML file that is not TOML and for a command-line value
  /// that cannot be read; permission_denied and the like for a file that exists but cannot be read.
  static Result<Configuration> load(const Layers& layers = {});

  template <class T>
  T get(Variable<T> variable) const {
    const Value& value = settings_[variable.index].value;
    if constexpr (kIsOptional<T>) {
      const auto* held = std::get_if<typename T::value_type>(&value);
      return held ? T(*held) : T();
    } else {
      return std::get<T>(value);
    }
  }

  template <class T>
  Source source(Variable<T> variable) const noexcept {
    return settings_[variable.index].source;
  }

  /// What could not be read, one sentence each, naming variable and place.
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

  /// {"DYN_LOG": {"value": "info", "source": "default"}, …}. A source is "default", "environment",
  /// "command line" or the path of a file. Secrets show only how many there are.
  std::string to_json() const;

 private:
  using Value = std::variant<std::monostate, bool, std::uint64_t, double, std::chrono::nanoseconds,
                             std::string, std::vector<std::string>>;
  struct Setting {
    Value value;
    Source source = Source::built_in;
    std::string file;
  };
  template <class T>
  static constexpr bool kIsOptional = false;
  template <class T>
  static constexpr bool kIsOptional<std::optional<T>> = true;

  Configuration() = default;
  static Result<Value> read(const Entry& entry, std::string_view text);
  Result<void> load_file(const std::filesystem::path& path);
  void load_environment(const Environment& environment);
  Result<void> load_overrides(const Overrides& overrides);

  std::vector<Setting> settings_;
  std::vector<std::string> warnings_;
};

/// The configuration that `get` reads. Until install() it is what the environment and the files
/// say; if a file cannot be read then, that is logged and the files are left out.
const Configuration& process() noexcept;

/// Makes `configuration` the process's own, once, at the start of main; logs its warnings.
void install(Configuration configuration);

/// The value of a variable in the process's configuration.
template <class T>
T get(Variable<T> variable) {
  return process().get(variable);
}

/// Replaces the process's configuration while it lives: built-in values and these (name, value)
/// pairs, nothing else. For tests; not for concurrent use.
class ScopedConfiguration {
 public:
  explicit ScopedConfiguration(
      std::initializer_list<std::pair<std::string_view, std::string_view>> environment = {});
  ~ScopedConfiguration();
  ScopedConfiguration(const ScopedConfiguration&) = delete;
  ScopedConfiguration& operator=(const ScopedConfiguration&) = delete;

 private:
  std::unique_ptr<const Configuration> mine_;
  const Configuration* before_;
};

}  // namespace dynamo::config
