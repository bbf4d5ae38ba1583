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

/// All names of a full block. A value.
struct BlockNames {
  SaltHash salt_hash{};
  BlockHash block_hash{};
  SequenceHash sequence_hash{};
  std::optional<SequenceHash> parent_sequence_hash;  ///< none for the first block
  std::size_t position = 0;                          ///< in blocks

  /// `position` must be below 2^31.
  PositionalSequenceHash positional_sequence_hash() const noexcept {
    return PositionalSequenceHash::make(sequence_hash, position, block_hash);
  }
  /// `position` must be below PositionalLineageHash::kPositions.
  PositionalLineageHash positional_lineage_hash() const noexcept {
    return PositionalLineageHash::make(sequence_hash, parent_sequence_hash, position);
  }
  bool operator==(const BlockNames&) const = default;
};

/// A full block, seen where it lies in its sequence: valid until the sequence changes.
struct TokenBlockView : BlockNames {
  std::span<const Token> tokens;  ///< exactly a block's worth
};

/// A full block that owns its tokens. A value; what its names say follows from how it was made.
class TokenBlock {
 public:
  explicit TokenBlock(const TokenBlockView& view)
      : tokens_(view.tokens.begin(), view.tokens.end()), names_(view) {}

  std::span<const Token> tokens() const noexcept { return tokens_; }
  const BlockNames& names() const noexcept { return names_; }
  /// The empty block that follows.
  PartialTokenBlock next_block() const;
  bool operator==(const TokenBlock&) const = default;

 private:
  std::vector<Token> tokens_;
  BlockNames names_;
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
  std::expected<TokenBlock, TokenBlockError> commit();

 private:
  friend class TokenBlock;
  friend class TokenBlockSequence;
  PartialTokenBlock(std::size_t block_size_tokens, SaltHash salt,
                    std::optional<SequenceHash> parent, std::size_t position);
  // Names of the full block. `bytes` name its content instead of its tokens where not empty.
  BlockNames names(std::span<const std::byte> bytes) const noexcept;
  void begin_next(const BlockNames& names) noexcept;

  std::size_t block_size_;
  SaltHash salt_;
  std::optional<SequenceHash> parent_;
  std::size_t position_ = 0;
  std::vector<Token> tokens_;
};

/// Tokens in blocks of one size, with the names of the full ones kept up to date.
///
/// Invariants after every call: block(i).position == i, each block's parent is the one before it,
/// the last, partial block has less than block_size() tokens.
///
/// The tokens of all full blocks lie in one array, their names in another: a token that completes a
/// block costs its hashes and nothing else, no allocation within what reserve() announced (beyond
/// it, the arrays double). Only a block that a multimodal run touches needs memory to be hashed.
///
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

  /// Makes room for a sequence of so many tokens in all: up to there appending does not allocate.
  void reserve(std::size_t tokens);

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
  /// Number of full blocks.
  std::size_t blocks() const noexcept { return hashes_.size(); }
  /// `index` below blocks().
  TokenBlockView block(std::size_t index) const noexcept;
  std::optional<TokenBlockView> last_complete_block() const noexcept {
    return hashes_.empty() ? std::nullopt : std::optional(block(blocks() - 1));
  }
  const PartialTokenBlock& current_block() const noexcept { return partial_; }
  std::span<const MmRun> mm_runs() const noexcept { return runs_; }
  std::size_t block_size() const noexcept { return partial_.block_size(); }
  SaltHash salt_hash() const noexcept { return partial_.salt_hash(); }
  std::size_t total_tokens() const noexcept { return tokens_.size() + partial_.size(); }
  std::pair<std::vector<TokenBlock>, PartialTokenBlock> into_parts() &&;

 private:
  struct Hashes {
    BlockHash block{};
    SequenceHash sequence{};
  };
  TokenBlockSequence(std::size_t block_size_tokens, SaltHash salt)
      : partial_(block_size_tokens, salt) {}
  void complete_block();

  std::vector<Token> tokens_;   // of the full blocks, one after the other
  std::vector<Hashes> hashes_;  // one for each of them
  PartialTokenBlock partial_;   // keeps its capacity of one block
  std::vector<MmRun> runs_;     // sorted, positions in the whole sequence
};

/// Sequence hashes of the complete blocks and, chained like one more block, of the tail. Trace
/// files name prompts so. Source: lib/data-gen/src/mooncake.rs (v1.5).
std::vector<SequenceHash> sequence_hashes_with_tail(std::span<const Token> tokens,
                                                    std::size_t block_size_tokens, SaltHash salt);

}  // namespace dynamo::tokens
