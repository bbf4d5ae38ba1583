// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/base/log.h>

#include <initializer_list>
#include <source_location>
#include <string>
#include <string_view>

namespace dynamo::base::detail {

struct LogLine {
  LogLevel level;
  std::string_view target;
  std::string_view event;
  std::initializer_list<LogField> fields;
  std::source_location where;
  SystemTime time;
};

/// One line with its line feed, in the format of `how`; no text in it can break the line.
std::string format_line(const LogLine& line, const LogOptions& how);

/// "2026-01-31T08:09:10.123456Z", or with a numeric offset for local time.
std::string format_timestamp(SystemTime time, bool local);

}  // namespace dynamo::base::detail
