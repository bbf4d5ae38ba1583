// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <source_location>
#include <string>
#include <string_view>

namespace dynamo::base {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };
enum class LogFormat : std::uint8_t { readable, jsonl };

/// One structured field of a log line. Text that is not owned by the field must outlive the call.
struct LogField {
  LogField(std::string_view key, std::string_view text);
  LogField(std::string_view key, const char* text) : LogField(key, std::string_view(text)) {}
  LogField(std::string_view key, const std::string& text) : LogField(key, std::string_view(text)) {}
  LogField(std::string_view key, bool value);
  LogField(std::string_view key, std::int64_t value);
  LogField(std::string_view key, std::uint64_t value);
  LogField(std::string_view key, int value) : LogField(key, static_cast<std::int64_t>(value)) {}
  LogField(std::string_view key, unsigned value)
      : LogField(key, static_cast<std::uint64_t>(value)) {}
  LogField(std::string_view key, double value);
  LogField(std::string_view key, const Error& error);

  std::string_view name;
  std::string text;     ///< the value as it is printed
  bool quoted = false;  ///< whether JSONL writes it as a string
};

struct LogOptions {
  /// env-filter syntax of DYN_LOG: "info", "debug,llm=trace", "warn,runtime::http=debug".
  std::string filter = "info";
  LogFormat format = LogFormat::readable;
  bool ansi = false;        ///< colour; only sensible on a terminal
  bool local_time = false;  ///< local offset instead of UTC
};

/// Options from DYN_LOG, DYN_LOGGING_CONSOLE_FORMAT, DYN_LOGGING_JSONL,
/// DYN_SDK_DISABLE_ANSI_LOGGING, DYN_LOG_USE_LOCAL_TZ, as the reference reads them.
LogOptions log_options_from_environment();

/// Starts logging to stderr. Later calls are ignored, as in the reference; before the first one,
/// lines at info and above are written with the defaults. Errors: a filter that cannot be parsed.
Result<void> init_logging(const LogOptions& options);

/// Sends lines to `sink` instead of stderr (tests); null restores. Not for concurrent use.
using LogSink = void (*)(std::string_view line, void* user);
void set_log_sink(LogSink sink, void* user) noexcept;

/// Whether a line of this level and target would be written; cheap when it would not.
bool log_enabled(LogLevel level, std::string_view target) noexcept;

/// Writes one line: an event name and fields, no sentence built from values.
/// Thread safety: any thread; lines are never mixed. `target` is "library::room".
void log_event(LogLevel level, std::string_view target, std::string_view event,
               std::initializer_list<LogField> fields = {},
               std::source_location where = std::source_location::current());

}  // namespace dynamo::base

namespace dynamo {
using base::LogField;
using base::LogLevel;
}  // namespace dynamo

/// DYN_LOG_INFO("runtime::http", "listening", {{"port", port}});
/// Fields are evaluated only when the line is written.
#define DYN_LOG_AT(level, target, ...)                       \
  do {                                                       \
    if (::dynamo::base::log_enabled(level, target))          \
      ::dynamo::base::log_event(level, target, __VA_ARGS__); \
  } while (false)
#define DYN_LOG_ERROR(target, ...) DYN_LOG_AT(::dynamo::base::LogLevel::error, target, __VA_ARGS__)
#define DYN_LOG_WARN(target, ...) DYN_LOG_AT(::dynamo::base::LogLevel::warn, target, __VA_ARGS__)
#define DYN_LOG_INFO(target, ...) DYN_LOG_AT(::dynamo::base::LogLevel::info, target, __VA_ARGS__)
#define DYN_LOG_DEBUG(target, ...) DYN_LOG_AT(::dynamo::base::LogLevel::debug, target, __VA_ARGS__)
#ifdef NDEBUG
#define DYN_LOG_TRACE(target, ...) static_cast<void>(0)
#else
#define DYN_LOG_TRACE(target, ...) DYN_LOG_AT(::dynamo::base::LogLevel::trace, target, __VA_ARGS__)
#endif
