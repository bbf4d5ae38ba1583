// SPDX-License-Identifier: Apache-2.0
#include "jinja/percent_format.h"

#include <dynamo/base/utf8.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "jinja/arguments.h"
#include "jinja/bigint.h"
#include "jinja/float_text.h"
#include "jinja/markup.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {
namespace {

constexpr std::int64_t kWidthMax = 1 << 20;

struct Spec {
  bool left = false, plus = false, space = false, zero = false, alternate = false;
  std::int64_t width = 0;
  std::int64_t precision = -1;
};

class Formatter {
 public:
  Formatter(Interpreter& in, const Value& text, const Value& value)
      : in_(in), text_(text.str()), markup_(text.is_markup()), value_(value) {
    // A single value that is no tuple is one argument; a mapping serves names as well.
    is_tuple_ = value.tag == Tag::tuple;
    is_mapping_ = value.is_mapping() || value.tag == Tag::json_array || value.tag == Tag::list ||
                  value.is_undefined();
  }

  Value run() {
    while (at_ < text_.size()) {
      const std::size_t percent = std::min(text_.find('%', at_), text_.size());
      out_ += text_.substr(at_, percent - at_);
      at_ = percent;
      if (at_ < text_.size()) directive();
    }
    const bool all_used = is_tuple_ ? used_ >= value_.list->size : used_ > 0 || is_mapping_;
    if (!all_used) fail_type("not all arguments converted during string formatting");
    return in_.text(out_, markup_);
  }

 private:
  Value next_arg() {
    if (named_) return *named_;
    if (is_tuple_) {
      if (used_ >= value_.list->size) fail_type("not enough arguments for format string");
      return value_.list->items[used_++];
    }
    if (used_++ > 0) fail_type("not enough arguments for format string");
    return value_;
  }

  char peek() {
    if (at_ >= text_.size()) fail_type("incomplete format");
    return text_[at_];
  }

  std::int64_t number() {
    if (peek() == '*') {
      ++at_;
      const Value v = next_arg();
      if (!v.is_integral()) fail_type("* wants int");
      return require_int(v, "*");
    }
    std::int64_t n = 0;
    while (peek() >= '0' && peek() <= '9') {
      n = n * 10 + (text_[at_++] - '0');
      if (n > kWidthMax) fail_limit("a format wider than 1048576 characters");
    }
    return n;
  }

  void directive() {
    ++at_;
    std::optional<Value> key_value;
    named_ = nullptr;
    if (peek() == '(') {
      if (!is_mapping_) fail_type("format requires a mapping");
      std::size_t depth = 1;
      const std::size_t begin = ++at_;
      for (; depth > 0; ++at_) {
        if (at_ >= text_.size()) fail_type("incomplete format key");
        depth += text_[at_] == '(' ? 1 : 0;
        depth -= text_[at_] == ')' ? 1 : 0;
      }
      const Value key = make_string(text_.substr(begin, at_ - 1 - begin));
      if (!value_.is_mapping()) fail_type("list indices must be integers or slices, not str");
      key_value = in_.item(value_, key);
      if (!contains(in_, value_, key)) fail_type("KeyError: " + repr(key));
      named_ = &*key_value;
    }
    Spec spec;
    for (bool flags = true; flags;) {
      switch (peek()) {
        case '-':
          spec.left = true;
          break;
        case '+':
          spec.plus = true;
          break;
        case ' ':
          spec.space = true;
          break;
        case '#':
          spec.alternate = true;
          break;
        case '0':
          spec.zero = true;
          break;
        default:
          flags = false;
      }
      if (flags) ++at_;
    }
    spec.width = number();
    if (spec.width < 0) {
      spec.left = true;
      spec.width = -spec.width;
    }
    if (spec.width > kWidthMax) fail_limit("a format wider than 1048576 characters");
    if (peek() == '.') {
      ++at_;
      spec.precision = std::max<std::int64_t>(number(), 0);
      if (spec.precision > kWidthMax) fail_limit("a format wider than 1048576 characters");
    }
    while (peek() == 'h' || peek() == 'l' || peek() == 'L') ++at_;
    const char type = peek();
    ++at_;
    if (type == '%') {
      out_.push_back('%');
      return;
    }
    convert(type, spec, next_arg());
  }

  void convert(char type, const Spec& spec, const Value& v) {
    switch (type) {
      case 's':
      case 'r':
      case 'a': {
        std::string text;
        type == 's' ? append_str(text, v) : append_repr(text, v);
        if (type == 'a') text = to_ascii(text);
        if (markup_ && !(type == 's' && v.is_markup())) {
          std::string escaped;
          append_html_escaped(escaped, text);
          text = std::move(escaped);
        }
        if (spec.precision >= 0) {
          text.resize(char_offset(
              text, std::min(char_count(text), static_cast<std::size_t>(spec.precision))));
        }
        return pad(text, 0, spec, ' ');
      }
      case 'c':
        return convert_char(spec, v);
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        return convert_int(type, spec, v);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G': {
        const double d = float_arg(v);
        std::string digits =
            format_float(std::fabs(d), type,
                         spec.precision < 0 ? 6 : static_cast<int>(spec.precision), spec.alternate);
        const bool finite = std::isfinite(d);
        const std::string sign = sign_of(std::signbit(d) && !std::isnan(d), spec);
        return pad(sign + digits, sign.size(), spec, spec.zero && finite ? '0' : ' ');
      }
      default:
        fail_type("unsupported format character '" + std::string(1, type) + "'");
    }
  }

  double float_arg(const Value& v) {
    if (v.is_number()) return to_double(v);
    if (v.is_undefined()) fail_with_undefined(v);
    if (markup_ && v.is_string()) {
      if (const auto parsed = parse_float(v.str())) return *parsed;
    }
    fail_type("must be real number, not " + std::string(type_name(v)));
  }

  void convert_char(const Spec& spec, const Value& v) {
    std::string text;
    if (v.is_integral()) {
      const std::int64_t c = require_int(v, "%c");
      if (c < 0 || c > 0x10FFFF) fail_type("%c arg not in range(0x110000)");
      base::append_utf8(text, static_cast<char32_t>(c));
    } else if (v.is_string() && char_count(v.str()) == 1) {
      text = v.str();
    } else {
      fail_type("%c requires int or char");
    }
    pad(text, 0, spec, ' ');
  }

  void convert_int(char type, const Spec& spec, const Value& v) {
    Value whole = v;
    const bool decimal = type == 'd' || type == 'i' || type == 'u';
    if (v.tag == Tag::real && decimal) {
      if (!std::isfinite(v.real)) fail_type("cannot convert float to integer");
      whole = int_from_double(in_.arena(), v.real);
    } else if (v.is_undefined()) {
      fail_with_undefined(v);
    } else if (!v.is_integral()) {
      fail_type(std::string("%") + type + " format: " + (decimal ? "a real number" : "an integer") +
                " is required, not " + std::string(type_name(v)));
    }
    const bool negative = int_is_negative(whole);
    const Value magnitude = negative ? int_neg(in_.arena(), whole) : whole;
    std::string digits = int_to_text(magnitude, decimal ? 10 : type == 'o' ? 8 : 16);
    if (spec.precision > static_cast<std::int64_t>(digits.size())) {
      digits.insert(0, static_cast<std::size_t>(spec.precision) - digits.size(), '0');
    }
    std::string prefix = sign_of(negative, spec);
    if (spec.alternate && !decimal) prefix += type == 'o' ? "0o" : type == 'x' ? "0x" : "0X";
    if (type == 'X') {
      for (char& c : digits) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
    }
    pad(prefix + digits, prefix.size(), spec, spec.zero ? '0' : ' ');
  }

  static std::string sign_of(bool negative, const Spec& spec) {
    if (negative) return "-";
    if (spec.plus) return "+";
    return spec.space ? " " : "";
  }

  static std::string to_ascii(const std::string& text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      const char32_t c = next_char(text, at);
      if (c < 0x80) {
        out.push_back(static_cast<char>(c));
        continue;
      }
      const int digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
      out += digits == 2 ? "\\x" : digits == 4 ? "\\u" : "\\U";
      for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) {
        out.push_back("0123456789abcdef"[(c >> shift) & 15]);
      }
    }
    return out;
  }

  /// Appends in the field; zeros go behind the first `prefix` bytes.
  void pad(std::string text, std::size_t prefix, const Spec& spec, char fill) {
    const std::size_t size = char_count(text);
    const auto width = static_cast<std::size_t>(spec.width);
    if (width > size) {
      in_.charge((width - size) / 64);
      if (spec.left) {
        text.append(width - size, ' ');
      } else {
        text.insert(fill == '0' ? prefix : 0, width - size, fill);
      }
    }
    out_ += text;
    if (out_.size() > in_.options().budget.memory_bytes) {
      fail_limit("a formatted text does not fit the memory budget");
    }
  }

  Interpreter& in_;
  std::string_view text_;
  bool markup_;
  Value value_;
  bool is_tuple_;
  bool is_mapping_;
  std::size_t at_ = 0;
  std::uint32_t used_ = 0;
  const Value* named_ = nullptr;
  std::string out_;
};

}  // namespace

Value percent_format(Interpreter& in, const Value& text, const Value& value) {
  return Formatter(in, text, value).run();
}

}  // namespace dynamo::jinja::detail
