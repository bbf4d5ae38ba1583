// SPDX-License-Identifier: Apache-2.0
#include "jinja/magnitude.h"

#include <dynamo/base/assert.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "jinja/failure.h"

namespace dynamo::jinja::detail {
namespace {

void trim(Magnitude& m) {
  while (!m.empty() && m.back() == 0) m.pop_back();
}

}  // namespace

Magnitude magnitude_of(std::uint64_t value) {
  Magnitude m;
  for (; value != 0; value >>= 32) m.push_back(static_cast<std::uint32_t>(value));
  return m;
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
  if (a.size() + b.size() > kMagnitudeLimbsMax + 1) fail_limit("an integer grows beyond 2**16384");
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

LimbOfDigits limb_of_digits(unsigned base) {
  LimbOfDigits chunk;
  for (; std::uint64_t{chunk.power} * base >> 32 == 0; ++chunk.digits) chunk.power *= base;
  return chunk;
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

// Knuth's algorithm D.
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
      DYN_ASSERT(at - drop < 64);
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

}  // namespace dynamo::jinja::detail
