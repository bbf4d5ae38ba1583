// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/prefix_index.h>

#include <algorithm>

#include "kv_router/prefix_trie.h"

namespace dynamo::kv_router {

struct PrefixIndex::Impl {
  explicit Impl(const PrefixIndexOptions& options) : trie(options) {}
  detail::PrefixTrie trie;
};

PrefixIndex::PrefixIndex(PrefixIndexOptions options) : impl_(std::make_unique<Impl>(options)) {}
PrefixIndex::~PrefixIndex() = default;

ApplyStatus PrefixIndex::apply(const RouterEvent& event) {
  if (const auto* stored = std::get_if<KvStored>(&event.event.data))
    return store(event.key(), *stored);
  if (const auto* removed = std::get_if<KvRemoved>(&event.event.data))
    return remove(event.key(), removed->block_hashes);
  clear(event.key());
  return ApplyStatus::applied;
}

ApplyStatus PrefixIndex::store(WorkerKey worker, const KvStored& stored, std::size_t limit) {
  return impl_->trie.store(worker, stored, limit);
}
std::optional<std::size_t> PrefixIndex::path_to(WorkerKey worker, EngineHash name,
                                                std::span<LocalHash> leading) const {
  return impl_->trie.path_to(worker, name, leading);
}
ApplyStatus PrefixIndex::remove(WorkerKey worker, std::span<const EngineHash> hashes) {
  return impl_->trie.remove(worker, hashes);
}
void PrefixIndex::clear(WorkerKey worker) {
  impl_->trie.clear(worker);
}
void PrefixIndex::remove_worker(WorkerId worker) {
  impl_->trie.remove_worker(worker);
}
void PrefixIndex::settle() {
  impl_->trie.settle();
}
std::size_t PrefixIndex::blocks(WorkerKey worker) const {
  return impl_->trie.blocks(worker);
}
std::vector<RouterEvent> PrefixIndex::snapshot() const {
  return impl_->trie.snapshot();
}
PrefixIndexStats PrefixIndex::stats() const {
  return impl_->trie.stats();
}

std::vector<DumpedBlock> PrefixIndex::dump() const {
  std::vector<DumpedBlock> blocks;
  for (const RouterEvent& event : snapshot()) {
    const auto& stored = std::get<KvStored>(event.event.data);
    std::optional<EngineHash> parent = stored.parent_hash;
    for (const KvBlock& block : stored.blocks) {
      blocks.push_back({event.key(), parent, block.tokens_hash, block.block_hash});
      parent = block.block_hash;
    }
  }
  std::sort(blocks.begin(), blocks.end());
  return blocks;
}

PrefixIndex::Reader::Reader(PrefixIndex& index)
    : reader_(std::make_unique<detail::TrieReader>(index.impl_->trie)) {}
PrefixIndex::Reader::~Reader() = default;

std::span<const WorkerOverlap> PrefixIndex::Reader::find_matches(
    std::span<const LocalHash> sequence, bool early_exit) {
  return reader_->find_matches(sequence, early_exit);
}

}  // namespace dynamo::kv_router
