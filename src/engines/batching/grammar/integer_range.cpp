// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/grammar/integer_range.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace dynamo::engines::batching::grammar {
namespace {

/// Digits of an unbounded integer: what a 64-bit reader takes without loss.
constexpr std::size_t kDigitsMax = 18;

std::string digit_range(char low, char high) {
  if (low == high) return std::string("\"") + low + '"';
  return std::string("[") + low + '-' + high + ']';
}

std::string any_digits(std::size_t count) {
  if (count == 0) return {};
  return " " + repeated("[0-9]", count, static_cast<std::ptrdiff_t>(count));
}

/// Alternatives for digit strings of equal length, from `low` to `high`.
void same_length(std::string_view low, std::string_view high, const std::string& prefix,
                 std::vector<std::string>& out) {
  if (low.empty()) {
    out.push_back(prefix.empty() ? "\"\"" : prefix);
    return;
  }
  const std::string_view low_rest = low.substr(1);
  const std::string_view high_rest = high.substr(1);
  const std::string lead = prefix.empty() ? "" : prefix + " ";
  if (low[0] == high[0]) {
    same_length(low_rest, high_rest, lead + digit_range(low[0], low[0]), out);
    return;
  }
  char first = low[0];
  char last = high[0];
  const bool low_full = low_rest.find_first_not_of('0') == std::string_view::npos;
  const bool high_full = high_rest.find_first_not_of('9') == std::string_view::npos;
  if (!low_full) {
    same_length(low_rest, std::string(low_rest.size(), '9'), lead + digit_range(first, first), out);
    ++first;
  }
  if (!high_full) --last;
  if (first <= last) out.push_back(lead + digit_range(first, last) + any_digits(low_rest.size()));
  if (!high_full) {
    same_length(std::string(high_rest.size(), '0'), high_rest, lead + digit_range(high[0], high[0]),
                out);
  }
}

/// Alternatives for the integers from `low` to `high`, neither negative.
void not_negative(std::uint64_t low, std::uint64_t high, const std::string& prefix,
                  std::vector<std::string>& out) {
  for (;;) {
    const std::string low_text = std::to_string(low);
    const std::string longest(low_text.size(), '9');
    const std::uint64_t last_of_length = std::stoull(longest);
    if (high <= last_of_length) {
      same_length(low_text, std::to_string(high), prefix, out);
      return;
    }
    same_length(low_text, longest, prefix, out);
    low = last_of_length + 1;
  }
}

std::uint64_t magnitude(std::int64_t value) {
  return value < 0 ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
}

}  // namespace

std::string integer_range_to_gbnf(std::optional<std::int64_t> min, std::optional<std::int64_t> max,
                                  GbnfRules& rules) {
  const auto unbounded = static_cast<std::int64_t>(std::stoll(std::string(kDigitsMax, '9')));
  const std::int64_t low = min.value_or(std::min(-unbounded, max.value_or(0)));
  const std::int64_t high = max.value_or(std::max(unbounded, low));
  std::vector<std::string> out;
  if (low < 0) {
    not_negative(high < 0 ? magnitude(high) : 1, magnitude(low), "\"-\"", out);
  }
  if (high >= 0) not_negative(low > 0 ? magnitude(low) : 0, magnitude(high), "", out);
  std::string body;
  for (const std::string& alternative : out) body += (body.empty() ? "" : " | ") + alternative;
  return rules.add(std::move(body));
}

}  // namespace dynamo::engines::batching::grammar
