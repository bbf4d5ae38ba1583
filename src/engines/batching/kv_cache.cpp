// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/kv_cache.h"

#include <dynamo/base/assert.h>

#include <algorithm>
#include <utility>

namespace dynamo::engines::batching {

KvCache::KvCache(Backend& backend, Options options)
    : backend_(backend),
      options_(std::move(options)),
      block_size_(options_.block_size_tokens),
      cells_(backend.facts().cells),
      sequences_(backend.facts().sequences) {
  DYN_ASSERT(block_size_ > 0);
  options_.prefix_caching = options_.prefix_caching && backend.facts().can_share_prefixes;
  DYN_ASSERT(!options_.prefix_caching || options_.name_block);
}

// --- what is known ---------------------------------------------------------------------------

KvCache::Match KvCache::match(tokens::SaltHash salt, std::span<const TokenId> prompt) const {
  Match out;
  // The last prompt token is always computed: its logits are needed.
  if (!options_.prefix_caching || prompt.empty()) return out;
  const std::size_t blocks_max = (prompt.size() - 1) / block_size_;
  const Block* parent = nullptr;
  while (out.blocks.size() < blocks_max) {
    const auto block_tokens = block_of(prompt, out.blocks.size());
    const auto parent_hash = parent ? std::optional(parent->hash) : std::nullopt;
    const BlockNames names = options_.name_block(salt, parent_hash, block_tokens);
    const auto found = blocks_.find(names.sequence);
    if (found == blocks_.end()) {
      out.next = names.sequence;
      return out;
    }
    Block& block = *found->second;
    if (block.parent != parent || block.salt != salt ||
        !std::ranges::equal(block.tokens, block_tokens)) {
      return out;  // another block of the same hash
    }
    out.blocks.push_back(&block);
    parent = &block;
  }
  return out;
}

KvCache::Outlook KvCache::outlook(tokens::SaltHash salt, std::span<const TokenId> prompt) const {
  const Match matched = match(salt, prompt);
  Outlook out;
  for (const Block* block : matched.blocks) {
    out.cached_tokens += block_size_;
    if (block->running_holders == 0) out.idle_tokens += block_size_;
  }
  out.worth_waiting = matched.next && planned_.contains(*matched.next);
  return out;
}

std::uint32_t KvCache::active_blocks() const noexcept {
  auto out = static_cast<std::uint32_t>(blocks_.size()) - idle_blocks_;
  for (const Sequence& sequence : sequences_) {
    out += (sequence.tail_cells + block_size_ - 1) / block_size_;
  }
  return out;
}

std::vector<tokens::SequenceHash> KvCache::block_hashes() const {
  std::vector<tokens::SequenceHash> out;
  out.reserve(blocks_.size());
  for (const auto& [hash, block] : blocks_) out.push_back(hash);
  std::ranges::sort(out);
  return out;
}

// --- life of a sequence ----------------------------------------------------------------------

std::optional<KvCache::Opened> KvCache::open(tokens::SaltHash salt,
                                             std::span<const TokenId> prompt) {
  Match matched = match(salt, prompt);
  std::optional<SequenceId> donor;
  if (!matched.blocks.empty()) donor = matched.blocks.back()->holders.front();
  const std::optional<SequenceId> id = take_id(donor);
  if (!id) return std::nullopt;
  if (donor == id) matched.blocks.clear();  // it had to make way itself

  Sequence& sequence = at(*id);
  sequence = Sequence{};
  sequence.role = Role::running;
  sequence.salt = salt;
  ++running_;
  const auto cached_tokens = static_cast<std::uint32_t>(matched.blocks.size()) * block_size_;
  if (cached_tokens > 0) {
    at(*donor).last_used = ++tick_;
    backend_.share(*donor, *id, 0, cached_tokens);
    for (Block* block : matched.blocks) hold(*id, *block);
  }
  plan(sequence, prompt);
  return Opened{.sequence = *id, .cached_tokens = cached_tokens};
}

void KvCache::advance(SequenceId id, std::span<const TokenId> tokens) {
  Sequence& sequence = at(id);
  DYN_ASSERT(sequence.role == Role::running);
  const std::size_t before = sequence.blocks.size() * block_size_ + sequence.tail_cells;
  DYN_ASSERT(tokens.size() >= before);
  const auto grown = static_cast<std::uint32_t>(tokens.size() - before);
  sequence.tail_cells += grown;
  used_cells_ += grown;
  if (!options_.prefix_caching) return;

  KvStored stored;
  while (!sequence.nameless && sequence.tail_cells >= block_size_) {
    sequence.nameless = !add_block(id, block_of(tokens, sequence.blocks.size()), stored);
  }
  if (!stored.blocks.empty()) publish(std::move(stored));
}

/// False when the block cannot be named, because its hash belongs to another.
bool KvCache::add_block(SequenceId id, std::span<const TokenId> tokens, KvStored& stored) {
  Sequence& sequence = at(id);
  const Block* parent = sequence.blocks.empty() ? nullptr : sequence.blocks.back();
  const auto parent_hash = parent ? std::optional(parent->hash) : std::nullopt;
  const BlockNames names = options_.name_block(sequence.salt, parent_hash, tokens);
  auto& slot = blocks_[names.sequence];
  if (slot == nullptr) {
    slot = std::make_unique<Block>();
    slot->hash = names.sequence;
    slot->local = names.local;
    slot->salt = sequence.salt;
    slot->parent = parent;
    slot->tokens.assign(tokens.begin(), tokens.end());
    ++idle_blocks_;  // until it is held, below
    if (stored.blocks.empty()) stored.parent = parent_hash;
    stored.blocks.push_back(
        {.sequence_hash = names.sequence, .tokens_hash = names.local, .tokens = slot->tokens});
  } else {
    if (slot->parent != parent || slot->salt != sequence.salt ||
        !std::ranges::equal(slot->tokens, tokens)) {
      unplan(sequence, 0);
      return false;
    }
    // Somebody else computed it meanwhile: hold those cells and give back our own.
    const auto begin = static_cast<std::uint32_t>(sequence.blocks.size()) * block_size_;
    backend_.share(slot->holders.front(), id, begin, begin + block_size_);
    used_cells_ -= block_size_;
    if (!stored.blocks.empty()) publish(std::exchange(stored, {}));
  }
  hold(id, *slot);
  sequence.tail_cells -= block_size_;
  if (!sequence.planned.empty()) unplan(sequence, sequence.planned.size() - 1);
  return true;
}

void KvCache::close(SequenceId id) {
  Sequence& sequence = at(id);
  DYN_ASSERT(sequence.role == Role::running);
  unplan(sequence, 0);
  sequence.role = Role::cached;
  sequence.last_used = ++tick_;
  --running_;
  for (Block* block : sequence.blocks) {
    if (--block->running_holders == 0) ++idle_blocks_;
  }
  const std::uint32_t tail = std::exchange(sequence.tail_cells, 0U);
  used_cells_ -= tail;
  if (sequence.blocks.empty()) {
    drop(id);
  } else if (const Block& last = *sequence.blocks.back(); last.holders.size() > 1) {
    for (const SequenceId holder : last.holders) at(holder).last_used = tick_;
    drop(id);
  } else if (tail > 0 && !backend_.truncate(id, static_cast<std::uint32_t>(sequence.blocks.size()) *
                                                    block_size_)) {
    drop(id);
  }
  drop_redundant();
  publish_removed();
}

// --- eviction --------------------------------------------------------------------------------

bool KvCache::make_room(std::uint32_t cells) {
  while (free_cells() < cells) {
    const auto oldest = oldest_cached(std::nullopt);
    if (!oldest) break;
    Sequence& sequence = at(*oldest);
    std::size_t keep = sequence.blocks.size();
    std::uint32_t freed = 0;
    while (keep > 0 && free_cells() + freed < cells &&
           sequence.blocks[keep - 1]->holders.size() == 1) {
      --keep;
      freed += block_size_;
    }
    const bool nothing_of_its_own = keep > 0 && sequence.blocks[keep - 1]->holders.size() > 1;
    release_from(*oldest, keep);
    if (keep == 0 || nothing_of_its_own ||
        !backend_.truncate(*oldest, static_cast<std::uint32_t>(keep) * block_size_)) {
      drop(*oldest);
    }
  }
  publish_removed();
  return free_cells() >= cells;
}

bool KvCache::evict_all() {
  bool any = false;
  while (const auto oldest = oldest_cached(std::nullopt)) {
    drop(*oldest);
    any = true;
  }
  publish_removed();
  return any;
}

void KvCache::clear() {
  blocks_.clear();
  planned_.clear();
  removed_.clear();
  sequences_.assign(sequences_.size(), Sequence{});
  used_cells_ = idle_blocks_ = running_ = 0;
  publish(KvCleared{});
}

std::optional<SequenceId> KvCache::oldest_cached(std::optional<SequenceId> except) const {
  std::optional<SequenceId> out;
  std::uint64_t age = ~std::uint64_t{0};
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    const SequenceId id{static_cast<std::int32_t>(i)};
    if (sequences_[i].role == Role::cached && sequences_[i].last_used < age && id != except) {
      age = sequences_[i].last_used;
      out = id;
    }
  }
  return out;
}

/// A free id, else that of the oldest cached sequence other than the donor, else the donor's.
std::optional<SequenceId> KvCache::take_id(std::optional<SequenceId> donor) {
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    if (sequences_[i].role == Role::free) return SequenceId{static_cast<std::int32_t>(i)};
  }
  auto victim = oldest_cached(donor);
  if (!victim && donor && at(*donor).role == Role::cached) victim = donor;
  if (victim) {
    drop(*victim);
    publish_removed();
  }
  return victim;
}

void KvCache::drop_redundant() {
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    const Sequence& sequence = sequences_[i];
    if (sequence.role == Role::cached && sequence.blocks.back()->holders.size() > 1) {
      drop(SequenceId{static_cast<std::int32_t>(i)});
    }
  }
}

void KvCache::drop(SequenceId id) {
  release_from(id, 0);
  backend_.truncate(id, 0);
  at(id) = Sequence{};
}

void KvCache::hold(SequenceId id, Block& block) {
  block.holders.push_back(id);
  if (block.running_holders++ == 0) --idle_blocks_;
  at(id).blocks.push_back(&block);
}

/// Of a cached sequence: lets go of the blocks from `first_block` on, last one first.
void KvCache::release_from(SequenceId id, std::size_t first_block) {
  std::vector<Block*>& blocks = at(id).blocks;
  while (blocks.size() > first_block) {
    Block& block = *blocks.back();
    blocks.pop_back();
    std::erase(block.holders, id);
    if (!block.holders.empty()) continue;
    removed_.push_back(block.hash);
    used_cells_ -= block_size_;
    --idle_blocks_;
    blocks_.erase(block.hash);
  }
}

// --- plans and events ------------------------------------------------------------------------

void KvCache::plan(Sequence& sequence, std::span<const TokenId> prompt) {
  if (!options_.prefix_caching) return;
  std::optional<tokens::SequenceHash> parent;
  if (!sequence.blocks.empty()) parent = sequence.blocks.back()->hash;
  for (std::size_t i = sequence.blocks.size(); i < prompt.size() / block_size_; ++i) {
    parent = options_.name_block(sequence.salt, parent, block_of(prompt, i)).sequence;
    sequence.planned.push_back(*parent);
    ++planned_[*parent];
  }
  std::ranges::reverse(sequence.planned);
}

void KvCache::unplan(Sequence& sequence, std::size_t keep) {
  while (sequence.planned.size() > keep) {
    const auto entry = planned_.find(sequence.planned.back());
    if (--entry->second == 0) planned_.erase(entry);
    sequence.planned.pop_back();
  }
}

void KvCache::publish(std::variant<KvStored, KvRemoved, KvCleared> data) {
  if (options_.on_event) options_.on_event({.id = next_event_, .data = std::move(data)});
  ++next_event_;
}

void KvCache::publish_removed() {
  if (!removed_.empty()) publish(KvRemoved{.blocks = std::exchange(removed_, {})});
}

}  // namespace dynamo::engines::batching
