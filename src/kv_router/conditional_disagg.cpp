// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/conditional_disagg.h>

#include <algorithm>

namespace dynamo::kv_router {

bool ConditionalDisagg::few_new_tokens(std::uint64_t prompt_tokens,
                                       std::uint64_t decode_cached_tokens) const noexcept {
  const std::uint64_t fresh = prompt_tokens - std::min(prompt_tokens, decode_cached_tokens);
  const double share =
      prompt_tokens == 0 ? 0.0 : static_cast<double>(fresh) / static_cast<double>(prompt_tokens);
  return fresh < eff_isl_threshold_tokens && share < eff_isl_ratio_threshold;
}

bool ConditionalDisagg::decode_busy(std::uint64_t potential_blocks,
                                    std::optional<std::uint64_t> total_kv_blocks) const noexcept {
  return decode_busy_threshold && total_kv_blocks &&
         static_cast<double>(potential_blocks) >
             *decode_busy_threshold * static_cast<double>(*total_kv_blocks);
}

std::uint64_t potential_decode_blocks(std::uint64_t active_decode_blocks,
                                      std::uint64_t additional_active_blocks,
                                      std::uint64_t isl_tokens,
                                      std::optional<std::uint64_t> tracked_blocks,
                                      std::uint32_t block_size_tokens) noexcept {
  const std::uint64_t block = std::max<std::uint64_t>(1, block_size_tokens);
  const std::uint64_t prompt_blocks = isl_tokens / block + (isl_tokens % block != 0 ? 1 : 0);
  const std::uint64_t tracked = std::min(prompt_blocks, tracked_blocks.value_or(0));
  return active_decode_blocks + additional_active_blocks + (prompt_blocks - tracked);
}

}  // namespace dynamo::kv_router
