// SPDX-License-Identifier: Apache-2.0
// What parsing adds to a stream, per token: ./x bench parsers. The aim is 0.3 us.
#include <dynamo/parsers/output_parser.h>

#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>

namespace dynamo::parsers {
namespace {

constexpr std::string_view kProse =
    "The quick answer is that a < b holds for {1, 2} and [3, 4], and that `x > y` does not. "
    "Let me look at the weather data for the places you asked about, one after the other. ";

std::string prose(std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += kProse;
  return text;
}

struct Sample {
  std::string_view reasoning;
  std::string_view tool;
  std::string before;
  std::string after;
};

/// A thought, an answer and a call that writes a file, in pieces of four bytes.
void run(benchmark::State& state, const Sample& sample, CallDelivery delivery) {
  const std::string text = prose(2000) + sample.before + prose(4000) + sample.after;
  ParserOptions options{.tool_parser = std::string(sample.tool),
                        .reasoning_parser = std::string(sample.reasoning)};
  options.delivery = delivery;
  constexpr std::size_t kTokenBytes = 4;
  std::vector<Event> events;
  std::size_t tokens = 0;
  for (auto _ : state) {
    auto parser = OutputParser::create(options);
    if (!parser) {
      state.SkipWithError("no parser");
      return;
    }
    for (std::size_t at = 0; at < text.size(); at += kTokenBytes) {
      (*parser)->feed(std::string_view(text).substr(at, kTokenBytes), events);
      benchmark::DoNotOptimize(events.data());
      events.clear();
    }
    (*parser)->finish(events);
    events.clear();
    tokens += text.size() / kTokenBytes;
  }
  state.counters["per_token"] = benchmark::Counter(
      static_cast<double>(tokens), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void stream(benchmark::State& state, const Sample& sample) {
  run(state, sample, CallDelivery::incremental);
}
void whole(benchmark::State& state, const Sample& sample) {
  run(state, sample, CallDelivery::whole);
}

const Sample kHermes{
    "qwen3", "hermes",
    "</think>\n\n<tool_call>\n{\"name\": \"write_file\", \"arguments\": {\"text\": \"",
    "\"}}\n</tool_call>"};
const Sample kQwenCoder{"qwen3", "qwen3_coder",
                        "</think>\n\n<tool_call>\n<function=write_file>\n<parameter=text>\n",
                        "\n</parameter>\n</function>\n</tool_call>"};
const Sample kDsml{"deepseek_v4", "deepseek_v4",
                   "</think><｜DSML｜tool_calls>\n<｜DSML｜invoke "
                   "name=\"write_file\">\n<｜DSML｜parameter name=\"text\" string=\"true\">",
                   "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>"};
const Sample kGptOss{
    "gpt_oss", "harmony",
    "<|channel|>commentary to=functions.write_file <|constrain|>json<|message|>{\"text\": \"",
    "\"}<|call|>"};
const Sample kKimiK2{"kimi_k25", "kimi_k2",
                     "</"
                     "think><|tool_calls_section_begin|><|tool_call_begin|>functions.write_file:0<|"
                     "tool_call_argument_begin|>{\"text\": \"",
                     "\"}<|tool_call_end|><|tool_calls_section_end|>"};
const Sample kGlm{"glm45", "glm47",
                  "</think><tool_call>write_file<arg_key>text</arg_key><arg_value>",
                  "</arg_value></tool_call>"};
const Sample kGemma{"gemma4", "gemma4", "<|tool_call>call:write_file{text:<|\"|>",
                    "<|\"|>}<tool_call|>"};

BENCHMARK_CAPTURE(stream, hermes, kHermes);
BENCHMARK_CAPTURE(stream, qwen3_coder, kQwenCoder);
BENCHMARK_CAPTURE(stream, deepseek_v4, kDsml);
BENCHMARK_CAPTURE(stream, gpt_oss, kGptOss);
BENCHMARK_CAPTURE(stream, kimi_k2, kKimiK2);
BENCHMARK_CAPTURE(stream, glm47, kGlm);
BENCHMARK_CAPTURE(stream, gemma4, kGemma);
BENCHMARK_CAPTURE(whole, hermes, kHermes);

void create(benchmark::State& state) {
  const ParserOptions options{.tool_parser = "hermes", .reasoning_parser = "qwen3"};
  for (auto _ : state) benchmark::DoNotOptimize(OutputParser::create(options));
}
BENCHMARK(create);

/// The floor: a vector of events that is filled and emptied.
void pass_through(benchmark::State& state) {
  std::vector<Event> events;
  for (auto _ : state) {
    Event& event = events.emplace_back();
    event.text = "word";
    benchmark::DoNotOptimize(events.data());
    events.clear();
  }
}
BENCHMARK(pass_through);

}  // namespace
}  // namespace dynamo::parsers
