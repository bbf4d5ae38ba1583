// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/tokens/hash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

// Inlined, so that hashing a block of a usual size is straight-line code: 32 blocks of 16 tokens
// in 0.1 us, where a call into the shared library per block takes three times as long.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace dynamo::tokens {

static_assert(std::endian::native == std::endian::little,
              "token bytes are hashed as they lie in memory");

namespace {

std::uint64_t hash_bytes(const void* data, std::size_t size, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(data, size, seed);
}

template <std::size_t kTokens>
void hash_fixed(const Token* tokens, std::uint64_t seed, std::span<BlockHash> out) noexcept {
  for (BlockHash& hash : out) {
    hash = BlockHash{XXH3_64bits_withSeed(tokens, kTokens * sizeof(Token), seed)};
    tokens += kTokens;
  }
}

BlockHash hash_with_objects(std::span<const Token> window, const BlockMmHashes& objects,
                            std::uint64_t seed) {
  BlockMmHashes sorted = objects;
  std::ranges::sort(sorted);
  std::vector<std::byte> bytes(window.size_bytes() + sorted.size() * sizeof(std::uint64_t));
  std::memcpy(bytes.data(), window.data(), window.size_bytes());
  std::memcpy(bytes.data() + window.size_bytes(), sorted.data(),
              sorted.size() * sizeof(std::uint64_t));
  return BlockHash{hash_bytes(bytes.data(), bytes.size(), seed)};
}

}  // namespace

SaltHash request_salt(std::string_view lora_name, std::string_view cache_salt) noexcept {
  std::uint64_t seed = std::to_underlying(kDefaultSalt);
  if (!lora_name.empty()) seed += hash_bytes(lora_name.data(), lora_name.size(), 0);
  if (!cache_salt.empty()) seed += hash_bytes(cache_salt.data(), cache_salt.size(), 1);
  return SaltHash{seed};
}

SaltHash salt_from_bytes(std::span<const std::byte> payload) noexcept {
  return SaltHash{hash_bytes(payload.data(), payload.size(), 0)};
}

BlockHash hash_block(std::span<const Token> tokens, SaltHash salt) noexcept {
  return BlockHash{hash_bytes(tokens.data(), tokens.size_bytes(), std::to_underlying(salt))};
}

BlockHash hash_block_bytes(std::span<const std::byte> bytes, SaltHash salt) noexcept {
  return BlockHash{hash_bytes(bytes.data(), bytes.size(), std::to_underlying(salt))};
}

SequenceHash next_sequence_hash(SequenceHash parent, BlockHash block,
                                SaltHash chain_seed) noexcept {
  const std::array<std::uint64_t, 2> pair{std::to_underlying(parent), std::to_underlying(block)};
  return SequenceHash{
      XXH3_64bits_withSeed(pair.data(), sizeof pair, std::to_underlying(chain_seed))};
}

std::size_t complete_blocks(std::size_t tokens, std::size_t block_size_tokens,
                            bool eagle) noexcept {
  if (block_size_tokens == 0) return 0;
  if (eagle) tokens = tokens == 0 ? 0 : tokens - 1;
  return tokens / block_size_tokens;
}

void hash_blocks(std::span<const Token> tokens, std::size_t block_size_tokens,
                 const BlockHashOptions& options, std::span<BlockHash> out) {
  DYN_ASSERT(out.size() == complete_blocks(tokens.size(), block_size_tokens, options.eagle));
  const std::uint64_t seed = std::to_underlying(options.salt);
  if (!options.eagle && options.mm_hashes.empty()) {
    switch (block_size_tokens) {
      case 16:
        return hash_fixed<16>(tokens.data(), seed, out);
      case 32:
        return hash_fixed<32>(tokens.data(), seed, out);
      case 64:
        return hash_fixed<64>(tokens.data(), seed, out);
      default:
        break;
    }
  }
  const std::size_t window_tokens = block_size_tokens + (options.eagle ? 1 : 0);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto window = tokens.subspan(i * block_size_tokens, window_tokens);
    if (i < options.mm_hashes.size() && !options.mm_hashes[i].empty()) {
      out[i] = hash_with_objects(window, options.mm_hashes[i], seed);
    } else {
      out[i] = BlockHash{hash_bytes(window.data(), window.size_bytes(), seed)};
    }
  }
}

std::vector<BlockHash> hash_blocks(std::span<const Token> tokens, std::size_t block_size_tokens,
                                   const BlockHashOptions& options) {
  std::vector<BlockHash> out(complete_blocks(tokens.size(), block_size_tokens, options.eagle));
  hash_blocks(tokens, block_size_tokens, options, out);
  return out;
}

void sequence_hashes(std::span<const BlockHash> blocks, std::span<SequenceHash> out) noexcept {
  DYN_ASSERT(out.size() == blocks.size());
  if (blocks.empty()) return;
  out[0] = first_sequence_hash(blocks[0]);
  for (std::size_t i = 1; i < blocks.size(); ++i) {
    out[i] = next_sequence_hash(out[i - 1], blocks[i]);
  }
}

std::vector<SequenceHash> sequence_hashes(std::span<const BlockHash> blocks) {
  std::vector<SequenceHash> out(blocks.size());
  sequence_hashes(blocks, out);
  return out;
}

}  // namespace dynamo::tokens
