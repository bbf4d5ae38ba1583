// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace dynamo::jinja::detail {

/// Python's datetime.strftime in the C locale: every directive of its documentation, glibc's `-`,
/// `_`, `0`, `^` and `#` flags and widths included. Local time is the process's zone unless an
/// offset is given.
std::string format_time(std::chrono::system_clock::time_point now,
                        std::optional<std::chrono::seconds> utc_offset, std::string_view format);

}  // namespace dynamo::jinja::detail
