// SPDX-License-Identifier: Apache-2.0
// What parsing adds to a stream, per token: ./x bench parsers. The aim is 0.3 us.
#include <dynamo/parsers/output_parser.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>

#include "parsers/families.h"
#include "parsers/hostile_texts.h"

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

constexpr std::string_view kJsonCall = R"({"name": "write_file", "arguments": {"text": ")";

Sample json(std::string_view reasoning, std::string_view tool, std::string_view thought_end,
            std::string_view open, std::string_view close) {
  return {reasoning, tool, std::string(thought_end) + std::string(open) + std::string(kJsonCall),
          "\"}}" + std::string(close)};
}

Sample xml(std::string_view reasoning, std::string_view tool, std::string_view before,
           std::string_view after) {
  return {reasoning, tool, std::string(before), std::string(after)};
}

/// One row per grammar; parsers that share one differ in their markers only.
const Sample kHermes = json("qwen3", "hermes", "</think>\n\n", "<tool_call>\n", "\n</tool_call>");
const Sample kMistral = json("mistral", "mistral", "[/THINK]", "[TOOL_CALLS][", "]");
const Sample kLlama = json("basic", "llama3_json", "</think>", "<|python_tag|>", "");
const Sample kPhi = json("basic", "phi4", "</think>", "functools[", "]");
const Sample kDeepSeek3 =
    xml("deepseek_v3", "deepseek_v3",
        "</think><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>write_file\n"
        "```json\n{\"text\": \"",
        "\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>");
const Sample kQwenCoder = xml("qwen3", "qwen3_coder",
                              "</think>\n\n<tool_call>\n<function=write_file>\n<parameter=text>\n",
                              "\n</parameter>\n</function>\n</tool_call>");
const Sample kMinimax2 =
    xml("minimax_m2", "minimax_m2",
        "</think><minimax:tool_call>\n<invoke name=\"write_file\">\n<parameter name=\"text\">",
        "</parameter>\n</invoke>\n</minimax:tool_call>");
const Sample kMinimax3 = xml("minimax_m3", "minimax_m3",
                             "</mm:think>]<]minimax[>[<tool_call>]<]minimax[>[<invoke "
                             "name=\"write_file\">]<]minimax[>[<text>",
                             "]<]minimax[>[</text>]<]minimax[>[</invoke>]<]minimax[>[</tool_call>");
const Sample kDsml = xml("deepseek_v4", "deepseek_v4",
                         "</think><｜DSML｜tool_calls>\n<｜DSML｜invoke "
                         "name=\"write_file\">\n<｜DSML｜parameter name=\"text\" string=\"true\">",
                         "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>");
const Sample kGptOss =
    xml("gpt_oss", "harmony",
        "<|channel|>commentary to=functions.write_file <|constrain|>json<|message|>{\"text\": \"",
        "\"}<|call|>");
const Sample kKimiK2 = xml("kimi_k25", "kimi_k2",
                           "</think><|tool_calls_section_begin|><|tool_call_begin|>functions."
                           "write_file:0<|tool_call_argument_begin|>{\"text\": \"",
                           "\"}<|tool_call_end|><|tool_calls_section_end|>");
const Sample kKimiK3 = xml(
    "kimi_k3", "kimi_k3",
    "<|close|>think<|sep|><|open|>tools<|sep|><|open|>call tool=\"write_file\" index=\"1\"<|sep|>"
    "<|open|>argument key=\"text\" type=\"string\"<|sep|>",
    "<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>");
const Sample kGlm =
    xml("glm45", "glm47", "</think><tool_call>write_file<arg_key>text</arg_key><arg_value>",
        "</arg_value></tool_call>");
const Sample kGemma =
    xml("gemma4", "gemma4", "<|tool_call>call:write_file{text:<|\"|>", "<|\"|>}<tool_call|>");
const Sample kPythonic = xml("basic", "pythonic", "</think>[write_file(text='", "')]");
const Sample kInkling =
    xml("inkling", "inkling",
        "<|end_message|><|message_model|>write_file<|content_invoke_tool_json|>{\"name\": "
        "\"write_file\", \"args\": {\"text\": \"",
        "\"}}<|end_message|>");
const Sample kMuse =
    xml("muse", "muse",
        "<|eom|><|start|>assistant to=functions<|message|><atem:invoke name=\"write_file\">"
        "<atem:parameter name=\"text\">",
        "</atem:parameter></atem:invoke><|eom|>");

BENCHMARK_CAPTURE(stream, hermes, kHermes);
BENCHMARK_CAPTURE(stream, mistral, kMistral);
BENCHMARK_CAPTURE(stream, llama3_json, kLlama);
BENCHMARK_CAPTURE(stream, phi4, kPhi);
BENCHMARK_CAPTURE(stream, deepseek_v3, kDeepSeek3);
BENCHMARK_CAPTURE(stream, qwen3_coder, kQwenCoder);
BENCHMARK_CAPTURE(stream, minimax_m2, kMinimax2);
BENCHMARK_CAPTURE(stream, minimax_m3, kMinimax3);
BENCHMARK_CAPTURE(stream, deepseek_v4, kDsml);
BENCHMARK_CAPTURE(stream, gpt_oss, kGptOss);
BENCHMARK_CAPTURE(stream, kimi_k2, kKimiK2);
BENCHMARK_CAPTURE(stream, kimi_k3, kKimiK3);
BENCHMARK_CAPTURE(stream, glm47, kGlm);
BENCHMARK_CAPTURE(stream, gemma4, kGemma);
BENCHMARK_CAPTURE(stream, pythonic, kPythonic);
BENCHMARK_CAPTURE(stream, inkling, kInkling);
BENCHMARK_CAPTURE(stream, muse_glimmer, kMuse);
BENCHMARK_CAPTURE(whole, hermes, kHermes);

double cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// Texts that cost most per byte, for every family: the time per byte at 32 KB and at 256 KB. A
/// `growth` well above 1 is work that is not linear.
void hostile(benchmark::State& state, const detail::ToolFamily& family) {
  const std::string_view tool = family.name;
  constexpr std::size_t kSmallBytes = std::size_t{32} << 10;
  constexpr std::size_t kLargeBytes = std::size_t{256} << 10;
  const auto reasoning = [&]() -> std::string {
    if (tool == "harmony") return "gpt_oss";
    if (tool == "muse_glimmer" || tool == "inkling" || tool == "minimax_m3")
      return std::string(tool);
    return "qwen3";
  }();
  double worst_growth = 0;
  double worst_ns = 0;
  std::string worst;
  std::string grown;
  for (auto _ : state) {
    for (const HostileText& hostile : hostile_texts(family)) {
      for (const std::size_t piece : {std::size_t{1}, 2 * kLargeBytes}) {
        double ns[2] = {};
        for (const bool large : {false, true}) {
          const std::size_t bytes = large ? kLargeBytes : kSmallBytes;
          const std::string text = hostile.of_size(bytes);
          const double begin = cpu_ns();
          ParserOptions options{.tool_parser = std::string(tool), .reasoning_parser = reasoning};
          auto parser = OutputParser::create(options);
          std::vector<Event> events;
          for (std::size_t at = 0; at < text.size(); at += piece) {
            (*parser)->feed(std::string_view(text).substr(at, piece), events);
            events.clear();
          }
          (*parser)->finish(events);
          ns[large ? 1 : 0] = (cpu_ns() - begin) / static_cast<double>(text.size());
        }
        if (ns[1] > worst_ns) worst = hostile.name();
        worst_ns = std::max(worst_ns, ns[1]);
        if (ns[1] > ns[0] * worst_growth) grown = hostile.name();
        worst_growth = std::max(worst_growth, ns[1] / ns[0]);
      }
    }
  }
  state.counters["ns_per_byte"] = worst_ns;
  state.counters["growth"] = worst_growth;
  state.SetLabel("slowest " + worst + ", most growth " + grown);
}

void register_hostile() {
  for (const detail::ToolFamily& family : detail::tool_families()) {
    const std::string name = "hostile/" + std::string(family.name);
    benchmark::RegisterBenchmark(name.c_str(), [&family](auto& state) { hostile(state, family); })
        ->Iterations(1)
        ->Unit(benchmark::kMillisecond);
  }
}
const int kRegistered = (register_hostile(), 0);

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
