// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/uuid.h>
#include <dynamo/tokens/request_hash.h>

namespace dynamo::tokens {

std::expected<std::vector<UniversalBlock>, TokenBlockError> universal_blocks(
    const RequestToHash& request, std::size_t block_size_tokens) {
  const SaltHash salt = request_salt(request.lora_name, request.cache_salt);
  const auto sequence =
      TokenBlockSequence::with_mm(request.tokens, request.mm_runs, block_size_tokens, salt);
  if (!sequence) return std::unexpected(sequence.error());
  std::vector<UniversalBlock> out;
  out.reserve(sequence->blocks());
  for (std::size_t i = 0; i < sequence->blocks(); ++i) {
    const TokenBlockView block = sequence->block(i);
    out.push_back({.block_hash = block.block_hash, .plh = block.positional_lineage_hash()});
  }
  return out;
}

UniqueBlock new_partial_block() {
  return PartialBlockId{base::Uuid::random()};
}

}  // namespace dynamo::tokens
