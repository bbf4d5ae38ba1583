// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "jinja/arguments.h"
#include "jinja/bigint.h"
#include "jinja/builtin.h"
#include "jinja/float_text.h"

namespace dynamo::jinja::detail {
namespace {

Value abs_filter(Interpreter& in, const Value* a) {
  const Value& v = a[0];
  if (v.tag == Tag::real) return make_real(std::fabs(v.real));
  if (v.is_integral()) {
    return int_is_negative(v) ? int_neg(in.arena(), v) : int_add(in.arena(), v, make_int(0));
  }
  if (v.is_undefined()) fail_type("bad operand type for abs(): 'Undefined'");
  fail_type("bad operand type for abs(): '" + std::string(type_name(v)) + "'");
}

/// int(float(value)), or the default when there is no such number.
Value int_through_float(Interpreter& in, const Value& v, const Value& otherwise) {
  double d = 0;
  if (v.is_string()) {
    const auto parsed = parse_float(v.str());
    if (!parsed) return otherwise;
    d = *parsed;
  } else if (v.is_number()) {
    if (v.is_integral()) return int_add(in.arena(), v, make_int(0));
    d = v.real;
  } else {
    return otherwise;
  }
  return std::isfinite(d) ? int_from_double(in.arena(), d) : otherwise;
}

Value int_filter(Interpreter& in, const Value* a) {
  const Value otherwise = a[1].is_missing() ? make_int(0) : a[1];
  const std::int64_t base = int_or(a[2], 10, "base");
  const Value& v = a[0];
  if (v.is_undefined()) fail_with_undefined(v);
  if (v.is_string()) {
    if (base == 0 || (base >= 2 && base <= 36)) {
      const Value parsed = parse_int(in.arena(), v.str(), static_cast<int>(base));
      in.charge(BigInt::steps(parsed, parsed));
      if (!parsed.is_missing()) return parsed;
    }
    return int_through_float(in, v, otherwise);
  }
  // int() of an infinity is an OverflowError, which Jinja2 does not catch there.
  if (v.tag == Tag::real && std::isinf(v.real))
    fail_type("cannot convert float infinity to integer");
  return int_through_float(in, v, otherwise);
}

Value float_filter(Interpreter&, const Value* a) {
  const Value otherwise = a[1].is_missing() ? make_real(0) : a[1];
  const Value& v = a[0];
  if (v.is_undefined()) fail_with_undefined(v);
  if (v.is_string()) {
    const auto parsed = parse_float(v.str());
    return parsed ? make_real(*parsed) : otherwise;
  }
  return v.is_number() ? make_real(to_double(v)) : otherwise;
}

/// Python's round(int, -n): half to even.
Value round_int(Interpreter& in, const Value& v, std::int64_t precision) {
  const Value whole = int_add(in.arena(), v, make_int(0));
  if (precision >= 0) return whole;
  if (precision < -4300) return make_int(0);
  const Value unit = int_pow(in.arena(), make_int(10), make_int(-precision));
  const Value rest = int_mod(in.arena(), whole, unit);
  const Value down = int_sub(in.arena(), whole, rest);
  const auto order = int_compare(int_mul(in.arena(), rest, make_int(2)), unit);
  const bool odd = int_is_odd(int_floordiv(in.arena(), down, unit));
  return order > 0 || (order == 0 && odd) ? int_add(in.arena(), down, unit) : down;
}

Value round_filter(Interpreter& in, const Value* a) {
  const std::string_view method = text_or(a[2], "common", "method");
  if (method != "common" && method != "ceil" && method != "floor") {
    fail_type("method must be common, ceil or floor");
  }
  const Value& v = a[0];
  if (v.is_undefined()) {
    if (method == "common") fail_type("type Undefined doesn't define __round__ method");
    fail_with_undefined(v);
  }
  if (method == "common") {
    if (!v.is_number()) {
      fail_type("type " + std::string(type_name(v)) + " doesn't define __round__ method");
    }
    // round(x, None) gives an int.
    if (a[1].is_none()) {
      if (v.is_integral()) return int_add(in.arena(), v, make_int(0));
      if (!std::isfinite(v.real)) fail_type("cannot convert float to integer");
      return int_from_double(in.arena(), std::nearbyint(v.real));
    }
    const std::int64_t precision = int_or(a[1], 0, "precision");
    if (v.is_integral()) return round_int(in, v, precision);
    const double rounded =
        round_to(v.real, static_cast<int>(std::clamp<std::int64_t>(precision, -400, 400)));
    if (std::isinf(rounded) && std::isfinite(v.real))
      fail_type("rounded value too large to represent");
    return make_real(rounded);
  }
  const Value unit = power(in, make_int(10), a[1].is_missing() ? make_int(0) : a[1]);
  const Value scaled = multiply(in, v, unit);
  if (!scaled.is_number()) fail_type("must be real number, not " + std::string(type_name(scaled)));
  Value whole = scaled;
  if (scaled.tag == Tag::real) {
    if (!std::isfinite(scaled.real)) fail_type("cannot convert float to integer");
    whole = int_from_double(in.arena(),
                            method == "ceil" ? std::ceil(scaled.real) : std::floor(scaled.real));
  }
  return divide(in, whole, unit);
}

Value file_size_format(Interpreter& in, const Value* a) {
  const Value& v = a[0];
  double bytes = 0;
  if (v.is_undefined()) fail_with_undefined(v);
  if (v.is_string()) {
    const auto parsed = parse_float(v.str());
    if (!parsed) fail_type("could not convert string to float: " + quote(v.str()));
    bytes = *parsed;
  } else if (v.is_number()) {
    bytes = to_double(v);
  } else {
    fail_type("float() argument must be a string or a real number, not '" +
              std::string(type_name(v)) + "'");
  }
  const bool binary = bool_or(a[1], false);
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) return make_string("1 Byte");
  if (bytes < base) {
    if (!std::isfinite(bytes)) fail_type("cannot convert float to integer");
    return in.text(int_to_text(int_from_double(in.arena(), bytes)) + " Bytes");
  }
  constexpr std::string_view kDecimal[] = {"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"};
  constexpr std::string_view kBinary[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"};
  double unit = base * base;
  std::size_t i = 0;
  while (i < 7 && !(bytes < unit)) {
    unit *= base;
    ++i;
  }
  return in.text(format_float(base * bytes / unit, 'f', 1, false) + " " +
                 std::string(binary ? kBinary[i] : kDecimal[i]));
}

constexpr Builtin kFilters[] = {
    {.name = "abs", .bound = abs_filter},
    {.name = "int", .bound = int_filter, .params = {"default", "base"}},
    {.name = "float", .bound = float_filter, .params = {"default"}},
    {.name = "round", .bound = round_filter, .params = {"precision", "method"}},
    {.name = "filesizeformat", .bound = file_size_format, .params = {"binary"}},
};

}  // namespace

std::span<const Builtin> number_filters() noexcept {
  return kFilters;
}

}  // namespace dynamo::jinja::detail
