// SPDX-License-Identifier: Apache-2.0
#include "jinja/bigint.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "jinja/failure.h"
#include "jinja/magnitude.h"

namespace dynamo::jinja::detail {
namespace {

constexpr std::size_t kDecimalDigitsMax = 4300;  // sys.int_info.default_max_str_digits

struct Signed {
  Magnitude magnitude;
  bool negative = false;
};

std::int64_t small(const Value& v) noexcept {
  return v.tag == Tag::boolean ? static_cast<std::int64_t>(v.boolean) : v.integer;
}

Signed load(const Value& v) {
  if (v.tag == Tag::big) {
    return {Magnitude(v.big->limbs, v.big->limbs + v.big->size), v.big->negative};
  }
  const std::int64_t i = small(v);
  return {magnitude_of(i < 0 ? ~static_cast<std::uint64_t>(i) + 1 : static_cast<std::uint64_t>(i)),
          i < 0};
}

Value store(Arena& arena, const Signed& s) {
  return BigInt::value_of(arena, s.magnitude, s.negative);
}

Signed signed_add(const Signed& a, const Signed& b) {
  if (a.negative == b.negative) return {add(a.magnitude, b.magnitude), a.negative};
  const int order = compare(a.magnitude, b.magnitude);
  if (order == 0) return {};
  if (order > 0) return {subtract(a.magnitude, b.magnitude), a.negative};
  return {subtract(b.magnitude, a.magnitude), b.negative};
}

struct Division {
  Signed quotient;
  Signed remainder;
};

Division floor_divide(const Signed& a, const Signed& b) {
  Division d;
  d.remainder.magnitude = a.magnitude;
  d.quotient.magnitude = divide(d.remainder.magnitude, b.magnitude);
  d.quotient.negative = a.negative != b.negative;
  d.remainder.negative = a.negative;
  if (!d.remainder.magnitude.empty() && a.negative != b.negative) {
    d.quotient.magnitude = add(d.quotient.magnitude, {1});
    d.remainder = {subtract(b.magnitude, d.remainder.magnitude), b.negative};
  }
  return d;
}

}  // namespace

Value BigInt::value_of(Arena& arena, std::uint64_t value) {
  if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return make_int(static_cast<std::int64_t>(value));
  }
  return value_of(arena, magnitude_of(value), false);
}

Value BigInt::value_of(Arena& arena, const Magnitude& magnitude, bool negative) {
  if (magnitude.size() <= 2) {
    std::uint64_t bits = 0;
    for (std::size_t i = magnitude.size(); i-- > 0;) bits = (bits << 32) | magnitude[i];
    constexpr std::uint64_t kHalf = std::uint64_t{1} << 63;
    if (bits < kHalf) {
      const auto i = static_cast<std::int64_t>(bits);
      return make_int(negative ? -i : i);
    }
    if (bits == kHalf && negative) return make_int(std::numeric_limits<std::int64_t>::min());
  }
  if (magnitude.size() > kMagnitudeLimbsMax) fail_limit("an integer grows beyond 2**16384");
  auto* limbs = arena.array<std::uint32_t>(magnitude.size());
  std::copy(magnitude.begin(), magnitude.end(), limbs);
  auto* big = arena.make<BigInt>();
  big->negative = negative;
  big->size = static_cast<std::uint32_t>(magnitude.size());
  big->limbs = limbs;
  return make_pointer(Tag::big, big);
}

std::uint64_t BigInt::steps(const Value& a, const Value& b) noexcept {
  const std::uint64_t limbs_a = a.tag == Tag::big ? a.big->size : 2;
  const std::uint64_t limbs_b = b.tag == Tag::big ? b.big->size : 2;
  return limbs_a * limbs_b / 8;
}

Value int_add(Arena& arena, const Value& a, const Value& b) {
  std::int64_t sum = 0;
  if (a.tag != Tag::big && b.tag != Tag::big && !__builtin_add_overflow(small(a), small(b), &sum)) {
    return make_int(sum);
  }
  return store(arena, signed_add(load(a), load(b)));
}

Value int_sub(Arena& arena, const Value& a, const Value& b) {
  std::int64_t difference = 0;
  if (a.tag != Tag::big && b.tag != Tag::big &&
      !__builtin_sub_overflow(small(a), small(b), &difference)) {
    return make_int(difference);
  }
  Signed right = load(b);
  right.negative = !right.negative;
  return store(arena, signed_add(load(a), right));
}

Value int_mul(Arena& arena, const Value& a, const Value& b) {
  std::int64_t product = 0;
  if (a.tag != Tag::big && b.tag != Tag::big &&
      !__builtin_mul_overflow(small(a), small(b), &product)) {
    return make_int(product);
  }
  const Signed x = load(a);
  const Signed y = load(b);
  return store(arena, {multiply(x.magnitude, y.magnitude), x.negative != y.negative});
}

Value int_neg(Arena& arena, const Value& a) {
  return int_sub(arena, make_int(0), a);
}

Value int_floordiv(Arena& arena, const Value& a, const Value& b) {
  if (a.tag != Tag::big && b.tag != Tag::big && small(b) != -1) {
    const std::int64_t x = small(a);
    const std::int64_t y = small(b);
    const std::int64_t q = x / y;
    return make_int(x % y != 0 && (x < 0) != (y < 0) ? q - 1 : q);
  }
  return store(arena, floor_divide(load(a), load(b)).quotient);
}

Value int_mod(Arena& arena, const Value& a, const Value& b) {
  if (a.tag != Tag::big && b.tag != Tag::big && small(b) != -1) {
    const std::int64_t y = small(b);
    const std::int64_t r = small(a) % y;
    return make_int(r != 0 && (r < 0) != (y < 0) ? r + y : r);
  }
  return store(arena, floor_divide(load(a), load(b)).remainder);
}

Value int_pow(Arena& arena, const Value& base, const Value& exponent) {
  const Signed b = load(base);
  if (exponent.tag == Tag::big || small(exponent) > (std::int64_t{1} << 20)) {
    // Only 0, 1 and -1 have such powers within the bound.
    if (b.magnitude.empty()) return make_int(0);
    if (b.magnitude == Magnitude{1}) return make_int(b.negative && int_is_odd(exponent) ? -1 : 1);
    fail_limit("an integer grows beyond 2**16384");
  }
  auto left = static_cast<std::uint64_t>(small(exponent));
  if (left != 0 &&
      (bit_length(b.magnitude) - (b.magnitude.empty() ? 0 : 1)) * left > kMagnitudeLimbsMax * 32) {
    fail_limit("an integer grows beyond 2**16384");
  }
  const bool negative = b.negative && (left & 1) != 0;
  Magnitude result{1};
  Magnitude square = b.magnitude;
  for (; left != 0; left >>= 1) {
    if ((left & 1) != 0) result = multiply(result, square);
    if (left > 1) square = multiply(square, square);
  }
  return BigInt::value_of(arena, result, negative);
}

std::strong_ordering int_compare(const Value& a, const Value& b) noexcept {
  if (a.tag != Tag::big && b.tag != Tag::big) return small(a) <=> small(b);
  const bool a_negative = int_is_negative(a);
  if (a_negative != int_is_negative(b)) {
    return a_negative ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  const int order = compare(load(a).magnitude, load(b).magnitude);
  return (a_negative ? -order : order) <=> 0;
}

std::partial_ordering int_compare(const Value& a, double b) noexcept {
  if (std::isnan(b)) return std::partial_ordering::unordered;
  if (std::isinf(b)) {
    return b > 0 ? std::partial_ordering::less : std::partial_ordering::greater;
  }
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  if (a.tag != Tag::big) {
    const std::int64_t i = small(a);
    if (i >= -kExact && i <= kExact) return static_cast<double>(i) <=> b;
    if (std::fabs(b) < 9.3e18) {
      if (std::fabs(b) >= 9.2e18) {
        // Near the edge of 64 bits: compare as long double, which holds both exactly on x86-64.
        return static_cast<long double>(i) <=> static_cast<long double>(b);
      }
      // b is beyond 2^53 or far away from i; truncation loses nothing that matters.
      const auto whole = static_cast<std::int64_t>(b);
      if (i != whole) return i <=> whole;
      return 0.0 <=> b - static_cast<double>(whole);
    }
    return b > 0 ? std::partial_ordering::less : std::partial_ordering::greater;
  }
  const bool negative = a.big->negative;
  if (negative != (b < 0)) {
    return negative ? std::partial_ordering::less : std::partial_ordering::greater;
  }
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(b), &exponent);
  const Magnitude m = load(a).magnitude;
  const auto bits = static_cast<int>(bit_length(m));
  int order = 0;
  if (bits != exponent) {
    order = bits < exponent ? -1 : 1;
  } else {
    const Magnitude whole =
        shift_left(magnitude_of(static_cast<std::uint64_t>(std::ldexp(fraction, 53))),
                   static_cast<unsigned>(exponent - 53));
    order = compare(m, whole);
  }
  return static_cast<double>(negative ? -order : order) <=> 0.0;
}

bool int_is_negative(const Value& a) noexcept {
  return a.tag == Tag::big ? a.big->negative : small(a) < 0;
}
bool int_is_zero(const Value& a) noexcept {
  return a.tag != Tag::big && small(a) == 0;
}
bool int_is_odd(const Value& a) noexcept {
  return ((a.tag == Tag::big ? a.big->limbs[0] : static_cast<std::uint32_t>(small(a))) & 1) != 0;
}

double int_to_double(const Value& a) noexcept {
  if (a.tag != Tag::big) return static_cast<double>(small(a));
  const double magnitude = round_to_double(load(a).magnitude, 0, false);
  return a.big->negative ? -magnitude : magnitude;
}

Value int_from_double(Arena& arena, double value) {
  if (std::fabs(value) < 9.2e18) return make_int(static_cast<std::int64_t>(value));
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &exponent);
  const Magnitude whole =
      shift_left(magnitude_of(static_cast<std::uint64_t>(std::ldexp(fraction, 53))),
                 static_cast<unsigned>(exponent - 53));
  return BigInt::value_of(arena, whole, value < 0);
}

double int_true_divide(Arena&, const Value& a, const Value& b) {
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  if (a.tag != Tag::big && b.tag != Tag::big && small(a) > -kExact && small(a) < kExact &&
      small(b) > -kExact && small(b) < kExact) {
    return static_cast<double>(small(a)) / static_cast<double>(small(b));
  }
  // Scale so that the quotient has at least 66 bits, divide, round once.
  const Signed x = load(a);
  const Signed y = load(b);
  if (x.magnitude.empty()) return 0.0;
  const auto have = static_cast<std::int64_t>(bit_length(x.magnitude)) -
                    static_cast<std::int64_t>(bit_length(y.magnitude));
  const std::int64_t shift = 66 - have;
  Magnitude numerator =
      shift > 0 ? shift_left(x.magnitude, static_cast<unsigned>(shift)) : x.magnitude;
  const Magnitude quotient = divide(numerator, y.magnitude);
  const double magnitude =
      round_to_double(quotient, shift > 0 ? static_cast<int>(-shift) : 0, !numerator.empty());
  if (std::isinf(magnitude)) fail_type("integer division result too large for a float");
  return x.negative != y.negative ? -magnitude : magnitude;
}

std::string int_to_text(const Value& a, unsigned base) {
  if (a.tag != Tag::big && base == 10) return std::to_string(small(a));
  Signed s = load(a);
  if (s.magnitude.empty()) return "0";
  if (base == 10 && bit_length(s.magnitude) > kDecimalDigitsMax * 3322 / 1000 + 4) {
    fail_type("Exceeds the limit (4300 digits) for integer string conversion");
  }
  std::string digits;
  const LimbOfDigits chunk = limb_of_digits(base);
  while (!s.magnitude.empty()) {
    std::uint32_t rest = divide_small(s.magnitude, chunk.power);
    for (unsigned i = 0; i < chunk.digits && (rest != 0 || !s.magnitude.empty()); ++i) {
      digits.push_back("0123456789abcdefghijklmnopqrstuvwxyz"[rest % base]);
      rest /= base;
    }
  }
  if (base == 10 && digits.size() > kDecimalDigitsMax) {
    fail_type("Exceeds the limit (4300 digits) for integer string conversion");
  }
  if (s.negative) digits.push_back('-');
  std::reverse(digits.begin(), digits.end());
  return digits;
}

Value int_from_digits(Arena& arena, std::string_view digits, unsigned base, bool negative) {
  if (base == 10 && digits.size() > kDecimalDigitsMax) {
    fail_type("Exceeds the limit (4300 digits) for integer string conversion");
  }
  Magnitude m;
  const LimbOfDigits chunk = limb_of_digits(base);
  while (!digits.empty()) {
    std::uint64_t carry = 0;
    std::uint64_t power = 1;
    for (const char c : digits.substr(0, chunk.digits)) {
      carry = carry * base + static_cast<std::uint64_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
      power *= base;
    }
    digits.remove_prefix(std::min<std::size_t>(chunk.digits, digits.size()));
    for (std::uint32_t& limb : m) {
      carry += std::uint64_t{limb} * power;
      limb = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    if (carry != 0) m.push_back(static_cast<std::uint32_t>(carry));
    if (m.size() > kMagnitudeLimbsMax) fail_limit("an integer grows beyond 2**16384");
  }
  return BigInt::value_of(arena, m, negative);
}

std::uint64_t int_hash(const Value& a) noexcept {
  // A big integer may equal a double, so it hashes like one.
  if (a.tag == Tag::big) return std::bit_cast<std::uint64_t>(int_to_double(a));
  return static_cast<std::uint64_t>(small(a)) * 0x9E3779B97F4A7C15ULL;
}

}  // namespace dynamo::jinja::detail
