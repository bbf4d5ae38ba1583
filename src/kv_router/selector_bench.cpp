// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/active_sequences.h>
#include <dynamo/kv_router/selector.h>
#include <dynamo/kv_router/worker_caches.h>

#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace dynamo::kv_router {
namespace {

constexpr std::size_t kWorkers = 1000;

std::vector<Candidate> fleet(Rng& rng) {
  std::vector<Candidate> out(kWorkers);
  for (std::size_t i = 0; i < kWorkers; ++i) {
    out[i].worker.worker = WorkerId{i};
    out[i].load = WorkerLoad{rng.below(10000), rng.below(1000), rng.below(100), rng.below(10)};
    out[i].overlap = TierOverlap{.device_blocks = static_cast<std::uint32_t>(rng.below(50))};
    out[i].effective_cached_tokens = effective_cached_tokens({}, *out[i].overlap, 16);
  }
  return out;
}

/// The goal: 20 us.
void select_among_1000_workers(benchmark::State& state) {
  Rng rng(1);
  const auto candidates = fleet(rng);
  SelectorConfig config;
  config.router_temperature = static_cast<double>(state.range(0));
  Selector selector(config);
  const SelectionRequest request{.block_size_tokens = 16, .isl_tokens = 2000};
  for (auto _ : state) benchmark::DoNotOptimize(selector.select(request, candidates)->candidate);
}
BENCHMARK(select_among_1000_workers)->ArgName("temperature")->Arg(0)->Arg(1);

/// What comes before it: load and cache of every worker, 100 of which hold some of the prompt.
void gather_1000_candidates(benchmark::State& state) {
  Rng rng(1);
  std::vector<LocalHash> blocks;
  for (std::uint64_t i = 0; i < 125; ++i) blocks.push_back(LocalHash{rng()});
  const auto sequence = tokens::sequence_hashes(blocks);
  WorkerCaches caches;
  ActiveSequences active;
  std::vector<Candidate> candidates(kWorkers);
  for (std::size_t i = 0; i < kWorkers; ++i) {
    candidates[i].worker.worker = WorkerId{i};
    active.add_worker(candidates[i].worker);
    if (i % 10 != 0) continue;
    RouterEvent event;
    event.worker_id = WorkerId{i};
    event.event.event_id = 1;
    KvStored stored;
    for (std::size_t b = 0; b < 1 + i / 10; ++b)
      stored.blocks.push_back(
          {EngineHash{std::to_underlying(sequence[b])}, blocks[b], std::nullopt});
    event.event.data = stored;
    caches.on_event(PublisherId{1}, event, {});
    static_cast<void>(active.add({.request_id = std::to_string(i),
                                  .worker = candidates[i].worker,
                                  .prompt = std::span(sequence).first(1 + i / 10),
                                  .prefill_tokens = 100},
                                 {}));
  }
  for (auto _ : state) {
    caches.fill(blocks, sequence, {}, 16, candidates);
    const auto additional = active.additional_blocks(sequence);
    for (std::size_t i = 0; i < kWorkers; ++i) {
      const ActiveLoad load = active.load(candidates[i].worker);
      candidates[i].load =
          WorkerLoad{load.prefill_tokens, load.decode_blocks, additional[i], load.requests};
    }
    benchmark::DoNotOptimize(candidates.data());
  }
}
BENCHMARK(gather_1000_candidates);

}  // namespace
}  // namespace dynamo::kv_router
