// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/tokens/hash.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <vector>

namespace dynamo::tokens {

/// Placeholder tokens [offset, offset + length) that stand for one multimodal object.
struct MmRun {
  std::uint64_t mm_hash = 0;
  std::size_t offset = 0;
  std::size_t length = 0;
  bool operator==(const MmRun&) const = default;
};

struct MmRunError {
  enum class Kind : std::uint8_t { empty_run, offset_overflow, out_of_bounds, overlapping };
  Kind kind{};
  std::size_t position = 0;  ///< offset of the run that is wrong; of the second one that overlaps
  bool operator==(const MmRunError&) const = default;
};

/// The runs sorted by offset, when each lies within `tokens_count` tokens and none overlap
/// (touching is fine). The first failure in sorted order is reported.
std::expected<std::vector<MmRun>, MmRunError> sorted_runs(std::vector<MmRun> runs,
                                                          std::size_t tokens_count);

/// The bytes that name the block of `tokens` at global position `first`: the tokens themselves, or,
/// when a run touches the block, 13-byte frames of kind, token or position in its run, and object
/// hash. `runs` are sorted. Token values under a run do not matter.
///
/// This is not the router's multimodal encoding (hash_blocks() with mm_hashes); the two never meet.
std::vector<std::byte> block_bytes(std::span<const Token> tokens, std::size_t first,
                                   std::span<const MmRun> runs);

}  // namespace dynamo::tokens
