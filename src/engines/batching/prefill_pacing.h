// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace dynamo::engines::batching {

/// How many prompt tokens a step may take: as many as the machine computes in the time that a
/// step should last. A long prompt then neither stalls the streams that decode beside it nor
/// delays a cancellation, on a laptop as on a GPU.
class PrefillPacing {
 public:
  /// While other requests decode: their token gap.
  static constexpr std::chrono::milliseconds kStepBesideDecodes{60};
  /// Alone: what a cancellation or a new request may have to wait.
  static constexpr std::chrono::milliseconds kStepAlone{250};
  /// Batches below it waste the machine.
  static constexpr std::uint32_t kTokensMin = 16;

  std::uint32_t limit(bool beside_decodes) const noexcept {
    const std::chrono::duration<double> step = beside_decodes ? kStepBesideDecodes : kStepAlone;
    return std::max(kTokensMin, static_cast<std::uint32_t>(tokens_per_second_ * step.count()));
  }
  /// A step that computed `tokens` prompt tokens (and little else) took `time`.
  void observe(std::uint32_t tokens, std::chrono::nanoseconds time) noexcept {
    if (tokens < kTokensMin || time.count() <= 0) return;  // overhead dominates
    const double rate = tokens / std::chrono::duration<double>(time).count();
    tokens_per_second_ += 0.3 * (std::min(rate, kRateMax) - tokens_per_second_);
  }

 private:
  static constexpr double kRateMax = 1e7;  // keeps limit() in range
  double tokens_per_second_ = 512;         // the first guess: one core, a small model
};

}  // namespace dynamo::engines::batching
