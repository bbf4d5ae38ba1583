// SPDX-License-Identifier: Apache-2.0
// The sweeps of the reference's radix_tree_microbench: cost over the depth of sequences, over how
// much of a long query matches, and over the number of prefix groups. 64 sequences of 8000 blocks;
// names are sweep/<sweep>_<operation>/<point>.
#include <dynamo/kv_router/prefix_index.h>

#include <algorithm>
#include <memory>
#include <vector>

#include <benchmark/benchmark.h>

#include "kv_router/prefix_workload.h"

namespace dynamo::kv_router {
namespace {

using workload::now_ns;

constexpr std::size_t kLength = 8000;
constexpr std::size_t kSequences = 64;
constexpr std::size_t kExtra = 32;
constexpr double kPrefixRatio = 0.25;

enum class Operation { store, remove, find };

struct Tree {
  explicit Tree(std::uint64_t groups)
      : sequences({.sequences = kSequences + kExtra,
                   .depth = kLength,
                   .prefix = static_cast<std::size_t>(kLength * kPrefixRatio),
                   .groups = groups}) {
    for (std::size_t s = 0; s < kSequences; ++s)
      benchmark::DoNotOptimize(index.store(sequences.worker(s), sequences.stored(s, kLength)));
  }
  workload::Sequences sequences;
  PrefixIndex index;
};

void sweep(benchmark::State& state, Tree& tree, std::size_t depth, std::size_t query_length,
           Operation operation) {
  PrefixIndex::Reader reader(tree.index);
  std::vector<double> times;
  const auto timed = [&](auto&& act) {
    const double begin = now_ns();
    act();
    times.push_back(now_ns() - begin);
    state.SetIterationTime(times.back() * 1e-9);
  };
  std::size_t i = 0;
  for (auto _ : state) {
    if (operation == Operation::find) {
      const std::size_t s = i++ % kSequences;
      std::vector<LocalHash> query = tree.sequences.paths[s];
      query.resize(query_length);
      for (std::size_t j = depth; j < query_length; ++j)
        query[j] = LocalHash{0xBADC0DE000000000u | i << 16 | j};
      timed([&] { benchmark::DoNotOptimize(reader.find_matches(query).size()); });
      continue;
    }
    // A sequence of its own: an engine evicts from the tail, and what is shared stays.
    const std::size_t s = kSequences + i++ % kExtra;
    const KvStored stored = tree.sequences.stored(s, depth);
    std::vector<EngineHash> removed = tree.sequences.own(s, depth);
    std::reverse(removed.begin(), removed.end());
    const auto store = [&] {
      benchmark::DoNotOptimize(tree.index.store(tree.sequences.worker(s), stored));
    };
    const auto remove = [&] {
      benchmark::DoNotOptimize(tree.index.remove(tree.sequences.worker(s), removed));
    };
    if (operation == Operation::store) {
      timed(store);
      remove();
    } else {
      store();
      timed(remove);
    }
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2),
                   times.end());
  state.counters["p50_ns"] = times[times.size() / 2];
}

Tree& usual_tree() {
  static Tree tree(4);
  return tree;
}

void depth_store(benchmark::State& state) {
  const auto depth = static_cast<std::size_t>(state.range(0));
  sweep(state, usual_tree(), depth, depth, Operation::store);
}
void depth_remove(benchmark::State& state) {
  const auto depth = static_cast<std::size_t>(state.range(0));
  sweep(state, usual_tree(), depth, depth, Operation::remove);
}
void depth_find(benchmark::State& state) {
  const auto depth = static_cast<std::size_t>(state.range(0));
  sweep(state, usual_tree(), depth, depth, Operation::find);
}
void match_length_find(benchmark::State& state) {
  sweep(state, usual_tree(), static_cast<std::size_t>(state.range(0)), kLength, Operation::find);
}
void width(benchmark::State& state, Operation operation) {
  Tree tree(static_cast<std::uint64_t>(state.range(0)));
  sweep(state, tree, kLength, kLength, operation);
}
void width_store(benchmark::State& state) {
  width(state, Operation::store);
}
void width_remove(benchmark::State& state) {
  width(state, Operation::remove);
}
void width_find(benchmark::State& state) {
  width(state, Operation::find);
}

void lengths(benchmark::internal::Benchmark* bench) {
  for (const int points : {1, 4, 10, 32, 100, 320, 1000, 2500, 8000}) bench->Arg(points);
  bench->UseManualTime()->Iterations(100);
}
// A shorter sequence is all shared: there is nothing to remove.
void lengths_beyond_the_prefix(benchmark::internal::Benchmark* bench) {
  for (const int points : {2010, 2100, 2500, 3200, 5000, 8000}) bench->Arg(points);
  bench->UseManualTime()->Iterations(100);
}
void widths(benchmark::internal::Benchmark* bench) {
  for (const int groups : {1, 2, 4, 8, 16, 32, 64}) bench->Arg(groups);
  bench->UseManualTime()->Iterations(100);
}
BENCHMARK(depth_store)->Name("sweep/depth_store")->Apply(lengths);
BENCHMARK(depth_remove)->Name("sweep/depth_remove")->Apply(lengths_beyond_the_prefix);
BENCHMARK(depth_find)->Name("sweep/depth_find")->Apply(lengths);
BENCHMARK(match_length_find)->Name("sweep/match_length_find")->Apply(lengths);
BENCHMARK(width_store)->Name("sweep/width_store")->Apply(widths);
BENCHMARK(width_remove)->Name("sweep/width_remove")->Apply(widths);
BENCHMARK(width_find)->Name("sweep/width_find")->Apply(widths);

}  // namespace
}  // namespace dynamo::kv_router
