// SPDX-License-Identifier: Apache-2.0
#include "jinja/strftime.h"

#include <array>
#include <ctime>

namespace dynamo::jinja::detail {

std::string format_time(std::chrono::system_clock::time_point now,
                        std::optional<std::chrono::seconds> utc_offset, std::string_view format) {
  using namespace std::chrono;
  const auto whole = floor<seconds>(now);
  const auto micros = duration_cast<microseconds>(now - whole).count();
  const std::time_t time = system_clock::to_time_t(whole) + (utc_offset ? utc_offset->count() : 0);
  std::tm parts{};
  if (utc_offset) {
    gmtime_r(&time, &parts);
  } else {
    localtime_r(&time, &parts);
  }
  // What differs between a naive datetime and C: %f exists, and there is no zone.
  std::string c_format;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] == '\0') break;
    if (format[i] != '%' || i + 1 >= format.size()) {
      c_format.push_back(format[i]);
      continue;
    }
    const char directive = format[++i];
    switch (directive) {
      case 'f': {
        std::string digits = std::to_string(micros);
        c_format += std::string(6 - digits.size(), '0') + digits;
        break;
      }
      case 'z':
      case 'Z':
        break;
      default:
        c_format.push_back('%');
        c_format.push_back(directive);
    }
  }
  if (c_format.empty()) return {};
  // A trailing byte tells an empty result from a buffer that is too small.
  c_format.push_back('.');
  std::string out(256, '\0');
  while (out.size() < (std::size_t{1} << 20)) {
    const std::size_t n = std::strftime(out.data(), out.size(), c_format.c_str(), &parts);
    if (n > 0) {
      out.resize(n - 1);
      return out;
    }
    out.resize(out.size() * 4);
  }
  return {};
}

}  // namespace dynamo::jinja::detail
