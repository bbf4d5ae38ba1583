// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

/// Natural numbers of any size up to a bound, for bigint.cpp.
namespace dynamo::jinja::detail {

using Magnitude = std::vector<std::uint32_t>;  ///< little-endian limbs, no leading zeros

/// Beyond what Python prints (4300 digits); the costliest operation takes a fraction of a
/// millisecond.
inline constexpr std::size_t kMagnitudeLimbsMax = (std::size_t{1} << 14) / 32;

Magnitude magnitude_of(std::uint64_t value);
int compare(const Magnitude& a, const Magnitude& b) noexcept;
std::size_t bit_length(const Magnitude& m) noexcept;

Magnitude add(const Magnitude& a, const Magnitude& b);
/// a - b with a >= b.
Magnitude subtract(const Magnitude& a, const Magnitude& b);
/// Throws a Failure of kind limit above kMagnitudeLimbsMax.
Magnitude multiply(const Magnitude& a, const Magnitude& b);
/// The quotient; `a` becomes the remainder. `b` must not be zero.
Magnitude divide(Magnitude& a, const Magnitude& b);
/// Divides in place by a single limb; returns the remainder.
std::uint32_t divide_small(Magnitude& a, std::uint32_t divisor);
Magnitude shift_left(const Magnitude& a, unsigned bits);
Magnitude shift_right(const Magnitude& a, unsigned bits);

/// As many digits as fit one limb.
struct LimbOfDigits {
  unsigned digits = 0;
  std::uint32_t power = 1;  ///< base to the power of `digits`
};
LimbOfDigits limb_of_digits(unsigned base);

/// m * 2^exponent as the nearest double; `sticky` says that bits below m were dropped.
double round_to_double(const Magnitude& m, int exponent, bool sticky) noexcept;

}  // namespace dynamo::jinja::detail
