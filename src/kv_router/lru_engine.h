// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/kv_router/event.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace dynamo::kv_router::workload {

/// An engine's prefix cache, as far as its KV events go: so many blocks, and what was used longest
/// ago makes room. A block is always younger than those that follow it, so what goes first is a
/// tail.
class LruEngine {
 public:
  LruEngine(WorkerKey worker, std::size_t capacity) : worker_(worker), capacity_(capacity) {
    blocks_.resize(1);  // the list's end
  }

  /// A request for the path: `emit(RouterEvent&&)` for what was evicted and what was stored.
  template <class Emit>
  void serve(std::span<const LocalHash> path, std::span<const EngineHash> names, Emit&& emit) {
    const std::size_t wanted = std::min(path.size(), capacity_);
    std::size_t hit = 0;
    while (hit < wanted && at_.contains(names[hit])) ++hit;
    for (std::size_t i = hit; i-- != 0;) touch(at_.at(names[i]));
    KvRemoved removed;
    while (at_.size() + (wanted - hit) > capacity_) {
      const std::uint32_t oldest = blocks_[0].previous;
      unlink(oldest);
      at_.erase(blocks_[oldest].name);
      removed.block_hashes.push_back(blocks_[oldest].name);
      free_.push_back(oldest);
    }
    if (!removed.block_hashes.empty()) emit(event(std::move(removed)));
    if (hit == wanted) return;
    KvStored stored;
    if (hit != 0) stored.parent_hash = names[hit - 1];
    stored.blocks.reserve(wanted - hit);
    for (std::size_t i = hit; i < wanted; ++i)
      stored.blocks.push_back({names[i], path[i], std::nullopt});
    for (std::size_t i = wanted; i-- != hit;) add(names[i]);
    // The blocks before are younger still.
    for (std::size_t i = hit; i-- != 0;) touch(at_.at(names[i]));
    emit(event(std::move(stored)));
  }

 private:
  struct Block {
    EngineHash name{};
    std::uint32_t previous = 0;
    std::uint32_t next = 0;
  };
  template <class Data>
  RouterEvent event(Data data) {
    return {.worker_id = worker_.worker,
            .residency_domain = std::nullopt,
            .event = {.event_id = ++events_, .data = std::move(data), .dp_rank = worker_.rank}};
  }
  void unlink(std::uint32_t at) {
    blocks_[blocks_[at].previous].next = blocks_[at].next;
    blocks_[blocks_[at].next].previous = blocks_[at].previous;
  }
  void link_first(std::uint32_t at) {
    blocks_[at].previous = 0;
    blocks_[at].next = blocks_[0].next;
    blocks_[blocks_[0].next].previous = at;
    blocks_[0].next = at;
  }
  void touch(std::uint32_t at) {
    unlink(at);
    link_first(at);
  }
  void add(EngineHash name) {
    std::uint32_t at = 0;
    if (free_.empty()) {
      at = static_cast<std::uint32_t>(blocks_.size());
      blocks_.emplace_back();
    } else {
      at = free_.back();
      free_.pop_back();
    }
    blocks_[at].name = name;
    at_.emplace(name, at);
    link_first(at);
  }

  struct Identity {
    std::size_t operator()(EngineHash name) const noexcept {
      return static_cast<std::size_t>(name);
    }
  };
  WorkerKey worker_;
  std::size_t capacity_;
  std::uint64_t events_ = 0;
  std::vector<Block> blocks_;
  std::vector<std::uint32_t> free_;
  std::unordered_map<EngineHash, std::uint32_t, Identity> at_;
};

}  // namespace dynamo::kv_router::workload
