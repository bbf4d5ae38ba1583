// SPDX-License-Identifier: Apache-2.0
#include <dynamo/engines/llama/llama_engine.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "engines/batching/testing/requests.h"

namespace dynamo::engines::llama {
namespace {

using batching::testing::Answer;
using batching::testing::greedy_request;
using Clock = std::chrono::steady_clock;

std::unique_ptr<LlamaEngine> load(benchmark::State& state) {
  const auto model =
      std::filesystem::path(DYNAMO_MODELS_DIR) / "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
  Config config;
  config.n_threads = 1;
  config.n_ctx = 4096;
  auto engine = LlamaEngine::load(model, config);
  if (engine) return *std::move(engine);
  state.SkipWithError(engine.error().message().c_str());
  return nullptr;
}

/// Tokens that have not been seen before in this process.
std::vector<llm::TokenId> fresh_prompt(std::size_t tokens) {
  static std::uint32_t next = 0;
  std::vector<llm::TokenId> out(tokens);
  for (auto& token : out) token = 100 + (next = next * 1664525U + 1013904223U) % 40'000U;
  return out;
}

double seconds_to_first_token(LlamaEngine& engine, std::vector<llm::TokenId> prompt) {
  boost::asio::io_context io;
  const auto start = Clock::now();
  std::chrono::duration<double> first{};
  boost::asio::co_spawn(io,
                        batching::testing::read_answer(engine, greedy_request(std::move(prompt), 1),
                                                       runtime::Context::create("bench"),
                                                       [&](const Answer&) {
                                                         first = Clock::now() - start;
                                                         return true;
                                                       }),
                        [](const std::exception_ptr&, const Answer&) {});
  io.run();
  return first.count();
}

/// 321 tokens that share 304 with the prompt before, or none. Reuse must be at most a third.
void time_to_first_token(benchmark::State& state) {
  const auto engine = load(state);
  if (engine == nullptr) return;
  const bool reuse = state.range(0) != 0;
  auto prompt = fresh_prompt(321);
  seconds_to_first_token(*engine, prompt);
  for (auto _ : state) {
    if (!reuse) prompt = fresh_prompt(321);
    for (std::size_t i = 304; i < prompt.size(); ++i) prompt[i] = fresh_prompt(1).front();
    state.SetIterationTime(seconds_to_first_token(*engine, prompt));
  }
}
BENCHMARK(time_to_first_token)
    ->ArgName("reuse")
    ->Arg(0)
    ->Arg(1)
    ->UseManualTime()
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);

/// Tokens per second of several answers at once, 24 tokens each, after short prompts.
void decode(benchmark::State& state) {
  const auto engine = load(state);
  if (engine == nullptr) return;
  std::int64_t tokens = 0;
  for (auto _ : state) {
    std::vector<llm::PreprocessedRequest> requests;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      requests.push_back(greedy_request(fresh_prompt(4), 24));
      requests.back().stop_conditions.ignore_eos = true;
    }
    for (const Answer& answer : batching::testing::ask(*engine, std::move(requests))) {
      tokens += static_cast<std::int64_t>(answer.tokens.size());
    }
  }
  state.SetItemsProcessed(tokens);
}
BENCHMARK(decode)
    ->ArgName("requests")
    ->Arg(1)
    ->Arg(4)
    ->Arg(8)
    ->Iterations(2)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace dynamo::engines::llama
