// SPDX-License-Identifier: Apache-2.0
#include "jinja/arithmetic.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "jinja/bigint.h"
#include "jinja/failure.h"
#include "jinja/interpreter.h"
#include "jinja/markup.h"
#include "jinja/percent_format.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {
namespace {

[[noreturn]] void fail_operands(std::string_view op, const Value& a, const Value& b) {
  if (a.is_undefined()) fail_with_undefined(a);
  if (b.is_undefined()) fail_with_undefined(b);
  if (op == "+" && a.is_string()) {
    fail_type("can only concatenate str (not \"" + std::string(type_name(b)) + "\") to str");
  }
  fail_type("unsupported operand type(s) for " + std::string(op) + ": '" +
            std::string(type_name(a)) + "' and '" + std::string(type_name(b)) + "'");
}

bool both_integral(const Value& a, const Value& b) noexcept {
  return a.is_integral() && b.is_integral();
}
bool both_numbers(const Value& a, const Value& b) noexcept {
  return a.is_number() && b.is_number();
}

bool is_list(const Value& v) noexcept {
  return v.tag == Tag::list || v.tag == Tag::json_array;
}

std::size_t item_count(const Value& v) noexcept {
  return v.tag == Tag::json_array ? v.json_array->size() : v.list->size;
}

void copy_items(Arena& arena, const Value& v, Value* to) {
  if (v.tag == Tag::json_array) {
    for (const Json& item : *v.json_array) *to++ = from_json(arena, item);
  } else {
    std::copy_n(v.list->items, v.list->size, to);
  }
}

Value join_lists(Interpreter& in, const Value& a, const Value& b) {
  const std::size_t size = item_count(a) + item_count(b);
  in.charge(size / 8);
  Value* items = in.arena().array<Value>(size);
  copy_items(in.arena(), a, items);
  copy_items(in.arena(), b, items + item_count(a));
  return make_pointer(a.tag == Tag::tuple ? Tag::tuple : Tag::list,
                      in.arena().make<List>(items, static_cast<std::uint32_t>(size)));
}

Value join_texts(Interpreter& in, std::string_view a, std::string_view b, bool markup) {
  const std::size_t size = a.size() + b.size();
  in.charge(size / 64);
  char* at = in.arena().text(size);
  std::copy(a.begin(), a.end(), at);
  std::copy(b.begin(), b.end(), at + a.size());
  return make_string({at, size}, markup);
}

Value repeat(Interpreter& in, const Value& v, const Value& times) {
  if (!times.is_integral()) {
    fail_type("can't multiply sequence by non-int of type '" + std::string(type_name(times)) + "'");
  }
  if (times.tag == Tag::big) fail_type("cannot fit 'int' into an index-sized integer");
  const auto n = static_cast<std::size_t>(
      std::clamp<std::int64_t>(require_int(times, "repetition"), 0, std::int64_t{1} << 31));
  const std::size_t size = v.is_string() ? v.size : item_count(v);
  if (size != 0 && n > in.options().budget.memory_bytes / size) {
    fail_limit("a repeated sequence does not fit the memory budget");
  }
  if (v.is_string()) {
    in.charge(size * n / 64);
    char* at = in.arena().text(size * n);
    for (std::size_t i = 0; i < n; ++i) std::copy_n(v.text, size, at + i * size);
    return make_string({at, size * n}, v.is_markup());
  }
  in.charge(size * n / 8);
  Value* items = in.arena().array<Value>(size * n);
  for (std::size_t i = 0; i < n; ++i) copy_items(in.arena(), v, items + i * size);
  return make_pointer(v.tag == Tag::tuple ? Tag::tuple : Tag::list,
                      in.arena().make<List>(items, static_cast<std::uint32_t>(size * n)));
}

void require_divisor(const Value& b, std::string_view what) {
  const bool zero = b.tag == Tag::real ? b.real == 0 : int_is_zero(b);
  if (zero) fail_type(std::string(what));
}

struct FloatDivision {
  double quotient;
  double remainder;
};

/// CPython's float_divmod.
FloatDivision float_divide(double a, double b) {
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0) {
    if ((b < 0) != (remainder < 0)) {
      remainder += b;
      quotient -= 1.0;
    }
  } else {
    remainder = std::copysign(0.0, b);
  }
  if (quotient != 0) {
    double whole = std::floor(quotient);
    if (quotient - whole > 0.5) whole += 1.0;
    quotient = whole;
  } else {
    quotient = std::copysign(0.0, a / b);
  }
  return {quotient, remainder};
}

std::int64_t slice_bound(const Value& v, std::int64_t size, std::int64_t absent, bool backward) {
  if (v.is_none()) return absent;
  if (!v.is_integral()) {
    fail_type("slice indices must be integers or None or have an __index__ method");
  }
  std::int64_t i = require_int(v, "slice index");
  if (i < 0) {
    i += size;
    return i < 0 ? (backward ? -1 : 0) : i;
  }
  return i >= size ? (backward ? size - 1 : size) : i;
}

}  // namespace

double to_double(const Value& number) {
  if (number.tag == Tag::real) return number.real;
  const double d = int_to_double(number);
  if (std::isinf(d)) fail_type("int too large to convert to float");
  return d;
}

std::int64_t require_int(const Value& value, std::string_view what) {
  switch (value.tag) {
    case Tag::boolean:
      return value.boolean ? 1 : 0;
    case Tag::integer:
      return value.integer;
    case Tag::big:
      return value.big->negative ? std::numeric_limits<std::int64_t>::min() / 4
                                 : std::numeric_limits<std::int64_t>::max() / 4;
    case Tag::undefined:
      fail_with_undefined(value);
    default:
      fail_type(std::string(what) + ": '" + std::string(type_name(value)) +
                "' object cannot be interpreted as an integer");
  }
}

Value add(Interpreter& in, const Value& a, const Value& b) {
  if (a.is_string() && b.is_string()) {
    if (!a.is_markup() && !b.is_markup()) return join_texts(in, a.str(), b.str(), false);
    std::string left;
    std::string right;
    append_escaped(left, a);
    append_escaped(right, b);
    return join_texts(in, left, right, true);
  }
  if (both_integral(a, b)) return int_add(in.arena(), a, b);
  if (both_numbers(a, b)) return make_real(to_double(a) + to_double(b));
  if ((is_list(a) && is_list(b)) || (a.tag == Tag::tuple && b.tag == Tag::tuple)) {
    return join_lists(in, a, b);
  }
  fail_operands("+", a, b);
}

Value subtract(Interpreter& in, const Value& a, const Value& b) {
  if (both_integral(a, b)) return int_sub(in.arena(), a, b);
  if (both_numbers(a, b)) return make_real(to_double(a) - to_double(b));
  fail_operands("-", a, b);
}

Value multiply(Interpreter& in, const Value& a, const Value& b) {
  if (both_integral(a, b)) {
    in.charge(BigInt::steps(a, b));
    return int_mul(in.arena(), a, b);
  }
  if (both_numbers(a, b)) return make_real(to_double(a) * to_double(b));
  if (a.is_undefined() || b.is_undefined()) fail_operands("*", a, b);
  if (a.is_string() || is_list(a) || a.tag == Tag::tuple) return repeat(in, a, b);
  if (b.is_string() || is_list(b) || b.tag == Tag::tuple) return repeat(in, b, a);
  fail_operands("*", a, b);
}

Value divide(Interpreter& in, const Value& a, const Value& b) {
  if (!both_numbers(a, b)) fail_operands("/", a, b);
  if (both_integral(a, b)) {
    require_divisor(b, "division by zero");
    in.charge(BigInt::steps(a, b));
    return make_real(int_true_divide(in.arena(), a, b));
  }
  require_divisor(b, "float division by zero");
  return make_real(to_double(a) / to_double(b));
}

Value floor_divide(Interpreter& in, const Value& a, const Value& b) {
  if (!both_numbers(a, b)) fail_operands("//", a, b);
  if (both_integral(a, b)) {
    require_divisor(b, "integer division or modulo by zero");
    in.charge(BigInt::steps(a, b));
    return int_floordiv(in.arena(), a, b);
  }
  require_divisor(b, "float floor division by zero");
  return make_real(float_divide(to_double(a), to_double(b)).quotient);
}

Value modulo(Interpreter& in, const Value& a, const Value& b) {
  if (a.is_string()) return percent_format(in, a, b);
  if (!both_numbers(a, b)) fail_operands("%", a, b);
  if (both_integral(a, b)) {
    require_divisor(b, "integer modulo by zero");
    in.charge(BigInt::steps(a, b));
    return int_mod(in.arena(), a, b);
  }
  require_divisor(b, "float modulo");
  return make_real(float_divide(to_double(a), to_double(b)).remainder);
}

Value power(Interpreter& in, const Value& a, const Value& b) {
  if (!both_numbers(a, b)) fail_operands("** or pow()", a, b);
  if (both_integral(a, b) && !int_is_negative(b)) {
    const Value result = int_pow(in.arena(), a, b);
    in.charge(BigInt::steps(result, result));
    return result;
  }
  const double base = to_double(a);
  const double exponent = to_double(b);
  if (base == 0 && exponent < 0) fail_type("0.0 cannot be raised to a negative power");
  if (base < 0 && std::isfinite(base) && std::isfinite(exponent) &&
      exponent != std::floor(exponent)) {
    fail_type("a negative number has no real power with a fraction");
  }
  const double result = std::pow(base, exponent);
  if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent)) {
    fail_type("(34, 'Numerical result out of range')");
  }
  return make_real(result);
}

Value negate(Interpreter& in, const Value& a) {
  if (a.is_integral()) return int_neg(in.arena(), a);
  if (a.tag == Tag::real) return make_real(-a.real);
  if (a.is_undefined()) fail_with_undefined(a);
  fail_type("bad operand type for unary -: '" + std::string(type_name(a)) + "'");
}

Value positive(Interpreter&, const Value& a) {
  if (a.tag == Tag::boolean) return make_int(a.boolean ? 1 : 0);
  if (a.is_number()) return a;
  if (a.is_undefined()) fail_with_undefined(a);
  fail_type("bad operand type for unary +: '" + std::string(type_name(a)) + "'");
}

Value slice(Interpreter& in, const Value& object, const Value& start, const Value& stop,
            const Value& step) {
  if (object.is_undefined()) fail_with_undefined(object);
  if (!object.is_string() && !object.is_array() && object.tag != Tag::range) {
    fail_type(object.is_mapping()
                  ? "unhashable type: 'slice'"
                  : "'" + std::string(type_name(object)) + "' object is not subscriptable");
  }
  std::int64_t stride = 1;
  if (!step.is_none()) {
    if (!step.is_integral()) {
      fail_type("slice indices must be integers or None or have an __index__ method");
    }
    stride = require_int(step, "slice step");
    if (stride == 0) fail_type("slice step cannot be zero");
  }
  const bool backward = stride < 0;
  const std::string_view text = object.is_string() ? object.str() : std::string_view();
  const bool ascii = is_ascii(text);
  const auto size = object.is_string() && !ascii ? static_cast<std::int64_t>(char_count(text))
                    : object.is_string()         ? static_cast<std::int64_t>(text.size())
                    : object.tag == Tag::range   ? object.range->size()
                                                 : static_cast<std::int64_t>(item_count(object));
  const std::int64_t first = slice_bound(start, size, backward ? size - 1 : 0, backward);
  const std::int64_t last = slice_bound(stop, size, backward ? -1 : size, backward);
  std::int64_t count = 0;
  if (!backward && first < last) {
    count = (last - first - 1) / stride + 1;
  } else if (backward && first > last) {
    count = (first - last - 1) / -stride + 1;
  }
  in.charge(static_cast<std::uint64_t>(count) / 8);

  if (object.tag == Tag::range) {
    const Range& r = *object.range;
    const std::int64_t new_start = r.start + first * r.step;
    const std::int64_t new_step = r.step * stride;
    return make_pointer(Tag::range,
                        in.arena().make<Range>(new_start, r.start + last * r.step, new_step));
  }
  if (object.is_string()) {
    if (count == 0) return make_string({}, object.is_markup());
    if (stride == 1) {
      const std::size_t from = ascii ? static_cast<std::size_t>(first)
                                     : char_offset(text, static_cast<std::size_t>(first));
      const std::size_t to =
          ascii ? static_cast<std::size_t>(first + count)
                : from + char_offset(text.substr(from), static_cast<std::size_t>(count));
      return make_string(text.substr(from, to - from), object.is_markup());
    }
    in.charge(text.size() / 16);
    std::vector<std::size_t> offsets;
    offsets.reserve(static_cast<std::size_t>(size) + 1);
    for (std::size_t at = 0; at < text.size();) {
      offsets.push_back(at);
      next_char(text, at);
    }
    offsets.push_back(text.size());
    std::string picked;
    for (std::int64_t i = 0, at = first; i < count; ++i, at += stride) {
      const auto n = static_cast<std::size_t>(at);
      picked.append(text.substr(offsets[n], offsets[n + 1] - offsets[n]));
    }
    return in.text(picked, object.is_markup());
  }
  Value* items = in.arena().array<Value>(static_cast<std::size_t>(count));
  for (std::int64_t i = 0, at = first; i < count; ++i, at += stride) {
    const auto n = static_cast<std::size_t>(at);
    items[i] = object.tag == Tag::json_array ? from_json(in.arena(), (*object.json_array)[n])
                                             : object.list->items[n];
  }
  return make_pointer(object.tag == Tag::tuple ? Tag::tuple : Tag::list,
                      in.arena().make<List>(items, static_cast<std::uint32_t>(count)));
}

namespace {

/// Strips Python's whitespace and turns decimal digits of any script into ASCII.
std::string ascii_digits(std::string_view text) {
  text = strip_space(text);
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_char(text, at);
    if (c < 0x80) {
      out.push_back(static_cast<char>(c));
    } else if (is_decimal(c)) {
      out.push_back(static_cast<char>('0' + digit_value(c)));
    } else {
      out.push_back('?');
    }
  }
  return out;
}

/// Removes underscores that stand between digits; false when one does not.
bool remove_underscores(std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') continue;
    const auto alnum = [&](std::size_t at) {
      return at < text.size() && ((text[at] >= '0' && text[at] <= '9') ||
                                  ((text[at] | 0x20) >= 'a' && (text[at] | 0x20) <= 'z'));
    };
    if (i == 0 || !alnum(i - 1) || !alnum(i + 1)) return false;
  }
  std::erase(text, '_');
  return true;
}

}  // namespace

std::optional<double> parse_float(std::string_view source) {
  std::string text = ascii_digits(source);
  // Underscores only between digits.
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t at) {
      return at < text.size() && text[at] >= '0' && text[at] <= '9';
    };
    if (text[i] == '_' && (i == 0 || !digit(i - 1) || !digit(i + 1))) return std::nullopt;
  }
  std::erase(text, '_');
  std::string_view rest = text;
  bool negative = false;
  if (!rest.empty() && (rest.front() == '+' || rest.front() == '-')) {
    negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  if (rest.empty()) return std::nullopt;
  const std::string lower = to_lower(rest);
  double value = 0;
  if (lower == "inf" || lower == "infinity") {
    value = std::numeric_limits<double>::infinity();
  } else if (lower == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else {
    if (rest.front() != '.' && (rest.front() < '0' || rest.front() > '9')) return std::nullopt;
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (parsed.ptr != rest.data() + rest.size()) return std::nullopt;
    if (parsed.ec == std::errc::result_out_of_range) {
      value = std::strtod(std::string(rest).c_str(), nullptr);
    } else if (parsed.ec != std::errc()) {
      return std::nullopt;
    }
  }
  return negative ? -value : value;
}

Value parse_int(Arena& arena, std::string_view source, int base) {
  if (base != 0 && (base < 2 || base > 36)) fail_type("int() base must be >= 2 and <= 36, or 0");
  std::string text = ascii_digits(source);
  bool negative = false;
  std::size_t at = 0;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    negative = text[0] == '-';
    at = 1;
  }
  const auto prefix_base = [&]() -> int {
    if (at + 1 >= text.size() || text[at] != '0') return 0;
    switch (text[at + 1] | 0x20) {
      case 'x':
        return 16;
      case 'o':
        return 8;
      case 'b':
        return 2;
      default:
        return 0;
    }
  }();
  bool zero_only = false;
  if (base == 0) {
    base = prefix_base == 0 ? 10 : prefix_base;
    if (prefix_base != 0) {
      at += 2;
    } else {
      zero_only = at < text.size() && text[at] == '0';
    }
  } else if (prefix_base == base) {
    at += 2;
  }
  std::string digits = text.substr(at);
  if (prefix_base == base && digits.starts_with('_')) digits.erase(0, 1);
  if (!remove_underscores(digits) || digits.empty()) return Value{};
  for (const char c : digits) {
    const int digit = c >= '0' && c <= '9'                     ? c - '0'
                      : (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? (c | 0x20) - 'a' + 10
                                                               : 99;
    if (digit >= base) return Value{};
    if (zero_only && digit != 0) return Value{};
  }
  return int_from_digits(arena, digits, static_cast<unsigned>(base), negative);
}

}  // namespace dynamo::jinja::detail
