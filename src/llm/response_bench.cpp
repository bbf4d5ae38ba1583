// SPDX-License-Identifier: Apache-2.0
#include <dynamo/llm/backend/backend.h>
#include <dynamo/llm/preproc/preprocessor.h>
#include <dynamo/llm/response/response_pipeline.h>
#include <dynamo/openai/chat.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "llm/test_tokenizer.h"

/// What the stages between an engine and a client's bytes cost. The bound for the whole frontend is
/// 0.15 ms per streamed request of 64 tokens; these stages have to stay far below 0.3 us per token.
namespace dynamo::llm::response_bench {
namespace {

constexpr std::size_t kTokens = 64;

// 64 tokens of five bytes on average, some with a part of a character.
std::vector<EngineOutput> answer() {
  std::vector<EngineOutput> outputs(kTokens);
  for (std::size_t i = 0; i < kTokens; ++i)
    outputs[i].token_ids = {i % 2 == 0 ? test::kHello : test::kWorld};
  outputs.back().finish_reason = FinishReason{.kind = FinishReason::Kind::stop};
  return outputs;
}

openai::ChatRequest request(std::string_view members) {
  return *openai::parse_chat_request(
      std::string(R"({"model":"qwen3","messages":[{"role":"user","content":"x"}])")
          .append(members) +
      "}");
}

Preprocessed prompt_of(const openai::ChatRequest& request) {
  Preprocessed prompt;
  prompt.request.token_ids.assign(250, 'a');
  prompt.prompt_tokens = 250;
  prompt.request.stop_conditions.stop_token_ids_hidden = {{test::kEndOfText}};
  if (!request.stop.empty()) prompt.request.stop_conditions.stop = request.stop;
  return prompt;
}

// One request of 64 tokens in batches of `state.range(0)`, from the making of the stages to [DONE].
void run(benchmark::State& state, std::string_view members) {
  const openai::ChatRequest asked = request(members);
  const Preprocessed prompt = prompt_of(asked);
  ResponseContext context{.request_id = "6f0c4c2a-6e0c-4a57-8a48-1f8e2b3a9f11",
                          .card = test::byte_card()};
  const auto batch_size = static_cast<std::size_t>(state.range(0));
  const std::vector<EngineOutput> outputs = answer();
  std::size_t bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<EngineOutput> batch = outputs;
    state.ResumeTiming();
    auto pipeline = *make_chat_response(asked, prompt, context);
    std::string out;
    pipeline->begin(out);
    for (std::size_t i = 0; i < batch.size(); i += batch_size) {
      (void)pipeline->feed(0, std::span(batch).subspan(i, std::min(batch_size, batch.size() - i)),
                           out);
      bytes += out.size();
      if (asked.stream) out.clear();
    }
    (void)pipeline->finish(0, out);
    bytes += out.size();
    benchmark::DoNotOptimize(out);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.counters["per_token"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kTokens,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void streamed(benchmark::State& state) {
  run(state, R"(,"stream":true)");
}
void streamed_with_stop(benchmark::State& state) {
  run(state, R"(,"stream":true,"stop":["</answer>","STOP"])");
}
void streamed_with_usage(benchmark::State& state) {
  run(state,
      R"(,"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true})");
}
void unary(benchmark::State& state) {
  run(state, "");
}
BENCHMARK(streamed)->Arg(1)->Arg(8)->Arg(64);
BENCHMARK(streamed_with_stop)->Arg(1)->Arg(8);
BENCHMARK(streamed_with_usage)->Arg(1)->Arg(8);
BENCHMARK(unary)->Arg(1)->Arg(64);

void backend_only(benchmark::State& state) {
  const Preprocessed prompt = prompt_of(request(""));
  const std::vector<EngineOutput> outputs = answer();
  std::vector<BackendOutput> out;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<EngineOutput> batch = outputs;
    state.ResumeTiming();
    Backend backend(test::byte_tokenizer(), prompt.request);
    out.clear();
    backend.feed(batch, out);
    benchmark::DoNotOptimize(out);
  }
  state.counters["per_token"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kTokens,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(backend_only);

void parse_and_validate_chat(benchmark::State& state) {
  std::string words;
  for (int i = 0; i < 200; ++i) words += "word" + std::to_string(i) + " ";
  const std::string body =
      R"({"model":"qwen3","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":")" +
      words + R"("}],"max_tokens":64,"stream":true,"temperature":0.7})";
  for (auto _ : state) {
    auto parsed = openai::parse_chat_request(body);
    benchmark::DoNotOptimize(validate(*parsed));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(parse_and_validate_chat);

// Template and tokenizer of Qwen3 on a prompt of `state.range(0)` words; what estimate_cost() says
// about it stands beside.
void preprocess_chat(benchmark::State& state) {
  const char* set = std::getenv("DYNAMO_CACHE_DIR");
  const char* home = std::getenv("HOME");
  const std::filesystem::path cache =
      set != nullptr ? std::filesystem::path(set)
                     : std::filesystem::path(home != nullptr ? home : "") / ".cache/dynamo-cpp";
  static const auto card = load_model_card(cache / "tokenizers" / "qwen3", {.name = "qwen3"});
  if (!card) {
    state.SkipWithError("the Qwen3 tokenizer is not here; ./x deps fetches it");
    return;
  }
  std::string words;
  for (std::int64_t i = 0; i < state.range(0); ++i) words += i % 3 == 0 ? "the " : "tokenizer ";
  const auto asked = *openai::chat_request_from_json(Json::object(
      {{"model", Json("qwen3")},
       {"messages",
        Json(Json::Array{Json::object({{"role", Json("user")}, {"content", Json(words)}})})}}));
  const Preprocessor preprocessor(*card);
  for (auto _ : state) benchmark::DoNotOptimize(preprocessor.preprocess(asked));
  state.counters["estimate_ns"] = static_cast<double>(preprocessor.estimate_cost(asked).count());
  state.counters["bytes"] = static_cast<double>(words.size());
}
BENCHMARK(preprocess_chat)->Arg(1)->Arg(20)->Arg(200)->Arg(2000);

}  // namespace
}  // namespace dynamo::llm::response_bench
