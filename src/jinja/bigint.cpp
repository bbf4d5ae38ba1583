// SPDX-License-Identifier: Apache-2.0
#include "jinja/bigint.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "jinja/failure.h"

namespace dynamo::jinja::detail {
namespace {

using Magnitude = BigInt::Magnitude;
constexpr std::size_t kLimbsMax = (std::size_t{1} << 20) / 32;
constexpr std::size_t kDecimalDigitsMax = 4300;  // sys.int_info.default_max_str_digits

struct Signed {
  Magnitude magnitude;
  bool negative = false;
};

void trim(Magnitude& m) {
  while (!m.empty() && m.back() == 0) m.pop_back();
}

Magnitude magnitude_of(std::uint64_t value) {
  Magnitude m;
  for (; value != 0; value >>= 32) m.push_back(static_cast<std::uint32_t>(value));
  return m;
}

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

int compare(const Magnitude& a, const Magnitude& b) noexcept {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  for (std::size_t i = a.size(); i-- > 0;) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

Magnitude add(const Magnitude& a, const Magnitude& b) {
  Magnitude sum(std::max(a.size(), b.size()) + 1);
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    carry += (i < a.size() ? a[i] : 0ULL) + (i < b.size() ? b[i] : 0ULL);
    sum[i] = static_cast<std::uint32_t>(carry);
    carry >>= 32;
  }
  trim(sum);
  return sum;
}

/// a - b with a >= b.
Magnitude subtract(const Magnitude& a, const Magnitude& b) {
  Magnitude difference(a.size());
  std::int64_t borrow = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::int64_t d = static_cast<std::int64_t>(a[i]) - (i < b.size() ? b[i] : 0) - borrow;
    borrow = d < 0 ? 1 : 0;
    if (d < 0) d += std::int64_t{1} << 32;
    difference[i] = static_cast<std::uint32_t>(d);
  }
  trim(difference);
  return difference;
}

Magnitude multiply(const Magnitude& a, const Magnitude& b) {
  if (a.size() + b.size() > kLimbsMax + 1) fail_limit("an integer grows beyond 2**1048576");
  Magnitude product(a.size() + b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::uint64_t carry = 0;
    for (std::size_t j = 0; j < b.size(); ++j) {
      carry += std::uint64_t{a[i]} * b[j] + product[i + j];
      product[i + j] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    product[i + b.size()] = static_cast<std::uint32_t>(carry);
  }
  trim(product);
  return product;
}

/// Divides in place by a single limb; returns the remainder.
std::uint32_t divide_small(Magnitude& a, std::uint32_t divisor) {
  std::uint64_t remainder = 0;
  for (std::size_t i = a.size(); i-- > 0;) {
    remainder = (remainder << 32) | a[i];
    a[i] = static_cast<std::uint32_t>(remainder / divisor);
    remainder %= divisor;
  }
  trim(a);
  return static_cast<std::uint32_t>(remainder);
}

Magnitude shift_left(const Magnitude& a, unsigned bits) {
  Magnitude r(a.size() + bits / 32 + 1);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::uint64_t wide = std::uint64_t{a[i]} << (bits % 32);
    r[i + bits / 32] |= static_cast<std::uint32_t>(wide);
    r[i + bits / 32 + 1] |= static_cast<std::uint32_t>(wide >> 32);
  }
  trim(r);
  return r;
}

Magnitude shift_right(const Magnitude& a, unsigned bits) {
  if (bits / 32 >= a.size()) return {};
  Magnitude r(a.begin() + bits / 32, a.end());
  if (bits % 32 != 0) {
    for (std::size_t i = 0; i < r.size(); ++i) {
      const std::uint64_t high = i + 1 < r.size() ? r[i + 1] : 0;
      r[i] = static_cast<std::uint32_t>(((high << 32) | r[i]) >> (bits % 32));
    }
  }
  trim(r);
  return r;
}

/// Knuth's algorithm D. `a` becomes the remainder.
Magnitude divide(Magnitude& a, const Magnitude& b) {
  if (compare(a, b) < 0) return {};
  if (b.size() == 1) {
    Magnitude quotient = a;
    a = magnitude_of(divide_small(quotient, b[0]));
    return quotient;
  }
  const auto shift = static_cast<unsigned>(std::countl_zero(b.back()));
  const Magnitude v = shift_left(b, shift);
  Magnitude u = shift_left(a, shift);
  u.resize(a.size() + 1);
  const std::size_t n = v.size();
  Magnitude quotient(u.size() - n);
  for (std::size_t j = quotient.size(); j-- > 0;) {
    const std::uint64_t top = (std::uint64_t{u[j + n]} << 32) | u[j + n - 1];
    std::uint64_t guess = top / v[n - 1];
    std::uint64_t rest = top % v[n - 1];
    while (guess >> 32 != 0 || guess * v[n - 2] > ((rest << 32) | u[j + n - 2])) {
      --guess;
      rest += v[n - 1];
      if (rest >> 32 != 0) break;
    }
    std::int64_t borrow = 0;
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < n; ++i) {
      carry += guess * v[i];
      const std::int64_t d = static_cast<std::int64_t>(u[i + j]) - borrow -
                             static_cast<std::int64_t>(carry & 0xffffffffU);
      u[i + j] = static_cast<std::uint32_t>(d);
      borrow = d < 0 ? 1 : 0;
      carry >>= 32;
    }
    const std::int64_t d =
        static_cast<std::int64_t>(u[j + n]) - borrow - static_cast<std::int64_t>(carry);
    u[j + n] = static_cast<std::uint32_t>(d);
    if (d < 0) {
      --guess;
      std::uint64_t back = 0;
      for (std::size_t i = 0; i < n; ++i) {
        back += std::uint64_t{u[i + j]} + v[i];
        u[i + j] = static_cast<std::uint32_t>(back);
        back >>= 32;
      }
      u[j + n] += static_cast<std::uint32_t>(back);
    }
    quotient[j] = static_cast<std::uint32_t>(guess);
  }
  trim(quotient);
  trim(u);
  a = shift_right(u, shift);
  return quotient;
}

std::size_t bit_length(const Magnitude& m) noexcept {
  return m.empty() ? 0 : m.size() * 32 - static_cast<std::size_t>(std::countl_zero(m.back()));
}

/// m * 2^exponent as the nearest double; `sticky` says that bits below m were dropped.
double round_to_double(const Magnitude& m, int exponent, bool sticky) noexcept {
  const std::size_t bits = bit_length(m);
  if (bits == 0) return 0.0;
  // The top 64 bits, with everything below folded into the lowest one.
  std::uint64_t top = 0;
  const std::size_t drop = bits > 64 ? bits - 64 : 0;
  for (std::size_t i = 0; i < m.size(); ++i) {
    const std::size_t at = i * 32;
    if (at + 32 <= drop) {
      sticky = sticky || m[i] != 0;
    } else if (at < drop) {
      const auto cut = static_cast<unsigned>(drop - at);
      sticky = sticky || (m[i] & ((std::uint32_t{1} << cut) - 1)) != 0;
      top |= std::uint64_t{m[i]} >> cut;
    } else {
      top |= std::uint64_t{m[i]} << (at - drop);
    }
  }
  // 64 -> 53 bits by hand, so that the rounding happens once.
  const int extra = std::max(0, static_cast<int>(std::min<std::size_t>(bits, 64)) - 53);
  if (extra == 0) return std::ldexp(static_cast<double>(top), exponent + static_cast<int>(drop));
  const std::uint64_t low = top & ((std::uint64_t{1} << extra) - 1);
  const std::uint64_t half = std::uint64_t{1} << (extra - 1);
  std::uint64_t kept = top >> extra;
  if (low > half || (low == half && (sticky || (kept & 1) != 0))) ++kept;
  return std::ldexp(static_cast<double>(kept), exponent + static_cast<int>(drop) + extra);
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
  if (magnitude.size() > kLimbsMax) fail_limit("an integer grows beyond 2**1048576");
  auto* limbs = arena.array<std::uint32_t>(magnitude.size());
  std::copy(magnitude.begin(), magnitude.end(), limbs);
  auto* big = arena.make<BigInt>();
  big->negative = negative;
  big->size = static_cast<std::uint32_t>(magnitude.size());
  big->limbs = limbs;
  return make_pointer(Tag::big, big);
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
    fail_limit("an integer grows beyond 2**1048576");
  }
  auto left = static_cast<std::uint64_t>(small(exponent));
  if (left != 0 &&
      (bit_length(b.magnitude) - (b.magnitude.empty() ? 0 : 1)) * left > kLimbsMax * 32) {
    fail_limit("an integer grows beyond 2**1048576");
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
  // Nine decimal digits at a time; other bases one by one.
  const std::uint32_t chunk = base == 10 ? 1'000'000'000U : base;
  while (!s.magnitude.empty()) {
    std::uint32_t rest = divide_small(s.magnitude, chunk);
    for (int i = 0; i < (base == 10 ? 9 : 1) && (rest != 0 || !s.magnitude.empty()); ++i) {
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
  for (const char c : digits) {
    std::uint64_t carry = c <= '9' ? static_cast<std::uint64_t>(c - '0')
                                   : static_cast<std::uint64_t>((c | 0x20) - 'a' + 10);
    for (std::uint32_t& limb : m) {
      carry += std::uint64_t{limb} * base;
      limb = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    if (carry != 0) m.push_back(static_cast<std::uint32_t>(carry));
    if (m.size() > kLimbsMax) fail_limit("an integer grows beyond 2**1048576");
  }
  return BigInt::value_of(arena, m, negative);
}

std::uint64_t int_hash(const Value& a) noexcept {
  // A big integer may equal a double, so it hashes like one.
  if (a.tag == Tag::big) return std::bit_cast<std::uint64_t>(int_to_double(a));
  return static_cast<std::uint64_t>(small(a)) * 0x9E3779B97F4A7C15ULL;
}

}  // namespace dynamo::jinja::detail
