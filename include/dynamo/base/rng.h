// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace dynamo::base {

/// xoshiro256** seeded by SplitMix64: small, fast, repeatable. Satisfies
/// UniformRandomBitGenerator. Not for secrets. Thread safety: one user at a time.
/// Source: Blackman and Vigna, https://prng.di.unimi.it (public domain algorithm).
class Rng {
 public:
  using result_type = std::uint64_t;
  explicit Rng(std::uint64_t seed) noexcept;
  /// Seeded from the operating system.
  static Rng from_entropy();

  static constexpr result_type min() noexcept { return 0; }
  static constexpr result_type max() noexcept { return ~result_type{0}; }
  result_type operator()() noexcept;
  /// Uniform in [0, bound); bound > 0. Exact (rejection).
  std::uint64_t below(std::uint64_t bound) noexcept;
  /// Uniform in [0, 1) with 53 bits.
  double uniform() noexcept;

 private:
  std::uint64_t state_[4];
};

}  // namespace dynamo::base

namespace dynamo {
using base::Rng;
}  // namespace dynamo
