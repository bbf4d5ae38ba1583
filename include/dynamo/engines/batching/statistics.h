// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace dynamo::engines::batching {

/// What an engine does now and has done, for metrics and the router's load view.
struct Statistics {
  std::uint32_t running = 0;  ///< choices that hold a sequence
  std::uint32_t waiting = 0;  ///< choices not yet admitted
  std::uint32_t kv_blocks_total = 0;
  std::uint32_t kv_blocks_active = 0;  ///< held by running choices
  std::uint32_t kv_blocks_cached = 0;  ///< known by hash, whoever holds them

  std::uint64_t steps_total = 0;
  std::uint64_t prompt_tokens_total = 0;         ///< of admitted choices
  std::uint64_t cached_prompt_tokens_total = 0;  ///< the part that was not computed again
  std::uint64_t prefill_tokens_total = 0;        ///< computed, re-computation included
  std::uint64_t generated_tokens_total = 0;
  std::uint64_t preemptions_total = 0;
  std::uint32_t batch_tokens_max = 0;  ///< largest step so far
  bool healthy = true;
};

}  // namespace dynamo::engines::batching
