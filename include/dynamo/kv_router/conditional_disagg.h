// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

/// Whether a request should skip the prefill pool and be prefilled by its decode worker.
/// Source: spec kv-router 8, policy `isl_bounding` (v1.5).
namespace dynamo::kv_router {

struct ConditionalDisagg {
  std::uint64_t eff_isl_threshold_tokens = 2048;  ///< conditional_disagg_eff_isl_threshold
  double eff_isl_ratio_threshold = 0.7;
  /// Above this share of a decode worker's blocks it takes no prefill on; none: no guard.
  std::optional<double> decode_busy_threshold;

  /// New tokens (those that the decode worker has not cached) fewer than the threshold and a
  /// smaller share of the prompt than the ratio.
  bool few_new_tokens(std::uint64_t prompt_tokens,
                      std::uint64_t decode_cached_tokens) const noexcept;
  /// `potential_blocks` after admission, of `total_kv_blocks` (none: unknown, never busy).
  bool decode_busy(std::uint64_t potential_blocks,
                   std::optional<std::uint64_t> total_kv_blocks) const noexcept;
};

/// Blocks that a decode worker would use with the request: its blocks now, those of the prompt's
/// tracked blocks that it would add, and the prompt's tokens behind them. `tracked_blocks` none:
/// blocks are not tracked, all of the prompt counts.
std::uint64_t potential_decode_blocks(std::uint64_t active_decode_blocks,
                                      std::uint64_t additional_active_blocks,
                                      std::uint64_t isl_tokens,
                                      std::optional<std::uint64_t> tracked_blocks,
                                      std::uint32_t block_size_tokens) noexcept;

}  // namespace dynamo::kv_router
