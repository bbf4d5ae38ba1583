// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/tokens/token_block.h>

#include <algorithm>

namespace dynamo::tokens {

// --- blocks --------------------------------------------------------------------------------------

TokenBlock::TokenBlock(std::vector<Token> tokens, SaltHash salt, std::optional<SequenceHash> parent,
                       std::size_t position, std::span<const MmRun> runs)
    : tokens_(std::move(tokens)), salt_(salt), parent_(parent), position_(position) {
  if (runs.empty()) {
    block_hash_ = hash_block(tokens_, salt);
  } else {
    block_hash_ = hash_block_bytes(block_bytes(tokens_, position * tokens_.size(), runs), salt);
  }
  sequence_hash_ =
      parent ? next_sequence_hash(*parent, block_hash_) : first_sequence_hash(block_hash_);
}

PartialTokenBlock TokenBlock::next_block() const {
  return {tokens_.size(), salt_, sequence_hash_, position_ + 1};
}

PartialTokenBlock::PartialTokenBlock(std::size_t block_size_tokens, SaltHash salt)
    : PartialTokenBlock(block_size_tokens, salt, std::nullopt, 0) {}

PartialTokenBlock::PartialTokenBlock(std::size_t block_size_tokens, SaltHash salt,
                                     std::optional<SequenceHash> parent, std::size_t position)
    : block_size_(block_size_tokens), salt_(salt), parent_(parent), position_(position) {
  DYN_ASSERT(block_size_tokens > 0);
}

std::expected<void, TokenBlockError> PartialTokenBlock::push(Token token) {
  if (remaining() == 0) return std::unexpected(TokenBlockError::full);
  tokens_.push_back(token);
  return {};
}

std::expected<TokenBlock, TokenBlockError> PartialTokenBlock::commit(std::span<const MmRun> runs) {
  if (remaining() != 0) return std::unexpected(TokenBlockError::incomplete);
  TokenBlock block(std::exchange(tokens_, {}), salt_, parent_, position_, runs);
  parent_ = block.sequence_hash();
  ++position_;
  return block;
}

// --- sequences -----------------------------------------------------------------------------------

TokenBlockSequence::TokenBlockSequence(std::span<const Token> tokens, std::size_t block_size_tokens,
                                       SaltHash salt)
    : TokenBlockSequence(block_size_tokens, salt) {
  extend(tokens);
}

std::expected<TokenBlockSequence, TokenBlockError> TokenBlockSequence::with_mm(
    std::span<const Token> tokens, std::vector<MmRun> runs, std::size_t block_size_tokens,
    SaltHash salt) {
  TokenBlockSequence out(block_size_tokens, salt);
  if (auto extended = out.extend_with_mm(tokens, std::move(runs)); !extended) {
    return std::unexpected(extended.error());
  }
  return out;
}

std::optional<std::size_t> TokenBlockSequence::append(Token token) {
  const Completed completed = extend({&token, 1});
  return completed ? std::optional(completed->first) : std::nullopt;
}

TokenBlockSequence::Completed TokenBlockSequence::extend(std::span<const Token> tokens) {
  const std::size_t first = blocks_.size();
  while (!tokens.empty()) {
    const std::size_t count = std::min(partial_.remaining(), tokens.size());
    const auto part = tokens.first(count);
    partial_.tokens_.insert(partial_.tokens_.end(), part.begin(), part.end());
    tokens = tokens.subspan(count);
    if (partial_.remaining() == 0) blocks_.push_back(*partial_.commit(runs_));
  }
  if (blocks_.size() == first) return std::nullopt;
  return std::pair(first, blocks_.size());
}

std::expected<void, TokenBlockError> TokenBlockSequence::truncate(std::size_t tokens) {
  if (tokens >= total_tokens()) return {};
  if (!runs_.empty()) return std::unexpected(TokenBlockError::mm_runs_present);
  const std::size_t full = tokens / block_size();
  const std::size_t rest = tokens % block_size();
  if (full == blocks_.size()) {
    partial_.tokens_.resize(rest);
    return {};
  }
  // The block that is cut becomes the partial one, at its place and behind its parent.
  TokenBlock cut = std::move(blocks_[full]);
  blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(full), blocks_.end());
  partial_ = PartialTokenBlock(block_size(), salt_hash(), cut.parent_, cut.position_);
  partial_.tokens_ = std::move(cut.tokens_);
  partial_.tokens_.resize(rest);
  return {};
}

std::expected<void, TokenBlockError> TokenBlockSequence::unwind(std::size_t tokens) {
  if (tokens > total_tokens()) return std::unexpected(TokenBlockError::insufficient_tokens);
  return truncate(total_tokens() - tokens);
}

std::optional<Token> TokenBlockSequence::pop() {
  DYN_ASSERT(runs_.empty());
  if (total_tokens() == 0) return std::nullopt;
  const Token last =
      partial_.size() > 0 ? partial_.tokens().back() : blocks_.back().tokens().back();
  const auto shortened = unwind(1);
  DYN_ASSERT(shortened);
  return last;
}

void TokenBlockSequence::reset() {
  partial_ = PartialTokenBlock(block_size(), salt_hash());
  blocks_.clear();
  runs_.clear();
}

std::expected<TokenBlockSequence::Completed, TokenBlockError> TokenBlockSequence::push_mm_run(
    std::uint64_t mm_hash, std::size_t length) {
  const std::vector<Token> placeholders(length, 0);
  return extend_with_mm(placeholders, {{.mm_hash = mm_hash, .offset = 0, .length = length}});
}

std::expected<TokenBlockSequence::Completed, TokenBlockError> TokenBlockSequence::extend_with_mm(
    std::span<const Token> tokens, std::vector<MmRun> runs) {
  auto sorted = sorted_runs(std::move(runs), tokens.size());
  if (!sorted) return std::unexpected(TokenBlockError::bad_mm_runs);
  const std::size_t offset = total_tokens();
  for (MmRun& run : *sorted) {
    run.offset += offset;
    runs_.push_back(run);
  }
  return extend(tokens);
}

std::vector<Token> TokenBlockSequence::tokens_at(std::size_t first, std::size_t last) const {
  std::vector<Token> out;
  if (first >= last || last > total_tokens()) return out;
  out.reserve(last - first);
  for (std::size_t i = first; i < last;) {
    const std::size_t block = i / block_size();
    const auto from = block < blocks_.size() ? blocks_[block].tokens() : partial_.tokens();
    const std::size_t begin = i % block_size();
    const std::size_t count = std::min(block_size() - begin, last - i);
    out.insert(out.end(), from.begin() + static_cast<std::ptrdiff_t>(begin),
               from.begin() + static_cast<std::ptrdiff_t>(begin + count));
    i += count;
  }
  return out;
}

std::vector<SequenceHash> sequence_hashes_with_tail(std::span<const Token> tokens,
                                                    std::size_t block_size_tokens, SaltHash salt) {
  std::vector<BlockHash> blocks = hash_blocks(tokens, block_size_tokens, {.salt = salt});
  const auto tail = tokens.subspan(blocks.size() * block_size_tokens);
  if (!tail.empty()) blocks.push_back(hash_block(tail, salt));
  return sequence_hashes(blocks);
}

}  // namespace dynamo::tokens
