// SPDX-License-Identifier: Apache-2.0
// The workload of the reference's radix_tree_microbench: sequences of 32 blocks on 4 workers, a
// quarter of each a shared prefix. Operations come in random order, are timed one by one (manual
// time) and reported as medians beside the mean; `clock_ns` is what one timing costs.
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/prefix_index.h>
#include <dynamo/tokens/hash.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include <benchmark/benchmark.h>

#include "kv_router/counted_heap.h"
#include "kv_router/engine_hash_table.h"

namespace dynamo::kv_router {
namespace {

constexpr std::size_t kDepth = 32;
constexpr std::size_t kPrefix = 8;
constexpr std::uint64_t kWorkers = 4;
constexpr std::uint64_t kPrefixGroups = 4;
constexpr std::size_t kBatch = 1024;

double now_ns() {
  return std::chrono::duration<double, std::nano>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Collects the time of single operations.
class Stopwatch {
 public:
  explicit Stopwatch(benchmark::State& state) : state_(state) {
    std::vector<double> empty;
    for (int i = 0; i < 1000; ++i) {
      const double begin = now_ns();
      empty.push_back(now_ns() - begin);
    }
    clock_ns_ = median(empty);
  }
  ~Stopwatch() {
    state_.counters["p50_ns"] = median(times_) - clock_ns_;
    state_.counters["p99_ns"] = at(times_, 99) - clock_ns_;
    state_.counters["clock_ns"] = clock_ns_;
  }
  template <class Operation>
  void time(Operation&& operation) {
    const double begin = now_ns();
    operation();
    const double took = now_ns() - begin;
    times_.push_back(took);
    state_.SetIterationTime(std::max(took - clock_ns_, 0.1) * 1e-9);
  }

 private:
  static double at(std::vector<double>& times, std::size_t percent) {
    if (times.empty()) return 0;
    const auto nth = times.begin() + static_cast<std::ptrdiff_t>(times.size() * percent / 100);
    std::nth_element(times.begin(), nth, times.end());
    return *nth;
  }
  static double median(std::vector<double>& times) { return at(times, 50); }
  benchmark::State& state_;
  std::vector<double> times_;
  double clock_ns_ = 0;
};

/// The index filled with `pairs` (worker, block) pairs, and the events that did it.
struct Workload {
  explicit Workload(std::size_t pairs) {
    Rng rng(42);
    const std::size_t sequences = pairs / kDepth;
    for (std::uint64_t s = 0; s < sequences; ++s) {
      const std::uint64_t group = rng.below(kPrefixGroups);
      std::vector<LocalHash> path(kDepth);
      for (std::uint64_t i = 0; i < kDepth; ++i)
        path[i] = LocalHash{i < kPrefix ? (0xDEADBEEF00000000u | group << 32 | i) : s << 32 | i};
      std::vector<tokens::SequenceHash> names(kDepth);
      tokens::sequence_hashes(path, names);
      KvStored stored;
      std::vector<EngineHash> tail;
      for (std::size_t i = 0; i < kDepth; ++i) {
        const EngineHash name{std::to_underlying(names[i])};
        stored.blocks.push_back({name, path[i], std::nullopt});
        if (i >= kPrefix) tail.push_back(name);
      }
      queries.push_back(std::move(path));
      stores.push_back(std::move(stored));
      tails.push_back(std::move(tail));
    }
    order.resize(sequences);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::shuffle(order.begin(), order.end(), rng);
    for (const std::size_t s : order) benchmark::DoNotOptimize(index.store(worker(s), stores[s]));
  }
  static WorkerKey worker(std::size_t s) { return {WorkerId{s % kWorkers}, DpRank{0}}; }
  std::size_t next() {
    if (++at == order.size()) at = 0;
    return order[at];
  }

  PrefixIndex index;
  std::vector<std::vector<LocalHash>> queries;
  std::vector<KvStored> stores;
  std::vector<std::vector<EngineHash>> tails;
  std::vector<std::size_t> order;
  std::size_t at = 0;
};

Workload& workload(std::size_t pairs) {
  static std::map<std::size_t, std::unique_ptr<Workload>> made;
  auto& slot = made[pairs];
  if (!slot) slot = std::make_unique<Workload>(pairs);
  return *slot;
}

void report_memory(benchmark::State& state, std::size_t pairs, const PrefixIndex& index) {
  state.counters["bytes_per_pair"] =
      static_cast<double>(index.stats().memory_bytes) / static_cast<double>(pairs);
}

// A batch is taken out and put back; one side is timed. Between the two uses of a sequence lie a
// thousand others, so it is not found in the core's own caches.
void churn(benchmark::State& state, std::size_t pairs, bool time_store, bool tail_first) {
  Workload& load = workload(pairs);
  Stopwatch watch(state);
  const std::size_t batch = std::min(kBatch, load.order.size() / 4);
  std::vector<std::size_t> out;
  std::vector<std::vector<EngineHash>> removals;
  bool running = state.KeepRunning();
  while (running) {
    out.clear();
    removals.clear();
    for (std::size_t i = 0; i < batch; ++i) {
      out.push_back(load.next());
      removals.push_back(load.tails[out.back()]);
      if (tail_first) std::reverse(removals.back().begin(), removals.back().end());
    }
    for (std::size_t i = 0; i < batch; ++i) {
      const auto remove = [&] {
        benchmark::DoNotOptimize(load.index.remove(Workload::worker(out[i]), removals[i]));
      };
      if (time_store || !running) {
        remove();
      } else {
        watch.time(remove);
        running = state.KeepRunning();
      }
    }
    for (std::size_t i = 0; i < batch; ++i) {
      const auto store = [&] {
        benchmark::DoNotOptimize(load.index.store(Workload::worker(out[i]), load.stores[out[i]]));
      };
      if (!time_store || !running) {
        store();
      } else {
        watch.time(store);
        running = state.KeepRunning();
      }
    }
  }
  report_memory(state, pairs, load.index);
}

enum class Query { hit, miss, partial, early };

void find(benchmark::State& state, std::size_t pairs, Query kind) {
  Workload& load = workload(pairs);
  PrefixIndex::Reader reader(load.index);
  std::vector<std::vector<LocalHash>> queries;
  const std::size_t count = std::min<std::size_t>(load.order.size(), 20000);
  for (std::uint64_t i = 0; i < count; ++i) {
    queries.push_back(load.queries[load.next()]);
    for (std::uint64_t j = 0; j < kDepth; ++j) {
      if (kind == Query::miss) queries.back()[j] = LocalHash{0xBADC0DE000000000u | i << 16 | j};
      if (kind == Query::partial && j >= kDepth / 2)
        queries.back()[j] = LocalHash{0xDEAD0000u | i << 16 | j};
    }
  }
  Stopwatch watch(state);
  std::size_t at = 0;
  for (auto _ : state) {
    const std::vector<LocalHash>& query = queries[at];
    if (++at == queries.size()) at = 0;
    watch.time(
        [&] { benchmark::DoNotOptimize(reader.find_matches(query, kind == Query::early).size()); });
  }
}

/// What no index of this kind can go below: the table inserts of a sequence's 24 new blocks.
void floor_table_inserts(benchmark::State& state, std::size_t pairs) {
  Workload& load = workload(pairs);
  detail::CountedHeap heap;
  auto table = std::make_unique<detail::EngineHashTable>(heap);
  const auto each = [&](std::size_t s, auto&& act) {
    std::uint32_t i = 0;
    for (const EngineHash name : load.tails[s])
      act(detail::EngineHashTable::mix(name),
          detail::BlockRef{static_cast<std::uint32_t>(s + 1), i++});
  };
  for (std::size_t s = 0; s < load.tails.size(); ++s)
    each(s, [&](std::uint64_t mixed, detail::BlockRef ref) { table->insert(mixed, ref); });
  Stopwatch watch(state);
  for (auto _ : state) {
    const std::size_t s = load.next();
    each(s, [&](std::uint64_t mixed, detail::BlockRef ref) { table->erase(mixed, ref); });
    const std::size_t other = load.next();  // cold
    each(other, [&](std::uint64_t mixed, detail::BlockRef ref) { table->erase(mixed, ref); });
    each(other, [&](std::uint64_t mixed, detail::BlockRef ref) { table->insert(mixed, ref); });
    watch.time([&] {
      each(s, [&](std::uint64_t mixed, detail::BlockRef) { table->prefetch(mixed); });
      each(s, [&](std::uint64_t mixed, detail::BlockRef ref) { table->insert(mixed, ref); });
    });
  }
}

void hash_512_tokens(benchmark::State& state) {
  std::vector<tokens::Token> tokens(512);
  for (std::size_t j = 0; j < tokens.size(); ++j) tokens[j] = static_cast<tokens::Token>(j % 50000);
  std::vector<LocalHash> blocks(32);
  for (auto _ : state) {
    tokens::hash_blocks(tokens, 16, {}, blocks);
    benchmark::DoNotOptimize(blocks.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(hash_512_tokens);

#define DYN_KV_BENCH(name, function, ...)                                        \
  BENCHMARK_CAPTURE(function, name##_10k, 10'000, __VA_ARGS__)->UseManualTime(); \
  BENCHMARK_CAPTURE(function, name##_1m, 1'000'000, __VA_ARGS__)->UseManualTime()
DYN_KV_BENCH(store, churn, true, false);
DYN_KV_BENCH(remove, churn, false, false);
DYN_KV_BENCH(remove_tail_first, churn, false, true);
DYN_KV_BENCH(hit, find, Query::hit);
DYN_KV_BENCH(partial, find, Query::partial);
DYN_KV_BENCH(early, find, Query::early);
DYN_KV_BENCH(miss, find, Query::miss);
BENCHMARK_CAPTURE(floor_table_inserts, 1m, 1'000'000)->UseManualTime();

}  // namespace
}  // namespace dynamo::kv_router
