// SPDX-License-Identifier: Apache-2.0
#include "base/log_filter.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace dynamo::base::detail {
namespace {

constexpr std::string_view kReferencePrefix = "dynamo_";

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) noexcept {
  return std::ranges::equal(text, lower, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

// A level by name or by tracing's number (0 off … 5 trace).
std::optional<LogLevel> level_named(std::string_view text) noexcept {
  struct Name {
    std::string_view word;
    char digit;
    LogLevel level;
  };
  static constexpr std::array<Name, 6> kNames{{{"off", '0', LogLevel::off},
                                               {"error", '1', LogLevel::error},
                                               {"warn", '2', LogLevel::warn},
                                               {"info", '3', LogLevel::info},
                                               {"debug", '4', LogLevel::debug},
                                               {"trace", '5', LogLevel::trace}}};
  for (const Name& name : kNames) {
    if (equals_ignoring_case(text, name.word) || (text.size() == 1 && text[0] == name.digit))
      return name.level;
  }
  return std::nullopt;
}

bool is_target(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == ':' || c == '-' || c == '.' || c == '/';
  });
}

bool is_below(std::string_view target, std::string_view prefix) noexcept {
  return target.starts_with(prefix) &&
         (target.size() == prefix.size() || target.substr(prefix.size()).starts_with("::"));
}

}  // namespace

Result<LogFilter> LogFilter::parse(std::string_view text) {
  LogFilter filter;
  filter.default_ = LogLevel::off;
  filter.most_verbose_ = LogLevel::off;
  bool any = false;
  while (!text.empty()) {
    const std::string_view directive = trim(text.substr(0, text.find(',')));
    text.remove_prefix(std::min(
        text.find(',') == std::string_view::npos ? text.size() : text.find(',') + 1, text.size()));
    if (directive.empty()) continue;
    any = true;
    DYN_CHECK(filter.add_directive(directive));
  }
  if (!any) return LogFilter();
  // Targets differ, so that the order is total.
  std::ranges::sort(filter.directives_, [](const Directive& a, const Directive& b) {
    return a.target.size() != b.target.size() ? a.target.size() > b.target.size()
                                              : a.target < b.target;
  });
  return filter;
}

Result<void> LogFilter::add_directive(std::string_view text) {
  if (text.find('[') != std::string_view::npos) {
    ignored_.emplace_back(text);
    return {};
  }
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    if (const auto level = level_named(text)) {
      default_ = *level;
      most_verbose_ = std::min(most_verbose_, *level);
      return {};
    }
    if (!is_target(text))
      return fail(Errc::invalid_argument,
                  "log filter: expected a level or a target, got '" + std::string(text) + "'");
    add(text, LogLevel::trace);
    return {};
  }
  const std::string_view target = trim(text.substr(0, equals));
  const std::string_view level_text = trim(text.substr(equals + 1));
  const auto level = level_named(level_text);
  if (!is_target(target) || !level)
    return fail(Errc::invalid_argument,
                "log filter: expected target=level with a level of off, error, warn, info, debug "
                "or trace, got '" +
                    std::string(text) + "'");
  add(target, *level);
  return {};
}

void LogFilter::add(std::string_view target, LogLevel level) {
  // Of two directives for one target the later one counts.
  std::erase_if(directives_, [&](const Directive& d) { return d.target == target; });
  directives_.push_back({std::string(target), level});
  most_verbose_ = std::min(most_verbose_, level);
  if (target.starts_with(kReferencePrefix)) add(target.substr(kReferencePrefix.size()), level);
}

bool LogFilter::enabled(LogLevel level, std::string_view target) const noexcept {
  if (level == LogLevel::off) return false;
  for (const Directive& directive : directives_)
    if (is_below(target, directive.target)) return level >= directive.level;
  return level >= default_;
}

}  // namespace dynamo::base::detail
