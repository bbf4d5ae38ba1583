// SPDX-License-Identifier: Apache-2.0
// The workload of the reference's radix_tree_microbench: sequences of 32 blocks on 4 workers, a
// quarter of each a shared prefix. Operations come in random order and are timed one by one, as the
// reference does. At 1 M pairs the caches are emptied before each batch of 256, so that index and
// events come from memory. `p50_ns` has the clock's own cost (`clock_ns`) taken off.
#include <dynamo/kv_router/prefix_index.h>
#include <dynamo/tokens/hash.h>

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include <benchmark/benchmark.h>

#include "kv_router/counted_heap.h"
#include "kv_router/engine_hash_table.h"
#include "kv_router/prefix_workload.h"

namespace dynamo::kv_router {
namespace {

using workload::now_ns;

constexpr std::size_t kBatch = 256;
constexpr std::size_t kColdPairs = 100'000;

/// Collects the time of single operations.
class Stopwatch {
 public:
  explicit Stopwatch(benchmark::State& state) : state_(state) {
    std::vector<double> empty;
    for (int i = 0; i < 1000; ++i) {
      const double begin = now_ns();
      empty.push_back(now_ns() - begin);
    }
    clock_ns_ = at(empty, 50);
  }
  ~Stopwatch() {
    state_.counters["p50_ns"] = at(times_, 50) - clock_ns_;
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
  benchmark::State& state_;
  std::vector<double> times_;
  double clock_ns_ = 0;
};

/// The index filled with `pairs` (worker, block) pairs, and the events that did it.
struct Filled {
  Filled(std::size_t pairs, std::size_t prefix)
      : sequences({.sequences = pairs / 32, .prefix = prefix}), cold(pairs > kColdPairs) {
    for (std::size_t s = 0; s < sequences.paths.size(); ++s)
      stores.push_back(sequences.stored(s, sequences.shape.depth));
    for (const std::size_t s : sequences.order)
      benchmark::DoNotOptimize(index.store(sequences.worker(s), stores[s]));
  }
  std::size_t next() {
    if (++at == sequences.order.size()) at = 0;
    return sequences.order[at];
  }

  workload::Sequences sequences;
  bool cold;
  PrefixIndex index;
  std::vector<KvStored> stores;
  std::size_t at = 0;
};

Filled& filled(std::size_t pairs, std::size_t prefix = 8) {
  static std::map<std::pair<std::size_t, std::size_t>, std::unique_ptr<Filled>> made;
  auto& slot = made[{pairs, prefix}];
  if (!slot) slot = std::make_unique<Filled>(pairs, prefix);
  return *slot;
}

void flush_caches(bool cold) {
  static workload::CacheFlush flush;
  if (cold) flush();
}

/// Calls `prepare()` for each batch and `operation(i)`, timed, for each of its members.
template <class Prepare, class Operation, class Restore>
void in_batches(benchmark::State& state, std::size_t batch, bool cold, Prepare&& prepare,
                Operation&& operation, Restore&& restore) {
  Stopwatch watch(state);
  bool running = state.KeepRunning();
  while (running) {
    prepare();
    flush_caches(cold);
    for (std::size_t i = 0; i < batch; ++i) {
      if (!running) {
        operation(i);
        continue;
      }
      watch.time([&] { operation(i); });
      running = state.KeepRunning();
    }
    restore();
  }
}

// A batch is taken out and put back; one side is timed.
void churn(benchmark::State& state, std::size_t pairs, bool time_store, bool tail_first) {
  Filled& load = filled(pairs);
  const std::size_t batch = std::min(kBatch, load.sequences.order.size() / 4);
  std::vector<std::size_t> out(batch);
  std::vector<std::vector<EngineHash>> removals(batch);
  const auto choose = [&] {
    for (std::size_t i = 0; i < batch; ++i) {
      out[i] = load.next();
      removals[i] = load.sequences.own(out[i], load.sequences.shape.depth);
      if (tail_first) std::reverse(removals[i].begin(), removals[i].end());
    }
  };
  const auto remove = [&](std::size_t i) {
    benchmark::DoNotOptimize(load.index.remove(load.sequences.worker(out[i]), removals[i]));
  };
  const auto store = [&](std::size_t i) {
    benchmark::DoNotOptimize(load.index.store(load.sequences.worker(out[i]), load.stores[out[i]]));
  };
  if (time_store) {
    in_batches(
        state, batch, load.cold,
        [&] {
          choose();
          for (std::size_t i = 0; i < batch; ++i) remove(i);
        },
        store, [] {});
  } else {
    in_batches(state, batch, load.cold, choose, remove, [&] {
      for (std::size_t i = 0; i < batch; ++i) store(i);
    });
  }
}

enum class Query { hit, miss, partial, early };

void find(benchmark::State& state, std::size_t pairs, Query kind) {
  Filled& load = filled(pairs);
  PrefixIndex::Reader reader(load.index);
  const std::size_t depth = load.sequences.shape.depth;
  std::vector<std::vector<LocalHash>> queries(load.sequences.order.size());
  for (std::uint64_t i = 0; i < queries.size(); ++i) {
    queries[i] = load.sequences.paths[load.next()];
    for (std::uint64_t j = 0; j < depth; ++j) {
      if (kind == Query::miss) queries[i][j] = LocalHash{0xBADC0DE000000000u | i << 16 | j};
      if (kind == Query::partial && j >= depth / 2)
        queries[i][j] = LocalHash{0xDEAD0000u | i << 16 | j};
    }
  }
  std::size_t base = 0;
  const std::size_t batch = std::min(kBatch, queries.size());
  in_batches(
      state, batch, load.cold, [&] { base = base + 2 * batch > queries.size() ? 0 : base + batch; },
      [&](std::size_t i) {
        benchmark::DoNotOptimize(
            reader.find_matches(queries[base + i], kind == Query::early).size());
      },
      [] {});
}

/// What no index of this kind can go below: reading the names of a sequence's 24 new blocks and the
/// table inserts.
void floor_table_inserts(benchmark::State& state, std::size_t pairs) {
  Filled& load = filled(pairs);
  detail::CountedHeap heap;
  auto table = std::make_unique<detail::EngineHashTable>(heap);
  std::vector<std::vector<EngineHash>> tails;
  for (std::size_t s = 0; s < load.sequences.order.size(); ++s)
    tails.push_back(load.sequences.own(s, load.sequences.shape.depth));
  const auto each = [&](std::size_t s, auto&& act) {
    std::uint32_t i = 0;
    for (const EngineHash name : tails[s])
      act(detail::EngineHashTable::mix(name),
          detail::BlockRef{static_cast<std::uint32_t>(s + 1), i++});
  };
  const auto insert = [&](std::uint64_t mixed, detail::BlockRef ref) { table->insert(mixed, ref); };
  const auto erase = [&](std::uint64_t mixed, detail::BlockRef ref) { table->erase(mixed, ref); };
  for (std::size_t s = 0; s < tails.size(); ++s) each(s, insert);
  std::vector<std::size_t> out(std::min(kBatch, tails.size()));
  in_batches(
      state, out.size(), load.cold,
      [&] {
        for (std::size_t& s : out) each(s = load.next(), erase);
      },
      [&](std::size_t i) {
        each(out[i], [&](std::uint64_t mixed, detail::BlockRef) { table->prefetch(mixed); });
        each(out[i], [&](std::uint64_t mixed, detail::BlockRef) {
          benchmark::DoNotOptimize(table->may_have(mixed));
        });
        each(out[i], insert);
      },
      [] {});
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

/// Bytes that the allocator reports per (worker, block) pair: after filling, and after half of the
/// sequences have been replaced by new ones.
void memory(benchmark::State& state, std::size_t pairs, std::size_t prefix) {
  for (auto _ : state) {
    auto load = std::make_unique<Filled>(pairs, prefix);
    const auto per_pair = [&] {
      return static_cast<double>(load->index.stats().memory_bytes) /
             static_cast<double>(load->sequences.order.size() * load->sequences.shape.depth);
    };
    state.counters["bytes_per_pair"] = per_pair();
    const std::size_t count = load->sequences.order.size();
    const workload::Sequences others({.sequences = count + count / 2, .prefix = prefix}, 43);
    for (std::size_t i = 0; i < count / 2; ++i) {
      const std::size_t gone = load->next();
      benchmark::DoNotOptimize(
          load->index.remove(load->sequences.worker(gone), load->sequences.own(gone, 32)));
      benchmark::DoNotOptimize(
          load->index.store(load->sequences.worker(gone), others.stored(count + i, 32)));
    }
    state.counters["bytes_per_pair_after_churn"] = per_pair();
  }
}

#define DYN_KV_BENCH(name, function, ...)                                        \
  BENCHMARK_CAPTURE(function, name##_10k, 10'000, __VA_ARGS__)->UseManualTime(); \
  BENCHMARK_CAPTURE(function, name##_1m, 1'000'000, __VA_ARGS__)->UseManualTime()->Iterations(16384)
DYN_KV_BENCH(store, churn, true, false);
DYN_KV_BENCH(remove, churn, false, false);
DYN_KV_BENCH(remove_tail_first, churn, false, true);
DYN_KV_BENCH(hit, find, Query::hit);
DYN_KV_BENCH(partial, find, Query::partial);
DYN_KV_BENCH(early, find, Query::early);
DYN_KV_BENCH(miss, find, Query::miss);
BENCHMARK_CAPTURE(floor_table_inserts, 1m, 1'000'000)->UseManualTime()->Iterations(16384);
BENCHMARK_CAPTURE(memory, 10k, 10'000, 8)->Iterations(1);
BENCHMARK_CAPTURE(memory, 1m, 1'000'000, 8)->Iterations(1);
BENCHMARK_CAPTURE(memory, 1m_nothing_shared, 1'000'000, 0)->Iterations(1);
BENCHMARK_CAPTURE(memory, 1m_90_percent_shared, 1'000'000, 29)->Iterations(1);

}  // namespace
}  // namespace dynamo::kv_router
