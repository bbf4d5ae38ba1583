// SPDX-License-Identifier: Apache-2.0
#include "llm/card/json5_numbers.h"

#include <array>

namespace dynamo::llm::detail {

std::string without_json5_numbers(std::string_view text) {
  static constexpr std::array<std::string_view, 3> kWords{"-Infinity", "Infinity", "NaN"};
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (in_string && c == '\\' && i + 1 < text.size()) {
      out.append(text.substr(i, 2));
      i += 2;
      continue;
    }
    if (c == '"') in_string = !in_string;
    std::size_t word = 0;
    if (!in_string) {
      for (const std::string_view candidate : kWords) {
        if (text.substr(i).starts_with(candidate)) word = candidate.size();
        if (word != 0) break;
      }
    }
    if (word != 0) {
      out += "null";
      i += word;
    } else {
      out += c;
      ++i;
    }
  }
  return out;
}

}  // namespace dynamo::llm::detail
