// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/tokens/hash.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

/// How the router counts images and the like among tokens. Source: spec kv-router 1.6;
/// lib/kv-router/src/protocols.rs, lib/llm/src/kv_router/publisher (v1.5).
namespace dynamo::tokens {

/// One multimodal object and where its placeholder tokens stand: half-open ranges, of the whole
/// prompt or, after objects_by_block(), of one block.
struct MmObjectRanges {
  std::uint64_t mm_hash = 0;
  std::vector<std::pair<std::size_t, std::size_t>> ranges;
  bool operator==(const MmObjectRanges&) const = default;
};

/// Cuts objects at the borders of blocks: entry i lists each object that touches block i, once,
/// with all its ranges in that block. `ceil(tokens / block size)` entries; ranges beyond the end
/// are clamped, empty ones vanish. Block size 0 yields none.
std::vector<std::vector<MmObjectRanges>> objects_by_block(std::span<const MmObjectRanges> objects,
                                                          std::size_t tokens_count,
                                                          std::size_t block_size_tokens);

/// What hash_blocks() mixes in.
std::vector<BlockMmHashes> mm_hashes_by_block(
    std::span<const std::vector<MmObjectRanges>> by_block);

/// Each maximal run of `image_token` among a block's tokens becomes mm_pad_token() of the block's
/// n-th object (of the last one when there are fewer objects than runs); nothing without objects.
/// Such blocks are then hashed without their objects.
void substitute_image_tokens(std::span<Token> block, Token image_token,
                             std::span<const std::uint64_t> mm_hashes) noexcept;

/// The object hash in an `extra_keys` entry of vLLM: of exactly 64 hex digits the first 16, else
/// none. Release 1.5; 1.6 reads object hashes from `block_mm_infos` only.
std::optional<std::uint64_t> mm_hash_of_extra_key(std::string_view extra_key) noexcept;

}  // namespace dynamo::tokens
