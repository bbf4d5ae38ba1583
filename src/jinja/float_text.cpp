// SPDX-License-Identifier: Apache-2.0
#include "jinja/float_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace dynamo::jinja::detail {
namespace {

/// The longest exact decimal expansion of a double: 309 digits, a point, 1074 digits.
constexpr std::size_t kExactDigits = 1400;

void append_exponent(std::string& out, int exponent) {
  out.push_back('e');
  out.push_back(exponent < 0 ? '-' : '+');
  const int magnitude = std::abs(exponent);
  if (magnitude < 10) out.push_back('0');
  out += std::to_string(magnitude);
}

}  // namespace

void append_float_repr(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "nan";
    return;
  }
  if (std::isinf(value)) {
    out += value < 0 ? "-inf" : "inf";
    return;
  }
  std::array<char, 64> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::scientific)
                       .ptr;
  std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  if (text.front() == '-') {
    out.push_back('-');
    text.remove_prefix(1);
  }
  const std::size_t e = text.find('e');
  const std::string_view mantissa = text.substr(0, e);
  int exponent = 0;
  // from_chars takes no plus sign.
  const std::size_t digits_at = e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(text.data() + digits_at, text.data() + text.size(), exponent);
  std::string digits(1, mantissa.front());
  if (mantissa.size() > 2) digits += mantissa.substr(2);
  if (exponent < -4 || exponent >= 16) {
    out.push_back(digits.front());
    if (digits.size() > 1) {
      out.push_back('.');
      out.append(digits, 1);
    }
    append_exponent(out, exponent);
    return;
  }
  if (exponent < 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-exponent - 1), '0');
    out += digits;
    return;
  }
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) {
    out += digits;
    out.append(whole - digits.size(), '0');
    out += ".0";
  } else {
    out.append(digits, 0, whole);
    out.push_back('.');
    out.append(digits, whole);
  }
}

std::string format_float(double value, char type, int precision, bool alternate) {
  const bool upper = type >= 'A' && type <= 'Z';
  const char kind = upper ? static_cast<char>(type + 32) : type;
  std::string out;
  if (std::isnan(value) || std::isinf(value)) {
    out = std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
    if (kind == '%') out.push_back('%');
  } else {
    const double shown = kind == '%' ? value * 100 : value;
    std::string buffer(kExactDigits + static_cast<std::size_t>(std::max(precision, 0)), '\0');
    const std::chars_format format = kind == 'e'   ? std::chars_format::scientific
                                     : kind == 'g' ? std::chars_format::general
                                                   : std::chars_format::fixed;
    if (kind == 'g' && precision == 0) precision = 1;
    const auto end =
        std::to_chars(buffer.data(), buffer.data() + buffer.size(), shown, format, precision).ptr;
    buffer.resize(static_cast<std::size_t>(end - buffer.data()));
    out = std::move(buffer);
    if (alternate) {
      const std::size_t e = out.find('e');
      std::size_t at = e == std::string::npos ? out.size() : e;
      if (out.find('.') == std::string::npos) out.insert(at++, ".");
      if (kind == 'g') {
        const auto digits = static_cast<int>(
            std::count_if(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(at),
                          [](char c) { return c >= '0' && c <= '9'; }));
        const bool zero_lead = value != 0 && std::fabs(value) < 1;
        const int have = zero_lead ? digits - 1 : digits;
        if (precision > have) out.insert(at, static_cast<std::size_t>(precision - have), '0');
      }
    }
    if (kind == '%') out.push_back('%');
  }
  if (upper) {
    for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  }
  return out;
}

double round_to(double value, int precision) {
  if (!std::isfinite(value) || value == 0) return value;
  if (precision > 330) return value;
  if (precision < -330) return std::copysign(0.0, value);
  if (precision >= 0) {
    std::string buffer(kExactDigits, '\0');
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                   std::chars_format::fixed, precision)
                         .ptr;
    double rounded = 0;
    std::from_chars(buffer.data(), end, rounded);
    return rounded;
  }
  // Exact decimal digits, then half to even at the wanted place by hand.
  std::string exact(kExactDigits, '\0');
  const auto end = std::to_chars(exact.data(), exact.data() + exact.size(), std::fabs(value),
                                 std::chars_format::fixed, 1074)
                       .ptr;
  exact.resize(static_cast<std::size_t>(end - exact.data()));
  std::string whole = exact.substr(0, exact.find('.'));
  const bool fraction = exact.find_first_not_of('0', whole.size() + 1) != std::string::npos;
  const auto drop = static_cast<std::size_t>(-precision);
  if (whole.size() < drop) return std::copysign(0.0, value);
  const std::string dropped = whole.substr(whole.size() - drop);
  whole.resize(whole.size() - drop);
  std::string half = "5" + std::string(drop - 1, '0');
  const int order = dropped.compare(half);
  const bool odd = !whole.empty() && ((whole.back() - '0') & 1) != 0;
  std::string text = whole.empty() ? "0" : whole;
  if (order > 0 || (order == 0 && (fraction || odd))) {
    std::size_t at = text.size();
    while (at > 0 && text[at - 1] == '9') text[--at] = '0';
    if (at == 0) {
      text.insert(0, "1");
    } else {
      ++text[at - 1];
    }
  }
  text.append(drop, '0');
  double rounded = 0;
  std::from_chars(text.data(), text.data() + text.size(), rounded);
  return std::copysign(rounded, value);
}

}  // namespace dynamo::jinja::detail
