// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

/// How blocks of tokens are named. The router, the engines' prefix caches, the mocker and the block
/// manager all take these functions, so a block has one name everywhere. XXH3-64; integers enter
/// as little-endian bytes. Source: lib/kv-hashing and lib/tokens (v1.5).
namespace dynamo::tokens {

using Token = std::uint32_t;

/// Seed of the block hashes of one request: its tenant, adapter and nothing else.
enum class SaltHash : std::uint64_t {};
/// Content of one block under a salt; says nothing about what stands before it.
enum class BlockHash : std::uint64_t {};
/// A block and everything before it.
enum class SequenceHash : std::uint64_t {};

/// The salt of a request without tenant or adapter, and the seed of every chain.
inline constexpr SaltHash kDefaultSalt{1337};

/// The salt of a request. Empty means absent, for both. `cache_salt` is the wire's name of the
/// cache namespace. Source: lib/kv-hashing/src/salt.rs (v1.5).
SaltHash request_salt(std::string_view lora_name, std::string_view cache_salt) noexcept;

/// The salt hash of free-form bytes (low-level path of lib/tokens; not the router's derivation).
SaltHash salt_from_bytes(std::span<const std::byte> payload) noexcept;

BlockHash hash_block(std::span<const Token> tokens, SaltHash salt = kDefaultSalt) noexcept;

/// The same for a block that is not plain tokens (block_bytes() in mm_run.h).
BlockHash hash_block_bytes(std::span<const std::byte> bytes, SaltHash salt) noexcept;

/// The sequence hash of a request's first block is the block's own hash.
constexpr SequenceHash first_sequence_hash(BlockHash block) noexcept {
  return SequenceHash{std::to_underlying(block)};
}
/// The sequence hash of the block after `parent`. `chain_seed` is 1337 since v1.5, whatever the
/// salt; v0.9 of lib/tokens used the salt.
SequenceHash next_sequence_hash(SequenceHash parent, BlockHash block,
                                SaltHash chain_seed = kDefaultSalt) noexcept;

/// Multimodal objects that touch a block: their hashes, in any order, repetitions counted.
using BlockMmHashes = std::vector<std::uint64_t>;

struct BlockHashOptions {
  SaltHash salt = kDefaultSalt;
  /// Eagle draft models see one token more than the block: windows of block_size + 1, every
  /// block_size tokens.
  bool eagle = false;
  /// Entry i belongs to block i; may be shorter than the number of blocks. An empty entry is none.
  std::span<const BlockMmHashes> mm_hashes = {};
};

/// Number of blocks that hash_blocks() yields; a tail shorter than the window is never hashed.
std::size_t complete_blocks(std::size_t tokens, std::size_t block_size_tokens,
                            bool eagle = false) noexcept;

/// Hashes of the complete blocks of `tokens`, in order; block size 0 yields none.
std::vector<BlockHash> hash_blocks(std::span<const Token> tokens, std::size_t block_size_tokens,
                                   const BlockHashOptions& options = {});
/// The same without allocation; `out` must have complete_blocks() elements.
void hash_blocks(std::span<const Token> tokens, std::size_t block_size_tokens,
                 const BlockHashOptions& options, std::span<BlockHash> out);

std::vector<SequenceHash> sequence_hashes(std::span<const BlockHash> blocks);
/// The same without allocation; `out` must be as long as `blocks`.
void sequence_hashes(std::span<const BlockHash> blocks, std::span<SequenceHash> out) noexcept;

/// The placeholder token that stands for a multimodal object in SGLang prompts, so that text-only
/// hashing of the substituted tokens equals what SGLang publishes (v1.5).
constexpr Token mm_pad_token(std::uint64_t mm_hash) noexcept {
  return static_cast<Token>(1'000'000 + (mm_hash & ((std::uint64_t{1} << 30) - 1)));
}

}  // namespace dynamo::tokens
