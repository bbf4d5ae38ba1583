// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/tokens/positional_hash.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>

namespace dynamo::tokens {

/// Values by positional hash, one map per position, so that what may precede or follow a block is
/// found by position. Not thread-safe.
template <class V, class K = PositionalLineageHash, class Hash = std::hash<K>>
class PositionalRadixTree {
 public:
  using Level = std::unordered_map<K, V, Hash>;

  /// The entries at the key's position, made when absent.
  Level& prefix(const K& key) { return levels_[key.position()]; }
  /// The entries at a position, or null pointer.
  Level* position(std::uint64_t position) {
    const auto found = levels_.find(position);
    return found == levels_.end() ? nullptr : &found->second;
  }
  std::size_t size() const noexcept {
    std::size_t out = 0;
    for (const auto& [position, level] : levels_) out += level.size();
    return out;
  }
  bool empty() const noexcept { return size() == 0; }

  /// The entry that `child` names as its parent, or null pointer. By the fragment of the parent's
  /// hash that the child holds: two blocks of equal fragments are not told apart.
  typename Level::value_type* find_parent(const PositionalLineageHash& child) {
    if (child.position() == 0) return nullptr;
    Level* level = position(child.position() - 1);
    if (level == nullptr) return nullptr;
    for (auto& entry : *level) {
      if (entry.first.parent_fragment_for_child_position(child.position()) ==
          child.parent_fragment()) {
        return &entry;
      }
    }
    return nullptr;
  }

 private:
  std::map<std::uint64_t, Level> levels_;
};

}  // namespace dynamo::tokens
