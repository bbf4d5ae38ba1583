// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "jinja/magnitude.h"
#include "jinja/value.h"

namespace dynamo::jinja::detail {

/// Sign and magnitude of an integer beyond 64 bits. Templates meet such numbers in JSON (ids, 2^63
/// and above) and through `**`; speed does not matter, exactness does.
class BigInt {
 public:
  static Value value_of(Arena& arena, std::uint64_t value);
  /// An integer Value of the magnitude, as small a kind as holds it. Throws a Failure of kind limit
  /// above 2^14 bits.
  static Value value_of(Arena& arena, const Magnitude& magnitude, bool negative);

  /// Steps (of a Budget) that an operation over every pair of limbs of two integers costs; 0 while
  /// both fit 64 bits.
  static std::uint64_t steps(const Value& a, const Value& b) noexcept;

  bool negative;
  std::uint32_t size;
  const std::uint32_t* limbs;
};

/// All take integral values (bool, int, big int).
Value int_add(Arena& arena, const Value& a, const Value& b);
Value int_sub(Arena& arena, const Value& a, const Value& b);
Value int_mul(Arena& arena, const Value& a, const Value& b);
Value int_neg(Arena& arena, const Value& a);
/// Python's // and %: the remainder has the sign of the divisor. The divisor must not be zero.
Value int_floordiv(Arena& arena, const Value& a, const Value& b);
Value int_mod(Arena& arena, const Value& a, const Value& b);
/// `exponent` must not be negative.
Value int_pow(Arena& arena, const Value& base, const Value& exponent);

std::strong_ordering int_compare(const Value& a, const Value& b) noexcept;
/// Exact comparison; NaN is unordered.
std::partial_ordering int_compare(const Value& a, double b) noexcept;
bool int_is_negative(const Value& a) noexcept;
bool int_is_zero(const Value& a) noexcept;
bool int_is_odd(const Value& a) noexcept;

/// Nearest double, ties to even; infinity when out of range.
double int_to_double(const Value& a) noexcept;
/// The integer part of a finite double.
Value int_from_double(Arena& arena, double value);
/// a / b rounded once, as Python does. b must not be zero.
double int_true_divide(Arena& arena, const Value& a, const Value& b);

/// Digits in base 2 to 36, lower case, without prefix. Throws a Failure of kind type above 4,300
/// decimal digits, as Python does.
std::string int_to_text(const Value& a, unsigned base = 10);
/// The value of digits (already checked to be valid in the base).
Value int_from_digits(Arena& arena, std::string_view digits, unsigned base, bool negative);
std::uint64_t int_hash(const Value& a) noexcept;

}  // namespace dynamo::jinja::detail
