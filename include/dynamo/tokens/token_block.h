// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/tokens/hash.h>
#include <dynamo/tokens/mm_run.h>
#include <dynamo/tokens/positional_hash.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace dynamo::tokens {

enum class TokenBlockError : std::uint8_t {
  full,                 ///< a partial block takes no more tokens
  incomplete,           ///< a block needs exactly its size
  insufficient_tokens,  ///< fewer tokens than are to be removed
  mm_runs_present,      ///< a sequence with multimodal runs cannot shrink
  bad_mm_runs,          ///< sorted_runs() says what is wrong
};

class PartialTokenBlock;

/// A full block of a sequence with all its names. Immutable; a value.
class TokenBlock {
 public:
  std::span<const Token> tokens() const noexcept { return tokens_; }
  SaltHash salt_hash() const noexcept { return salt_; }
  BlockHash block_hash() const noexcept { return block_hash_; }
  SequenceHash sequence_hash() const noexcept { return sequence_hash_; }
  /// None for the first block.
  std::optional<SequenceHash> parent_sequence_hash() const noexcept { return parent_; }
  std::size_t position() const noexcept { return position_; }  ///< in blocks
  PositionalSequenceHash positional_sequence_hash() const noexcept {
    return PositionalSequenceHash::make(sequence_hash_, position_, block_hash_);
  }
  PositionalLineageHash positional_lineage_hash() const noexcept {
    return PositionalLineageHash::make(sequence_hash_, parent_, position_);
  }
  /// The empty block that follows.
  PartialTokenBlock next_block() const;
  bool operator==(const TokenBlock&) const = default;

 private:
  friend class PartialTokenBlock;
  friend class TokenBlockSequence;
  TokenBlock(std::vector<Token> tokens, SaltHash salt, std::optional<SequenceHash> parent,
             std::size_t position, std::span<const MmRun> runs);

  std::vector<Token> tokens_;
  SaltHash salt_{};
  BlockHash block_hash_{};
  SequenceHash sequence_hash_{};
  std::optional<SequenceHash> parent_;
  std::size_t position_ = 0;
};

/// A block in the making: fewer tokens than a block while it belongs to a sequence. Unique: it
/// moves and is not copied.
class PartialTokenBlock {
 public:
  PartialTokenBlock(std::size_t block_size_tokens, SaltHash salt);  ///< of an empty sequence
  PartialTokenBlock(PartialTokenBlock&&) noexcept = default;
  PartialTokenBlock& operator=(PartialTokenBlock&&) noexcept = default;
  PartialTokenBlock(const PartialTokenBlock&) = delete;
  PartialTokenBlock& operator=(const PartialTokenBlock&) = delete;

  std::size_t block_size() const noexcept { return block_size_; }
  std::size_t size() const noexcept { return tokens_.size(); }
  std::size_t remaining() const noexcept { return block_size_ - tokens_.size(); }
  std::span<const Token> tokens() const noexcept { return tokens_; }
  SaltHash salt_hash() const noexcept { return salt_; }
  std::optional<SequenceHash> parent_sequence_hash() const noexcept { return parent_; }
  std::size_t position() const noexcept { return position_; }

  /// Errors: full.
  std::expected<void, TokenBlockError> push(Token token);
  /// The block, while this becomes the empty one that follows it. Errors: incomplete.
  std::expected<TokenBlock, TokenBlockError> commit() { return commit({}); }

 private:
  friend class TokenBlock;
  friend class TokenBlockSequence;
  PartialTokenBlock(std::size_t block_size_tokens, SaltHash salt,
                    std::optional<SequenceHash> parent, std::size_t position);
  std::expected<TokenBlock, TokenBlockError> commit(std::span<const MmRun> runs);

  std::size_t block_size_;
  SaltHash salt_;
  std::optional<SequenceHash> parent_;
  std::size_t position_ = 0;
  std::vector<Token> tokens_;
};

/// Tokens in blocks of one size, with the names of the full ones kept up to date.
///
/// Invariants after every call: blocks()[i].position() == i, each block's parent is the one before
/// it, the last, partial block has less than block_size() tokens.
/// Block size 0 is a programming error. A value that moves; confined to one thread at a time.
/// Source: lib/tokens (v1.5).
class TokenBlockSequence {
 public:
  TokenBlockSequence(std::span<const Token> tokens, std::size_t block_size_tokens, SaltHash salt);
  /// Errors: bad_mm_runs.
  static std::expected<TokenBlockSequence, TokenBlockError> with_mm(std::span<const Token> tokens,
                                                                    std::vector<MmRun> runs,
                                                                    std::size_t block_size_tokens,
                                                                    SaltHash salt);

  /// Indices of blocks that a call completed: [first, last).
  using Completed = std::optional<std::pair<std::size_t, std::size_t>>;

  /// The index of the block that this token completed.
  std::optional<std::size_t> append(Token token);
  Completed extend(std::span<const Token> tokens);
  /// Keeps the first `tokens`; more than there are is no change. Errors: mm_runs_present.
  std::expected<void, TokenBlockError> truncate(std::size_t tokens);
  /// Removes the last `tokens`. Errors: insufficient_tokens, mm_runs_present.
  std::expected<void, TokenBlockError> unwind(std::size_t tokens);
  /// Removes and returns the last token. A programming error on a sequence with multimodal runs.
  std::optional<Token> pop();
  void reset();  ///< empty, with the same salt and block size

  /// A placeholder run at the end; `length` zero tokens. Errors: bad_mm_runs when it is empty.
  std::expected<Completed, TokenBlockError> push_mm_run(std::uint64_t mm_hash, std::size_t length);
  /// `runs` are relative to `tokens`. Errors: bad_mm_runs.
  std::expected<Completed, TokenBlockError> extend_with_mm(std::span<const Token> tokens,
                                                           std::vector<MmRun> runs);

  /// A copy of tokens [first, last); empty when that is no range of this sequence.
  std::vector<Token> tokens_at(std::size_t first, std::size_t last) const;
  std::span<const TokenBlock> blocks() const noexcept { return blocks_; }
  const TokenBlock* last_complete_block() const noexcept {
    return blocks_.empty() ? nullptr : &blocks_.back();
  }
  const PartialTokenBlock& current_block() const noexcept { return partial_; }
  std::span<const MmRun> mm_runs() const noexcept { return runs_; }
  std::size_t block_size() const noexcept { return partial_.block_size(); }
  SaltHash salt_hash() const noexcept { return partial_.salt_hash(); }
  std::size_t total_tokens() const noexcept {
    return blocks_.size() * block_size() + partial_.size();
  }
  std::pair<std::vector<TokenBlock>, PartialTokenBlock> into_parts() && {
    return {std::move(blocks_), std::move(partial_)};
  }

 private:
  TokenBlockSequence(std::size_t block_size_tokens, SaltHash salt)
      : partial_(block_size_tokens, salt) {}

  std::vector<TokenBlock> blocks_;
  PartialTokenBlock partial_;
  std::vector<MmRun> runs_;  ///< sorted, positions in the whole sequence
};

/// Sequence hashes of the complete blocks and, chained like one more block, of the tail. Trace
/// files name prompts so. Source: lib/data-gen/src/mooncake.rs (v1.5).
std::vector<SequenceHash> sequence_hashes_with_tail(std::span<const Token> tokens,
                                                    std::size_t block_size_tokens, SaltHash salt);

}  // namespace dynamo::tokens
