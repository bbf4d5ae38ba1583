// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/naive_index.h>

#include <algorithm>
#include <set>
#include <vector>

namespace dynamo::kv_router {

struct NaiveIndex::Tree {
  // A block by its path from the root; the root itself has no hash.
  struct Node {
    Node* parent = nullptr;
    LocalHash local{};
    std::optional<EngineHash> engine;  // the name under which the worker knows it
    std::map<LocalHash, std::unique_ptr<Node>> children;
  };
  Node root;
  std::map<EngineHash, Node*> by_engine_hash;

  // Forgets a node and everything under it; without recursion, since chains can be long.
  void forget(Node* node) {
    std::vector<Node*> pending{node};
    while (!pending.empty()) {
      Node* next = pending.back();
      pending.pop_back();
      by_engine_hash.erase(*next->engine);
      for (const auto& [local, child] : next->children) pending.push_back(child.get());
    }
    // Take the subtree apart from its leaves.
    std::vector<std::unique_ptr<Node>> owned;
    const auto at = node->parent->children.find(node->local);
    owned.push_back(std::move(at->second));
    node->parent->children.erase(at);
    while (!owned.empty()) {
      std::unique_ptr<Node> last = std::move(owned.back());
      owned.pop_back();
      for (auto& [local, child] : last->children) owned.push_back(std::move(child));
      last->children.clear();
    }
  }

  ~Tree() {
    while (!root.children.empty()) forget(root.children.begin()->second.get());
  }
};

NaiveIndex::NaiveIndex() = default;
NaiveIndex::~NaiveIndex() = default;
NaiveIndex::NaiveIndex(NaiveIndex&&) noexcept = default;
NaiveIndex& NaiveIndex::operator=(NaiveIndex&&) noexcept = default;

ApplyStatus NaiveIndex::apply(const RouterEvent& event) {
  if (const auto* stored = std::get_if<KvStored>(&event.event.data))
    return store(event.key(), *stored);
  if (const auto* removed = std::get_if<KvRemoved>(&event.event.data))
    return remove(event.key(), removed->block_hashes);
  clear(event.key());
  return ApplyStatus::applied;
}

ApplyStatus NaiveIndex::store(WorkerKey worker, const KvStored& stored) {
  std::set<EngineHash> names;
  if (stored.parent_hash) names.insert(*stored.parent_hash);
  for (const KvBlock& block : stored.blocks) {
    if (!names.insert(block.block_hash).second) return ApplyStatus::malformed;
  }
  auto found = trees_.find(worker);
  Tree::Node* node = nullptr;
  if (stored.parent_hash) {
    if (found == trees_.end()) return ApplyStatus::parent_not_found;
    const auto parent = found->second->by_engine_hash.find(*stored.parent_hash);
    if (parent == found->second->by_engine_hash.end()) return ApplyStatus::parent_not_found;
    node = parent->second;
  }
  if (stored.blocks.empty()) return ApplyStatus::applied;
  if (found == trees_.end()) found = trees_.emplace(worker, std::make_unique<Tree>()).first;
  Tree& tree = *found->second;
  if (node == nullptr) node = &tree.root;

  bool changed = false;
  for (const KvBlock& block : stored.blocks) {
    auto& child = node->children[block.tokens_hash];
    if (!child) {
      // The name may still stand for another block: the newest use of a name is what counts.
      if (const auto old = tree.by_engine_hash.find(block.block_hash);
          old != tree.by_engine_hash.end()) {
        for (const Tree::Node* above = node; above != nullptr; above = above->parent) {
          if (above != old->second) continue;
          // The chain would hang on a block that its own new name replaces.
          node->children.erase(block.tokens_hash);
          return ApplyStatus::malformed;
        }
        tree.forget(old->second);
      }
      child = std::make_unique<Tree::Node>();
      child->parent = node;
      child->local = block.tokens_hash;
      child->engine = block.block_hash;
      tree.by_engine_hash[block.block_hash] = child.get();
      changed = true;
    }
    // A block that is held already keeps the name under which it was stored first.
    node = child.get();
  }
  return changed ? ApplyStatus::applied : ApplyStatus::duplicate;
}

ApplyStatus NaiveIndex::remove(WorkerKey worker, std::span<const EngineHash> hashes) {
  const auto found = trees_.find(worker);
  ApplyStatus status = ApplyStatus::applied;
  for (const EngineHash hash : hashes) {
    if (found != trees_.end()) {
      const auto node = found->second->by_engine_hash.find(hash);
      if (node != found->second->by_engine_hash.end()) {
        found->second->forget(node->second);
        continue;
      }
    }
    status = ApplyStatus::block_not_found;
  }
  if (found != trees_.end() && found->second->by_engine_hash.empty()) trees_.erase(found);
  return status;
}

void NaiveIndex::clear(WorkerKey worker) {
  trees_.erase(worker);
}

void NaiveIndex::remove_worker(WorkerId worker) {
  std::erase_if(trees_, [&](const auto& entry) { return entry.first.worker == worker; });
}

OverlapScores NaiveIndex::find_matches(std::span<const LocalHash> sequence) const {
  OverlapScores scores;
  for (const auto& [worker, tree] : trees_) {
    const Tree::Node* node = &tree->root;
    std::uint32_t depth = 0;
    for (const LocalHash local : sequence) {
      const auto child = node->children.find(local);
      if (child == node->children.end()) break;
      node = child->second.get();
      ++depth;
    }
    if (depth > 0) scores[worker] = depth;
  }
  return scores;
}

std::size_t NaiveIndex::blocks(WorkerKey worker) const {
  const auto found = trees_.find(worker);
  return found == trees_.end() ? 0 : found->second->by_engine_hash.size();
}

std::vector<DumpedBlock> NaiveIndex::dump() const {
  std::vector<DumpedBlock> blocks;
  for (const auto& [worker, tree] : trees_) {
    for (const auto& [hash, node] : tree->by_engine_hash) {
      blocks.push_back({worker, node->parent->engine, node->local, hash});
    }
  }
  std::sort(blocks.begin(), blocks.end());
  return blocks;
}

}  // namespace dynamo::kv_router
