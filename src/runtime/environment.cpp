// SPDX-License-Identifier: Apache-2.0
#include "runtime/environment.h"

#include <dynamo/base/log.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

namespace dynamo::runtime {

std::optional<std::size_t> size_from_environment(const char* name, std::size_t low,
                                                 std::size_t high) {
  const char* raw = std::getenv(name);
  const std::string_view text = raw == nullptr ? "" : raw;
  if (text.empty()) return {};
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size() && value >= low && value <= high)
    return value;
  DYN_LOG_ERROR("runtime", "environment variable is ignored: not a whole number in its range",
                {{"variable", name},
                 {"value", text},
                 {"low", std::uint64_t{low}},
                 {"high", std::uint64_t{high}}});
  return {};
}

}  // namespace dynamo::runtime
