// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/clock.h>
#include <dynamo/base/json.h>
#include <dynamo/base/log.h>
#include <dynamo/base/truthy.h>
#include <dynamo/base/utf8.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

#include <unistd.h>

#include "base/log_filter.h"
#include "base/log_line.h"

namespace dynamo::base {
namespace {

struct Settings {
  detail::LogFilter filter;
  LogOptions options;
};

// Published once by init_logging and never freed: lines may be written until the process ends.
std::atomic<const Settings*> g_settings{nullptr};
// Copy of the filter's lowest level, so that a disabled line costs one load and one comparison.
std::atomic<LogLevel> g_most_verbose{LogLevel::info};
std::atomic<LogSink> g_sink{nullptr};
std::atomic<void*> g_sink_user{nullptr};

const Settings& settings() noexcept {
  static const Settings defaults;
  const Settings* const set = g_settings.load(std::memory_order_acquire);
  return set != nullptr ? *set : defaults;
}

// One write per line keeps lines of several threads and processes whole.
void write_stderr(std::string_view line) noexcept {
  while (!line.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    line.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string trimmed_lower(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != ' ' && c != '\t') out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  return out;
}

std::string_view environment(const char* name) noexcept {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : std::string_view();
}

}  // namespace

LogField::LogField(std::string_view key, std::string_view value)
    : name(key),
      text(is_valid_utf8(value) ? std::string(value) : to_valid_utf8(value)),
      quoted(true) {}
LogField::LogField(std::string_view key, bool value) : name(key), text(value ? "true" : "false") {}
LogField::LogField(std::string_view key, std::int64_t value)
    : name(key), text(std::to_string(value)) {}
LogField::LogField(std::string_view key, std::uint64_t value)
    : name(key), text(std::to_string(value)) {}
LogField::LogField(std::string_view key, double value) : name(key) {
  JsonWriter(text).value(value);
}
LogField::LogField(std::string_view key, const Error& error)
    : LogField(key, std::string_view(error.describe())) {}

LogOptions log_options_from_environment() {
  LogOptions options;
  if (const auto filter = environment("DYN_LOG"); !filter.empty()) options.filter = filter;
  const std::string format = trimmed_lower(environment("DYN_LOGGING_CONSOLE_FORMAT"));
  if (format == "jsonl" || (format.empty() && is_truthy(environment("DYN_LOGGING_JSONL"))))
    options.format = LogFormat::jsonl;
  options.ansi =
      !is_truthy(environment("DYN_SDK_DISABLE_ANSI_LOGGING")) && ::isatty(STDERR_FILENO) == 1;
  options.local_time = is_truthy(environment("DYN_LOG_USE_LOCAL_TZ"));
  return options;
}

Result<void> init_logging(const LogOptions& options) {
  auto fresh = std::make_unique<Settings>();
  DYN_TRY(fresh->filter, detail::LogFilter::parse(options.filter));
  fresh->options = options;
  const Settings* expected = nullptr;
  if (!g_settings.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel))
    return {};
  const Settings* const kept = fresh.release();
  g_most_verbose.store(kept->filter.most_verbose(), std::memory_order_relaxed);
  for (const std::string& directive : kept->filter.ignored())
    log_event(LogLevel::warn, "base::log", "log filter directive has a span selector; ignored",
              {{"directive", directive}});
  return {};
}

void set_log_sink(LogSink sink, void* user) noexcept {
  g_sink_user.store(user, std::memory_order_relaxed);
  g_sink.store(sink, std::memory_order_release);
}

bool log_enabled(LogLevel level, std::string_view target) noexcept {
  if (level < g_most_verbose.load(std::memory_order_relaxed)) return false;
  return settings().filter.enabled(level, target);
}

void log_event(LogLevel level, std::string_view target, std::string_view event,
               std::initializer_list<LogField> fields, std::source_location where) {
  if (!log_enabled(level, target)) return;
  const std::string line = detail::format_line(
      {level, target, event, fields, where, Clock::system().system_now()}, settings().options);
  if (const LogSink sink = g_sink.load(std::memory_order_acquire)) {
    sink(line, g_sink_user.load(std::memory_order_relaxed));
  } else {
    write_stderr(line);
  }
}

}  // namespace dynamo::base
