// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/kv_router/worker_key.h>
#include <dynamo/tokens/hash.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// What a worker says about its KV cache. Source: lib/kv-router/src/protocols.rs (v1.5); spec
/// kv-router 2.
namespace dynamo::kv_router {

/// The engine's own name of a block and everything before it. Opaque to the router: it must only
/// name one (prefix, block) on its worker.
enum class EngineHash : std::uint64_t {};
/// The router's name of a block's content; says nothing about what stands before it.
using LocalHash = tokens::BlockHash;

struct MmObject {
  std::uint64_t mm_hash = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> offsets;  ///< carried, never hashed
  bool operator==(const MmObject&) const = default;
};

/// The multimodal objects of a block, if it has any: an optional vector in one word. Blocks come by
/// the thousand and nearly all have none, so what an event occupies in memory is what counts.
class MmObjects {
 public:
  MmObjects() noexcept = default;
  MmObjects(std::nullopt_t) noexcept {}     // NOLINT(google-explicit-constructor): as optional does
  MmObjects(std::vector<MmObject> objects)  // NOLINT(google-explicit-constructor)
      : objects_(std::make_unique<std::vector<MmObject>>(std::move(objects))) {}
  MmObjects(const MmObjects& other)
      : objects_(other ? std::make_unique<std::vector<MmObject>>(*other) : nullptr) {}
  MmObjects(MmObjects&&) noexcept = default;
  MmObjects& operator=(MmObjects other) noexcept {
    objects_ = std::move(other.objects_);
    return *this;
  }
  ~MmObjects() = default;

  explicit operator bool() const noexcept { return objects_ != nullptr; }
  bool has_value() const noexcept { return objects_ != nullptr; }
  std::vector<MmObject>& operator*() noexcept { return *objects_; }
  const std::vector<MmObject>& operator*() const noexcept { return *objects_; }
  std::vector<MmObject>* operator->() noexcept { return objects_.get(); }
  const std::vector<MmObject>* operator->() const noexcept { return objects_.get(); }
  /// An empty list in place of what was there.
  std::vector<MmObject>& emplace() {
    objects_ = std::make_unique<std::vector<MmObject>>();
    return *objects_;
  }
  friend bool operator==(const MmObjects& a, const MmObjects& b) {
    return a.has_value() == b.has_value() && (!a || *a == *b);
  }

 private:
  std::unique_ptr<std::vector<MmObject>> objects_;
};

struct KvBlock {
  EngineHash block_hash{};
  LocalHash tokens_hash{};
  MmObjects mm_objects;
  bool operator==(const KvBlock&) const = default;
};
static_assert(sizeof(KvBlock) == 24);

/// Blocks of one chain, the first following `parent_hash` (none: the start of a sequence).
struct KvStored {
  std::optional<EngineHash> parent_hash;
  std::optional<std::uint32_t> start_position;  ///< of the first block, in blocks; since v1.5
  std::vector<KvBlock> blocks;
  bool operator==(const KvStored&) const = default;
};
/// Each hash on its own; what follows a removed block becomes unreachable and is forgotten.
struct KvRemoved {
  std::vector<EngineHash> block_hashes;
  bool operator==(const KvRemoved&) const = default;
};
/// Everything of the emitting (worker, rank).
struct KvCleared {
  bool operator==(const KvCleared&) const = default;
};

struct KvCacheEvent {
  std::uint64_t event_id = 0;
  std::variant<KvStored, KvRemoved, KvCleared> data;
  DpRank dp_rank{};
  bool operator==(const KvCacheEvent&) const = default;
};

enum class StorageTier : std::uint8_t { device, host_pinned, disk, external };
enum class ResidencyDomain : std::uint8_t { worker, cache_owner };

/// A cache event with its sender.
struct RouterEvent {
  WorkerId worker_id{};
  StorageTier storage_tier = StorageTier::device;
  std::optional<ResidencyDomain> residency_domain;
  KvCacheEvent event;
  bool operator==(const RouterEvent&) const = default;

  WorkerKey key() const noexcept { return {worker_id, event.dp_rank}; }
};

}  // namespace dynamo::kv_router
