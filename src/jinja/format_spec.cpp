// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/utf8.h>

#include <algorithm>
#include <cmath>

#include "jinja/arguments.h"
#include "jinja/bigint.h"
#include "jinja/float_text.h"
#include "jinja/format_string.h"
#include "jinja/unicode.h"

/// The format specification mini-language: [[fill]align][sign][#][0][width][,_][.precision][type].
namespace dynamo::jinja::detail {
namespace {

constexpr std::size_t kWidthMax = 1 << 20;

struct FormatSpec {
  std::string fill = " ";
  char align = '\0';
  char sign = '-';
  bool no_negative_zero = false;
  bool alternate = false;
  bool zero = false;
  std::size_t width = 0;
  char grouping = '\0';
  int precision = -1;
  char type = '\0';
};

bool is_align(char c) noexcept {
  return c == '<' || c == '>' || c == '=' || c == '^';
}

FormatSpec parse_spec(std::string_view text) {
  FormatSpec spec;
  std::size_t at = 0;
  const auto here = [&] { return at < text.size() ? text[at] : '\0'; };
  if (!text.empty()) {
    const std::size_t first = std::min(char_length(text.front()), text.size());
    if (first < text.size() && is_align(text[first])) {
      spec.fill = text.substr(0, first);
      spec.align = text[first];
      at = first + 1;
    } else if (is_align(text.front())) {
      spec.align = text.front();
      at = 1;
    }
  }
  if (here() == '+' || here() == '-' || here() == ' ') spec.sign = text[at++];
  if (here() == 'z') {
    spec.no_negative_zero = true;
    ++at;
  }
  if (here() == '#') {
    spec.alternate = true;
    ++at;
  }
  if (here() == '0') {
    spec.zero = true;
    if (spec.align == '\0') {
      spec.fill = "0";
      spec.align = '=';
    }
    ++at;
  }
  const auto number = [&] {
    std::size_t n = 0;
    while (here() >= '0' && here() <= '9') {
      n = n * 10 + static_cast<std::size_t>(text[at++] - '0');
      if (n > kWidthMax) fail_limit("a format wider than 1048576 characters");
    }
    return n;
  };
  spec.width = number();
  if (here() == ',' || here() == '_') spec.grouping = text[at++];
  if (here() == ',' || here() == '_') fail_type("Cannot specify both ',' and '_'.");
  if (here() == '.') {
    ++at;
    if (here() < '0' || here() > '9') fail_type("Format specifier missing precision");
    spec.precision = static_cast<int>(number());
  }
  if (at < text.size()) spec.type = text[at++];
  if (at < text.size()) fail_type("Invalid format specifier");
  return spec;
}

/// Digits with separators from the right; zeros are added to reach `width` characters.
std::string group(std::string_view digits, char separator, std::size_t step, std::size_t width) {
  std::string out;
  std::size_t n = 0;
  for (std::size_t i = digits.size(); i > 0 || out.size() < width; ++n) {
    if (n > 0 && n % step == 0) {
      out.push_back(separator);
      if (i == 0 && out.size() >= width) {
        // A separator never leads: another zero goes before it.
        out.push_back('0');
        break;
      }
    }
    out.push_back(i > 0 ? digits[--i] : '0');
  }
  return {out.rbegin(), out.rend()};
}

/// sign + prefix + body in the field.
std::string place(const FormatSpec& spec, std::string_view prefix, std::string_view body,
                  char default_align) {
  const char align = spec.align == '\0' ? default_align : spec.align;
  const std::size_t size = char_count(prefix) + char_count(body);
  const std::size_t padding = spec.width > size ? spec.width - size : 0;
  const std::size_t left = align == '>' ? padding : align == '^' ? padding / 2 : 0;
  std::string out;
  const auto fill = [&](std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out += spec.fill;
  };
  fill(left);
  out += prefix;
  if (align == '=') fill(padding);
  out += body;
  if (align != '=') fill(padding - left);
  return out;
}

std::string sign_of(bool negative, const FormatSpec& spec) {
  return negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
}

[[noreturn]] void fail_code(char type, std::string_view name) {
  fail_type("Unknown format code '" + std::string(1, type) + "' for object of type '" +
            std::string(name) + "'");
}

std::string format_text(std::string_view text, const FormatSpec& spec) {
  if (spec.type != '\0' && spec.type != 's') fail_code(spec.type, "str");
  if (spec.sign != '-') fail_type("Sign not allowed in string format specifier");
  if (spec.alternate) fail_type("Alternate form (#) not allowed in string format specifier");
  if (spec.grouping != '\0') {
    fail_type("Cannot specify '" + std::string(1, spec.grouping) + "' with 's'.");
  }
  if (spec.align == '=' && !spec.zero) {
    fail_type("'=' alignment not allowed in string format specifier");
  }
  if (spec.precision >= 0) {
    const std::size_t keep = std::min(char_count(text), static_cast<std::size_t>(spec.precision));
    text = text.substr(0, char_offset(text, keep));
  }
  FormatSpec adjusted = spec;
  if (adjusted.align == '=') adjusted.align = '<';
  return place(adjusted, {}, text, '<');
}

std::string format_real(double value, const FormatSpec& spec, std::string_view type_name) {
  std::string body;
  const char type = spec.type;
  const bool negative = std::signbit(value) && !std::isnan(value);
  const double magnitude = std::fabs(value);
  switch (type) {
    case '\0':
      if (spec.precision < 0) {
        append_float_repr(body, magnitude);
      } else {
        // Like 'g', but with a fraction digit at least and repr's point for switching.
        const int precision = spec.precision == 0 ? 1 : spec.precision;
        body = format_float(magnitude, 'g', precision, spec.alternate);
        const bool exponent = body.find('e') != std::string::npos;
        if (!exponent && std::isfinite(value) && body.find('.') == std::string::npos) {
          const std::size_t digits = body.size();
          if (digits >= static_cast<std::size_t>(precision)) {
            body = format_float(magnitude, 'e', precision - 1, spec.alternate);
            // Trailing zeros of the mantissa go.
            const std::size_t e = body.find('e');
            std::string mantissa = body.substr(0, e);
            if (mantissa.find('.') != std::string::npos) {
              mantissa.erase(mantissa.find_last_not_of('0') + 1);
              if (mantissa.back() == '.') mantissa.pop_back();
            }
            body = mantissa + body.substr(e);
          } else {
            body += ".0";
          }
        }
      }
      break;
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
    case '%':
      body = format_float(magnitude, type, spec.precision < 0 ? 6 : spec.precision, spec.alternate);
      break;
    case 'n':
      body = format_float(magnitude, 'g', spec.precision < 0 ? 6 : spec.precision, spec.alternate);
      break;
    default:
      fail_code(type, type_name);
  }
  const bool zero_result = body.find_first_of("123456789in") == std::string::npos;
  const std::string sign = sign_of(negative && !(spec.no_negative_zero && zero_result), spec);
  if (spec.grouping != '\0') {
    std::size_t end = 0;
    while (end < body.size() && body[end] >= '0' && body[end] <= '9') ++end;
    const std::size_t rest = sign.size() + body.size() - end;
    const bool zero_fill = spec.fill == "0" && spec.align == '=';
    const std::size_t width = zero_fill && spec.width > rest ? spec.width - rest : 0;
    body = group(body.substr(0, end), spec.grouping, 3, width) + body.substr(end);
  }
  return place(spec, sign, body, '>');
}

std::string format_int(Interpreter& in, const Value& value, const FormatSpec& spec) {
  switch (spec.type) {
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
    case '%':
      return format_real(to_double(value), spec, "int");
    case '\0':
    case 'd':
    case 'n':
    case 'b':
    case 'o':
    case 'x':
    case 'X':
    case 'c':
      break;
    default:
      fail_code(spec.type, "int");
  }
  if (spec.precision >= 0) fail_type("Precision not allowed in integer format specifier");
  if (spec.type == 'c') {
    if (spec.sign != '-') fail_type("Sign not allowed with integer format specifier 'c'");
    const std::int64_t c = require_int(value, "%c");
    if (c < 0 || c > 0x10FFFF) fail_type("%c arg not in range(0x110000)");
    std::string text;
    base::append_utf8(text, static_cast<char32_t>(c));
    return place(spec, {}, text, '<');
  }
  const bool negative = int_is_negative(value);
  const Value magnitude = negative ? int_neg(in.arena(), value) : value;
  const unsigned base = spec.type == 'b'                       ? 2
                        : spec.type == 'o'                     ? 8
                        : spec.type == 'x' || spec.type == 'X' ? 16
                                                               : 10;
  if (spec.grouping == ',' && base != 10) {
    fail_type("Cannot specify ',' with '" + std::string(1, spec.type) + "'.");
  }
  std::string body = int_to_text(magnitude, base);
  if (spec.type == 'X') {
    for (char& c : body) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
  }
  std::string prefix = sign_of(negative, spec);
  if (spec.alternate && base != 10) {
    prefix += base == 2 ? "0b" : base == 8 ? "0o" : spec.type == 'x' ? "0x" : "0X";
  }
  if (spec.grouping != '\0') {
    const bool zero_fill = spec.fill == "0" && spec.align == '=';
    const std::size_t width =
        zero_fill && spec.width > prefix.size() ? spec.width - prefix.size() : 0;
    body = group(body, spec.grouping, base == 10 ? 3 : 4, width);
  }
  return place(spec, prefix, body, '>');
}

}  // namespace

std::string format_value(Interpreter& in, const Value& value, std::string_view spec_text) {
  if (spec_text.empty()) {
    std::string out;
    append_str(out, value);
    return out;
  }
  in.charge(1);
  switch (value.tag) {
    case Tag::string:
      return format_text(value.str(), parse_spec(spec_text));
    case Tag::boolean:
    case Tag::integer:
    case Tag::big: {
      Value whole = value;
      if (value.tag == Tag::boolean) whole = make_int(value.boolean ? 1 : 0);
      return format_int(in, whole, parse_spec(spec_text));
    }
    case Tag::real:
      return format_real(value.real, parse_spec(spec_text), "float");
    default:
      fail_type("unsupported format string passed to " + std::string(type_name(value)) +
                ".__format__");
  }
}

}  // namespace dynamo::jinja::detail
