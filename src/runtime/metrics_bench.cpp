// SPDX-License-Identifier: Apache-2.0
#include <dynamo/runtime/metrics.h>

#include <benchmark/benchmark.h>

namespace dynamo::runtime {
namespace {

const MetricFamily kTokens{"bench_tokens_total", "t", MetricType::counter, {"model"}, {}};
const MetricFamily kSeconds{"bench_seconds",
                            "s",
                            MetricType::histogram,
                            {"model"},
                            MetricsRegistry::log_buckets(0.001, 480, 18)};

/// One counter again and again: each add waits for the store of the one before.
void BM_CounterAddOnAShard(benchmark::State& state) {
  MetricsRegistry registry;
  const detail::MetricRow row;
  auto counter = registry.counter(kTokens, {"m"});
  for (auto _ : state) {
    counter.add();
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_CounterAddOnAShard);

/// Four counters in turn, as code does that updates a few per batch.
void BM_FourCountersAddOnAShard(benchmark::State& state) {
  MetricsRegistry registry;
  const detail::MetricRow row;
  Counter counters[] = {registry.counter(kTokens, {"a"}), registry.counter(kTokens, {"b"}),
                        registry.counter(kTokens, {"c"}), registry.counter(kTokens, {"d"})};
  for (auto _ : state) {
    for (auto& counter : counters) counter.add();
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(4 * state.iterations());
}
BENCHMARK(BM_FourCountersAddOnAShard);

void BM_CounterAddOnAForeignThread(benchmark::State& state) {
  MetricsRegistry registry;
  auto counter = registry.counter(kTokens, {"m"});
  for (auto _ : state) counter.add();
}
BENCHMARK(BM_CounterAddOnAForeignThread);

void BM_HistogramObserveOnAShard(benchmark::State& state) {
  MetricsRegistry registry;
  const detail::MetricRow row;
  auto histogram = registry.histogram(kSeconds, {"m"});
  double value = 0.001;
  for (auto _ : state) {
    histogram.observe(value);
    value = value < 100 ? value * 1.7 : 0.001;
  }
}
BENCHMARK(BM_HistogramObserveOnAShard);

void BM_ResolveASeries(benchmark::State& state) {
  MetricsRegistry registry;
  for (const char* model : {"a", "b", "c", "d", "e", "f"}) registry.counter(kTokens, {model});
  for (auto _ : state) {
    auto counter = registry.counter(kTokens, {"d"});
    benchmark::DoNotOptimize(counter);
  }
}
BENCHMARK(BM_ResolveASeries);

}  // namespace
}  // namespace dynamo::runtime
