// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/truthy.h>

#include <algorithm>
#include <array>
#include <string>

namespace dynamo::base {
namespace {

constexpr std::array<std::string_view, 4> kOn{"1", "true", "on", "yes"};
constexpr std::array<std::string_view, 4> kOff{"0", "false", "off", "no"};

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_one_of(std::string_view text, const std::array<std::string_view, 4>& words) noexcept {
  return std::ranges::any_of(
      words, [&](std::string_view word) { return std::ranges::equal(text, word, {}, lower); });
}

}  // namespace

bool is_truthy(std::string_view text) noexcept {
  return is_one_of(trim(text), kOn);
}

bool is_falsey(std::string_view text) noexcept {
  text = trim(text);
  return text.empty() || is_one_of(text, kOff);
}

std::optional<bool> parse_bool_opt(std::string_view text) noexcept {
  if (trim(text).empty()) return std::nullopt;
  if (is_truthy(text)) return true;
  if (is_falsey(text)) return false;
  return std::nullopt;
}

Result<bool> parse_bool(std::string_view text) {
  if (is_truthy(text)) return true;
  if (is_falsey(text)) return false;
  return fail(Errc::invalid_argument, "Invalid boolean value: '" + std::string(text) +
                                          "'. Expected one of: true/false, 1/0, on/off, yes/no");
}

}  // namespace dynamo::base
