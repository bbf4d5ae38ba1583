// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/uuid.h>
#include <dynamo/tokens/mm_run.h>
#include <dynamo/tokens/positional_hash.h>
#include <dynamo/tokens/token_block.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace dynamo::tokens {

/// What identifies the blocks of a request. Source: lib/kv-hashing (v1.5).
struct RequestToHash {
  std::vector<Token> tokens;
  std::string lora_name;   ///< empty: none
  std::string cache_salt;  ///< empty: none
  std::vector<MmRun> mm_runs;
};

/// A block in the terms that every component shares.
struct UniversalBlock {
  BlockHash block_hash{};
  PositionalLineageHash plh;
  bool operator==(const UniversalBlock&) const = default;
};

/// The complete blocks of a request; the tail is ignored. Errors: bad_mm_runs.
std::expected<std::vector<UniversalBlock>, TokenBlockError> universal_blocks(
    const RequestToHash& request, std::size_t block_size_tokens);

/// A block that a simulator or a pool counts: one that is still filling has no hash yet, and is
/// told apart by a random id.
struct PartialBlockId {
  base::Uuid uuid;
  bool operator==(const PartialBlockId&) const = default;
};
struct FullBlockId {
  std::uint64_t global_hash = 0;
  bool operator==(const FullBlockId&) const = default;
};
using UniqueBlock = std::variant<PartialBlockId, FullBlockId>;
/// A partial block with a fresh id.
UniqueBlock new_partial_block();

}  // namespace dynamo::tokens
