// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/kv_router/event.h>
#include <dynamo/tokens/hash.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

/// What the benchmarks of the index have in common. bench/anchors/kv_router makes the same
/// sequences in the same order, so that both sides are asked the same.
namespace dynamo::kv_router::workload {

/// SplitMix64: a few lines in any language.
struct Dice {
  std::uint64_t state;
  std::uint64_t next() noexcept {
    std::uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
};

template <class T>
void shuffle(std::vector<T>& items, Dice& dice) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[dice.below(i)]);
}

struct Shape {
  std::size_t sequences = 0;
  std::size_t depth = 32;
  std::size_t prefix = 8;  ///< leading blocks that a group shares
  std::uint64_t groups = 4;
  std::uint64_t workers = 4;
};

/// The reference's generate_sequences: a group's prefix, then blocks of the sequence's own; engine
/// hashes are the chain over them. Source: lib/kv-router/src/bench_utils.rs; spec kv-router 11.
struct Sequences {
  explicit Sequences(const Shape& shape, std::uint64_t seed = 42) : shape(shape) {
    Dice dice{seed};
    std::vector<tokens::SequenceHash> chain(shape.depth);
    for (std::uint64_t s = 0; s < shape.sequences; ++s) {
      const std::uint64_t group = dice.below(shape.groups);
      std::vector<LocalHash> path(shape.depth);
      for (std::uint64_t i = 0; i < shape.depth; ++i)
        path[i] =
            LocalHash{i < shape.prefix ? (0xDEADBEEF00000000u | group << 32 | i) : s << 32 | i};
      tokens::sequence_hashes(path, chain);
      std::vector<EngineHash>& name = names.emplace_back();
      for (const tokens::SequenceHash hash : chain)
        name.push_back(EngineHash{std::to_underlying(hash)});
      paths.push_back(std::move(path));
    }
    order.resize(shape.sequences);
    std::iota(order.begin(), order.end(), std::size_t{0});
    shuffle(order, dice);
  }
  WorkerKey worker(std::size_t s) const {
    return {WorkerId{static_cast<std::uint64_t>(s) % shape.workers}, DpRank{0}};
  }
  KvStored stored(std::size_t s, std::size_t depth) const {
    KvStored event;
    event.blocks.reserve(depth);
    for (std::size_t i = 0; i < depth; ++i)
      event.blocks.push_back({names[s][i], paths[s][i], std::nullopt});
    return event;
  }
  /// What an engine evicts when the sequence goes: the blocks of its own.
  std::vector<EngineHash> own(std::size_t s, std::size_t depth) const {
    const auto begin = names[s].begin();
    return {begin + static_cast<std::ptrdiff_t>(std::min(shape.prefix, depth)),
            begin + static_cast<std::ptrdiff_t>(depth)};
  }

  Shape shape;
  std::vector<std::vector<LocalHash>> paths;
  std::vector<std::vector<EngineHash>> names;
  std::vector<std::size_t> order;  ///< random
};

/// Reads through more memory than the caches hold.
class CacheFlush {
 public:
  CacheFlush() : memory_(kBytes / sizeof(std::uint64_t), 1) {}
  void operator()() noexcept {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < memory_.size(); i += 8) sum += memory_[i];
    sink_ = sum;
  }

 private:
  static constexpr std::size_t kBytes = std::size_t{96} << 20;
  std::vector<std::uint64_t> memory_;
  volatile std::uint64_t sink_ = 0;
};

inline double now_ns() {
  return std::chrono::duration<double, std::nano>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace dynamo::kv_router::workload
