// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>

#include <cmath>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "engines/batching/sampler.h"

namespace dynamo::engines::batching {
namespace {

/// A row of a 49152-token vocabulary, a few tokens far above the rest.
std::vector<float> row() {
  Rng rng(1);
  std::vector<float> out(49'152);
  for (float& logit : out) logit = static_cast<float>(rng.uniform() * 10);
  for (int i = 0; i < 40; ++i)
    out[rng.below(out.size())] = static_cast<float>(12 + rng.uniform() * 8);
  return out;
}

void run(benchmark::State& state, SamplingParameters parameters) {
  const auto logits = row();
  const std::vector<TokenId> prompt(300, 7);
  Sampler sampler(std::move(parameters), prompt);
  std::vector<float> scratch;
  for (auto _ : state) {
    auto sampled = sampler.sample(logits, {}, nullptr, scratch);
    benchmark::DoNotOptimize(sampled);
  }
}
void greedy(benchmark::State& state) {
  run(state, {.temperature = 0.0F});
}
void temperature(benchmark::State& state) {
  run(state, {.seed = 1});
}
void top_p(benchmark::State& state) {
  run(state, {.temperature = 0.7F, .top_p = 0.9F, .seed = 1});
}
void everything(benchmark::State& state) {
  run(state, {.temperature = 0.7F,
              .top_k = 50,
              .top_p = 0.9F,
              .min_p = 0.01F,
              .repetition_penalty = 1.1F,
              .presence_penalty = 0.1F,
              .frequency_penalty = 0.1F,
              .logit_bias = {{5, 1.0F}},
              .seed = 1,
              .logprobs = 5});
}
BENCHMARK(greedy)->Unit(benchmark::kMicrosecond);
BENCHMARK(temperature)->Unit(benchmark::kMicrosecond);
BENCHMARK(top_p)->Unit(benchmark::kMicrosecond);
BENCHMARK(everything)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace dynamo::engines::batching
