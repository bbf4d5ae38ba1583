// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/log.h>

#include <string>
#include <string_view>
#include <vector>

namespace dynamo::base::detail {

/// Which lines are written: the env-filter syntax of DYN_LOG.
///
/// Comma-separated directives: a level ("info"), a target ("runtime::http": everything of it), or
/// "target=level". The most specific directive wins; with targets only, all else is off. A
/// target matches itself and what is below it ("runtime" matches "runtime::http", not
/// "runtimes"). "dynamo_runtime" stands for "runtime", so that a filter written for the reference
/// works.
class LogFilter {
 public:
  /// Everything at info and above.
  LogFilter() = default;
  /// Errors: invalid_argument naming the directive.
  static Result<LogFilter> parse(std::string_view text);

  bool enabled(LogLevel level, std::string_view target) const noexcept;
  /// The lowest level that any target has.
  LogLevel most_verbose() const noexcept { return most_verbose_; }
  /// Directives with a span selector ("a[span]=debug"): accepted, without effect.
  const std::vector<std::string>& ignored() const noexcept { return ignored_; }

 private:
  struct Directive {
    std::string target;
    LogLevel level;
  };
  void add(std::string_view target, LogLevel level);
  Result<void> add_directive(std::string_view text);

  std::vector<Directive> directives_;  // longest target first
  LogLevel default_ = LogLevel::info;
  LogLevel most_verbose_ = LogLevel::info;
  std::vector<std::string> ignored_;
};

}  // namespace dynamo::base::detail
