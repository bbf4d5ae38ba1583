// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/tokens/token_block.h>

#include <algorithm>

namespace dynamo::tokens {

// --- blocks --------------------------------------------------------------------------------------

PartialTokenBlock TokenBlock::next_block() const {
  return {tokens_.size(), names_.salt_hash, names_.sequence_hash, names_.position + 1};
}

PartialTokenBlock::PartialTokenBlock(std::size_t block_size_tokens, SaltHash salt)
    : PartialTokenBlock(block_size_tokens, salt, std::nullopt, 0) {}

PartialTokenBlock::PartialTokenBlock(std::size_t block_size_tokens, SaltHash salt,
                                     std::optional<SequenceHash> parent, std::size_t position)
    : block_size_(block_size_tokens), salt_(salt), parent_(parent), position_(position) {
  DYN_ASSERT(block_size_tokens > 0);
  // A block's worth at most, and little at first: the size may come from outside.
  tokens_.reserve(std::min<std::size_t>(block_size_tokens, 256));
}

std::expected<void, TokenBlockError> PartialTokenBlock::push(Token token) {
  if (remaining() == 0) return std::unexpected(TokenBlockError::full);
  tokens_.push_back(token);
  return {};
}

BlockNames PartialTokenBlock::names(std::span<const std::byte> bytes) const noexcept {
  BlockNames out{
      .salt_hash = salt_,
      .block_hash = bytes.empty() ? hash_block(tokens_, salt_) : hash_block_bytes(bytes, salt_),
      .sequence_hash = {},
      .parent_sequence_hash = parent_,
      .position = position_};
  out.sequence_hash =
      parent_ ? next_sequence_hash(*parent_, out.block_hash) : first_sequence_hash(out.block_hash);
  return out;
}

void PartialTokenBlock::begin_next(const BlockNames& names) noexcept {
  tokens_.clear();
  parent_ = names.sequence_hash;
  ++position_;
}

std::expected<TokenBlock, TokenBlockError> PartialTokenBlock::commit() {
  if (remaining() != 0) return std::unexpected(TokenBlockError::incomplete);
  TokenBlockView view;
  static_cast<BlockNames&>(view) = names({});
  view.tokens = tokens_;
  TokenBlock block(view);
  begin_next(view);
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

void TokenBlockSequence::reserve(std::size_t tokens) {
  tokens_.reserve(tokens);
  hashes_.reserve(tokens / block_size());
  partial_.tokens_.reserve(std::min(tokens, block_size()));
}

void TokenBlockSequence::complete_block() {
  const std::size_t first = tokens_.size();
  // The first run that ends behind the block's start touches it if it begins before its end.
  const auto run = std::ranges::partition_point(
      runs_, [first](const MmRun& r) { return r.offset + r.length <= first; });
  const bool touched = run != runs_.end() && run->offset < first + block_size();
  const BlockNames names =
      touched ? partial_.names(block_bytes(partial_.tokens(), first, runs_)) : partial_.names({});
  tokens_.insert(tokens_.end(), partial_.tokens_.begin(), partial_.tokens_.end());
  hashes_.push_back({names.block_hash, names.sequence_hash});
  partial_.begin_next(names);
}

TokenBlockView TokenBlockSequence::block(std::size_t index) const noexcept {
  TokenBlockView out;
  out.salt_hash = salt_hash();
  out.block_hash = hashes_[index].block;
  out.sequence_hash = hashes_[index].sequence;
  if (index > 0) out.parent_sequence_hash = hashes_[index - 1].sequence;
  out.position = index;
  out.tokens = std::span(tokens_).subspan(index * block_size(), block_size());
  return out;
}

std::pair<std::vector<TokenBlock>, PartialTokenBlock> TokenBlockSequence::into_parts() && {
  std::vector<TokenBlock> full;
  full.reserve(blocks());
  for (std::size_t i = 0; i < blocks(); ++i) full.emplace_back(block(i));
  return {std::move(full), std::move(partial_)};
}

std::optional<std::size_t> TokenBlockSequence::append(Token token) {
  const Completed completed = extend({&token, 1});
  return completed ? std::optional(completed->first) : std::nullopt;
}

TokenBlockSequence::Completed TokenBlockSequence::extend(std::span<const Token> tokens) {
  const std::size_t first = blocks();
  while (!tokens.empty()) {
    const std::size_t count = std::min(partial_.remaining(), tokens.size());
    const auto part = tokens.first(count);
    partial_.tokens_.insert(partial_.tokens_.end(), part.begin(), part.end());
    tokens = tokens.subspan(count);
    if (partial_.remaining() == 0) complete_block();
  }
  if (blocks() == first) return std::nullopt;
  return std::pair(first, blocks());
}

std::expected<void, TokenBlockError> TokenBlockSequence::truncate(std::size_t tokens) {
  if (tokens >= total_tokens()) return {};
  if (!runs_.empty()) return std::unexpected(TokenBlockError::mm_runs_present);
  const std::size_t full = tokens / block_size();
  const std::size_t rest = tokens % block_size();
  if (full == blocks()) {
    partial_.tokens_.resize(rest);
    return {};
  }
  // The block that is cut becomes the partial one, at its place and behind its parent.
  const auto cut = tokens_.begin() + static_cast<std::ptrdiff_t>(full * block_size());
  partial_.tokens_.assign(cut, cut + static_cast<std::ptrdiff_t>(rest));
  partial_.parent_ = full == 0 ? std::nullopt : std::optional(hashes_[full - 1].sequence);
  partial_.position_ = full;
  tokens_.erase(cut, tokens_.end());
  hashes_.resize(full);
  return {};
}

std::expected<void, TokenBlockError> TokenBlockSequence::unwind(std::size_t tokens) {
  if (tokens > total_tokens()) return std::unexpected(TokenBlockError::insufficient_tokens);
  return truncate(total_tokens() - tokens);
}

std::optional<Token> TokenBlockSequence::pop() {
  DYN_ASSERT(runs_.empty());
  if (total_tokens() == 0) return std::nullopt;
  const Token last = partial_.size() > 0 ? partial_.tokens().back() : tokens_.back();
  const auto shortened = unwind(1);
  DYN_ASSERT(shortened);
  return last;
}

void TokenBlockSequence::reset() {
  partial_ = PartialTokenBlock(block_size(), salt_hash());
  tokens_.clear();
  hashes_.clear();
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
  const auto copy = [&out](std::span<const Token> from) {
    out.insert(out.end(), from.begin(), from.end());
  };
  const std::size_t full = tokens_.size();
  if (first < full) copy(std::span(tokens_).subspan(first, std::min(last, full) - first));
  if (last > full) {
    const std::size_t begin = std::max(first, full) - full;
    copy(partial_.tokens().subspan(begin, last - full - begin));
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
