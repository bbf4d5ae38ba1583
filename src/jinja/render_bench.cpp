// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>
#include <dynamo/jinja/template.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include <benchmark/benchmark.h>

// Renders and compiles. ./x bench template sets DYNAMO_TEMPLATE_CASES to a JSON file of
// [{"name", "source", "context"}] and compares with other engines; alone, a ChatML conversation.
namespace dynamo::jinja {
namespace {

constexpr std::string_view kChatMl =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

Json default_cases() {
  Json messages = Json::array();
  for (int i = 0; i < 20; ++i) {
    messages.push_back(Json::object(
        {{"role", i % 2 == 0 ? "user" : "assistant"}, {"content", std::string(200, 'a')}}));
  }
  Json cases = Json::array();
  cases.push_back(Json::object(
      {{"name", "chatml/20"},
       {"source", kChatMl},
       {"context", Json::object({{"messages", messages}, {"add_generation_prompt", true}})}}));
  return cases;
}

Json load_cases() {
  const char* path = std::getenv("DYNAMO_TEMPLATE_CASES");
  if (!path) return default_cases();
  const auto text = base::read_file(path);
  auto cases = text ? parse_json(*text) : Result<Json>(fail(text.error()));
  if (!cases) {
    std::cerr << path << ": " << cases.error().message() << "\n";
    std::exit(1);
  }
  return *std::move(cases);
}

void render(benchmark::State& state, const Json& entry) {
  const auto code = Template::compile(*entry.find("source")->if_string());
  if (!code) return state.SkipWithError(code.error().message().c_str());
  Context context;
  context.set_members(*entry.find("context"));
  std::size_t bytes = 0;
  std::string out;
  for (auto _ : state) {
    out.clear();
    if (const auto done = code->render(context, out); !done) {
      return state.SkipWithError(done.error().message().c_str());
    }
    benchmark::DoNotOptimize(out.data());
    bytes = out.size();
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}

void compile(benchmark::State& state, const Json& entry) {
  const std::string& source = *entry.find("source")->if_string();
  for (auto _ : state) {
    auto code = Template::compile(source);
    benchmark::DoNotOptimize(code);
  }
}

}  // namespace
}  // namespace dynamo::jinja

int main(int argc, char** argv) {
  const dynamo::Json cases = dynamo::jinja::load_cases();
  for (const dynamo::Json& entry : *cases.if_array()) {
    const std::string name = *entry.find("name")->if_string();
    benchmark::RegisterBenchmark(("render/" + name).c_str(), [&entry](benchmark::State& state) {
      dynamo::jinja::render(state, entry);
    })->Unit(benchmark::kMicrosecond);
    benchmark::RegisterBenchmark(("compile/" + name).c_str(), [&entry](benchmark::State& state) {
      dynamo::jinja::compile(state, entry);
    })->Unit(benchmark::kMicrosecond);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
