// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/tokens/hash.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace dynamo::engines::batching {

/// A full block, in the terms of the KV router: the sequence hash is the engine's ("external")
/// name of the block, the block hash is the local one.
struct StoredBlock {
  tokens::SequenceHash sequence_hash{};
  tokens::BlockHash tokens_hash{};
  std::vector<tokens::Token> tokens;
  bool operator==(const StoredBlock&) const = default;
};

/// Blocks that became reusable, in order, the first one following `parent` (none: a prompt's
/// start).
struct KvStored {
  std::optional<tokens::SequenceHash> parent;
  std::vector<StoredBlock> blocks;
  bool operator==(const KvStored&) const = default;
};
/// Blocks that no sequence holds any more, children before parents.
struct KvRemoved {
  std::vector<tokens::SequenceHash> blocks;
  bool operator==(const KvRemoved&) const = default;
};
/// Everything is gone.
struct KvCleared {
  bool operator==(const KvCleared&) const = default;
};

/// A change of what the prefix cache holds. Never about partial blocks, never before the decode
/// step that computed the block has succeeded. Ids are 0, 1, 2, … per engine.
struct KvEvent {
  std::uint64_t id = 0;
  std::variant<KvStored, KvRemoved, KvCleared> data;
  bool operator==(const KvEvent&) const = default;
};
/// Called on the engine's thread, in order; must be quick and must not throw.
using KvEventSink = std::function<void(KvEvent)>;

struct BlockNames {
  tokens::BlockHash local{};
  tokens::SequenceHash sequence{};
};
/// How blocks are named: by the request's salt, the block before it and its tokens.
using NameBlock = std::function<BlockNames(tokens::SaltHash, std::optional<tokens::SequenceHash>,
                                           std::span<const tokens::Token>)>;

}  // namespace dynamo::engines::batching
