// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/json.h>
#include <dynamo/base/rng.h>

#include <benchmark/benchmark.h>

#include "base/json_oracle.h"

namespace dynamo::base {
namespace {

// About what a client sends: a system prompt and a user message of `words` words.
std::string chat_request(int words) {
  std::string prompt;
  for (int i = 0; i < words; ++i) prompt += i % 9 == 8 ? "\"word\",\n" : "word ";
  Json request = Json::object({{"model", "Qwen/Qwen3-0.6B"},
                               {"temperature", 0.7},
                               {"top_p", 0.95},
                               {"max_tokens", 64},
                               {"stream", true},
                               {"stream_options", Json::object({{"include_usage", true}})}});
  request["messages"].push_back(
      Json::object({{"role", "system"}, {"content", "You are a helpful assistant."}}));
  request["messages"].push_back(Json::object({{"role", "user"}, {"content", prompt}}));
  return request.dump();
}

// Token ids and log probabilities, as between frontend and worker.
std::string token_batch(int count) {
  Rng rng(1);
  Json batch = Json::object({{"token_ids", Json::array()}, {"logprobs", Json::array()}});
  for (int i = 0; i < count; ++i) {
    batch["token_ids"].push_back(static_cast<std::int64_t>(rng.below(150'000)));
    batch["logprobs"].push_back(-rng.uniform());
  }
  return batch.dump();
}

std::string document(const benchmark::State& state) {
  return state.range(0) == 0 ? chat_request(static_cast<int>(state.range(1)))
                             : token_batch(static_cast<int>(state.range(1)));
}

void finish(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
  state.SetLabel(std::to_string(bytes) + " bytes");
}

void parse(benchmark::State& state) {
  const std::string text = document(state);
  for (auto _ : state) benchmark::DoNotOptimize(parse_json(text));
  finish(state, text.size());
}

// The same with simdjson and a conversion of its result to Json.
void parse_simdjson(benchmark::State& state) {
  const std::string text = document(state);
  simdjson::dom::parser parser;
  for (auto _ : state)
    benchmark::DoNotOptimize(
        detail::from_simdjson(parser.parse(text.data(), text.size()).value_unsafe()));
  finish(state, text.size());
}

void dump(benchmark::State& state) {
  const Json value = *parse_json(document(state));
  std::size_t bytes = 0;
  for (auto _ : state) bytes = value.dump().size();
  finish(state, bytes);
}

void stream_chunk(benchmark::State& state) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    JsonWriter json(out);
    json.begin_object().member("id", "chatcmpl-0c2a8f3e-5a51-4f0c-9c71-1c0a5fb1f2ce");
    json.member("object", "chat.completion.chunk").member("created", 1769846950);
    json.member("model", "Qwen/Qwen3-0.6B").key("choices").begin_array().begin_object();
    json.member("index", 0).key("delta").begin_object().member("content", " word").end_object();
    json.key("finish_reason").null().end_object().end_array().end_object();
    benchmark::DoNotOptimize(out.data());
  }
  finish(state, out.size());
}

void write_doubles(benchmark::State& state) {
  Rng rng(2);
  std::vector<double> values(1000);
  for (double& value : values) value = -10 * rng.uniform();
  std::string out;
  for (auto _ : state) {
    out.clear();
    JsonWriter json(out);
    json.begin_array();
    for (const double value : values) json.value(value);
    json.end_array();
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(1000 * state.iterations());
}

// First argument: 0 a chat request of that many words, 1 a batch of that many tokens.
void documents(benchmark::internal::Benchmark* bench) {
  bench->Args({0, 0})->Args({0, 20})->Args({0, 60})->Args({0, 200})->Args({0, 20'000});
  bench->Args({1, 4})->Args({1, 32})->Args({1, 10'000});
}

BENCHMARK(parse)->Apply(documents);
BENCHMARK(parse_simdjson)->Apply(documents);
BENCHMARK(dump)->Apply(documents);
BENCHMARK(stream_chunk);
BENCHMARK(write_doubles);

}  // namespace
}  // namespace dynamo::base
