// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/engines/batching/backend.h>
#include <dynamo/engines/batching/kv_event.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <variant>
#include <vector>

namespace dynamo::engines::batching {

/// What the model's sequence memory holds, and for whom: the prefix cache.
///
/// A sequence is *running* (of a request) or *cached* (of one that has ended, cut to full blocks).
/// Full blocks are known by their hash and exist once: a block that a second sequence computes
/// again is replaced by the first one's cells. Cells in use are therefore exactly
/// blocks x block size + the tails of running sequences, and this class, not the model library, is
/// the source of truth for KV events. Hashes are not trusted: a match also compares tokens.
///
/// Cached sequences go least recently used first, block by block from their ends.
/// Thread safety: confined to the engine's thread.
class KvCache {
 public:
  struct Options {
    std::uint32_t block_size_tokens = 16;
    bool prefix_caching = true;
    NameBlock name_block;  ///< required with prefix_caching
    KvEventSink on_event;  ///< may be empty
  };
  KvCache(Backend& backend, Options options);
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;

  struct Outlook {
    std::uint32_t cached_tokens = 0;  ///< that open() would reuse
    std::uint32_t idle_tokens = 0;    ///< the part of them that is evictable until then
    /// A running sequence is about to compute the next block of this prompt: waiting for it is
    /// cheaper than computing it twice.
    bool worth_waiting = false;
  };
  Outlook outlook(tokens::SaltHash salt, std::span<const TokenId> prompt) const;

  struct Opened {
    SequenceId sequence{};
    std::uint32_t cached_tokens = 0;  ///< computed already, always fewer than the prompt has
  };
  /// Starts a running sequence with the longest cached prefix of `prompt`. None when all ids are
  /// running.
  std::optional<Opened> open(tokens::SaltHash salt, std::span<const TokenId> prompt);

  /// `tokens` are now in memory for the sequence (all of them from the start, after a decode that
  /// succeeded): names and publishes the blocks that became full.
  void advance(SequenceId sequence, std::span<const TokenId> tokens);
  /// The sequence may not go on for a while: nobody is told any more to wait for its prompt.
  void withdraw_plan(SequenceId sequence) { unplan(at(sequence), 0); }
  /// Ends a running sequence; its full blocks stay as cache.
  void close(SequenceId sequence);

  /// Evicts until `cells` are free; false when that is impossible.
  bool make_room(std::uint32_t cells);
  /// Drops all cached sequences (running ones stay). True when there was one.
  bool evict_all();
  /// After Backend::reset(): forgets everything.
  void clear();

  std::uint32_t cells() const noexcept { return cells_; }
  std::uint32_t free_cells() const noexcept { return cells_ - used_cells_; }
  /// Cells that make_room() could free.
  std::uint32_t evictable_cells() const noexcept { return idle_blocks_ * block_size_; }
  std::uint32_t block_size_tokens() const noexcept { return block_size_; }
  std::uint32_t blocks_total() const noexcept { return cells_ / block_size_; }
  /// Blocks that running requests hold, partial ones included.
  std::uint32_t active_blocks() const noexcept;
  std::size_t cached_blocks() const noexcept { return blocks_.size(); }
  bool can_open() const noexcept { return running_ < sequences_.size(); }
  std::vector<tokens::SequenceHash> block_hashes() const;  ///< sorted, for tests

 private:
  struct Block {
    tokens::SequenceHash hash{};
    tokens::BlockHash local{};
    tokens::SaltHash salt{};
    const Block* parent = nullptr;
    std::vector<TokenId> tokens;
    std::vector<SequenceId> holders;
    std::uint32_t running_holders = 0;
  };
  enum class Role : std::uint8_t { free, running, cached };
  struct Sequence {
    Role role = Role::free;
    tokens::SaltHash salt{};
    std::vector<Block*> blocks;
    std::uint32_t tail_cells = 0;  ///< behind the full blocks; everything when caching is off
    std::uint64_t last_used = 0;
    bool nameless = false;  ///< a hash collision: what follows is not cached
    std::vector<tokens::SequenceHash>
        planned;  ///< prompt blocks it has not computed yet, last first
  };

  struct Match {
    std::vector<Block*> blocks;
    std::optional<tokens::SequenceHash> next;  ///< the full block after them, which is not known
  };

  Sequence& at(SequenceId id) { return sequences_[static_cast<std::size_t>(id)]; }
  std::span<const TokenId> block_of(std::span<const TokenId> tokens, std::size_t index) const {
    return tokens.subspan(index * block_size_, block_size_);
  }
  Match match(tokens::SaltHash salt, std::span<const TokenId> prompt) const;
  void plan(Sequence& sequence, std::span<const TokenId> prompt);
  void unplan(Sequence& sequence, std::size_t keep);
  std::optional<SequenceId> take_id(std::optional<SequenceId> donor);
  std::optional<SequenceId> oldest_cached(std::optional<SequenceId> except) const;
  void hold(SequenceId id, Block& block);
  void release_from(SequenceId id, std::size_t first_block);
  void drop(SequenceId id);
  void drop_redundant();
  bool add_block(SequenceId id, std::span<const TokenId> tokens, KvStored& stored);
  void publish(std::variant<KvStored, KvRemoved, KvCleared> data);
  void publish_removed();

  Backend& backend_;
  Options options_;
  const std::uint32_t block_size_;
  const std::uint32_t cells_;
  std::uint32_t used_cells_ = 0;
  std::uint32_t idle_blocks_ = 0;  ///< held by cached sequences only
  std::uint32_t running_ = 0;
  std::uint64_t tick_ = 0;
  std::uint64_t next_event_ = 0;
  std::unordered_map<tokens::SequenceHash, std::unique_ptr<Block>> blocks_;
  std::unordered_map<tokens::SequenceHash, std::uint32_t> planned_;
  std::vector<Sequence> sequences_;
  std::vector<tokens::SequenceHash> removed_;  ///< since the last publish_removed()
};

}  // namespace dynamo::engines::batching
