// SPDX-License-Identifier: Apache-2.0
// Chat templates: any source is compiled and rendered within a small budget. The first byte of an
// input picks the variables: 't' a fixed set, anything else JSON up to the first NUL byte.
#include <dynamo/base/assert.h>
#include <dynamo/base/json.h>
#include <dynamo/base/utf8.h>
#include <dynamo/jinja/template.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dynamo::jinja {
namespace {

constexpr std::string_view kVariables = R"({
  "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": [{"type": "text", "text": "h\u00e9"},
               {"type": "image"}]}, {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "function":
               {"name": "f", "arguments": {"a": [1, 2.5, null, true], "b": {"c": "<&'\">"}}}}]},
               {"role": "tool", "content": "r", "tool_call_id": "c"}],
  "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type":
             ["string", "null"], "enum": ["a", 1]}}}}}],
  "add_generation_prompt": true, "bos_token": "<s>", "d": {"b": 2, "a": 1, "items": "K"}, "l": [3, 1, 2], "n": 7,
  "s": "  Hello World  ", "u": "\u4f60\u597d \ud83d\ude00 \u0130\u00df", "f": 0.1, "big": 18446744073709551615, "z": null,
  "objs": [{"k": "a", "v": 1}, {"k": "B", "v": 2}, {"k": "a", "v": 3}], "nested": [[1, 2], [3, [4]]], "e": [], "es": ""})";

RenderOptions small_budget() {
  static const ManualClock clock;
  RenderOptions options;
  options.budget = {
      .steps = 20'000, .output_bytes = 1 << 20, .memory_bytes = 8 << 20, .recursion = 60};
  options.clock = &clock;
  options.utc_offset = std::chrono::seconds{0};
  return options;
}

void check(std::string_view source, const Json& variables) {
  const auto code = Template::compile(source, "fuzz");
  if (!code) {
    DYN_ASSERT(code.error().code() == Errc::invalid_argument);
    DYN_ASSERT(!code.error().reason().empty());
    DYN_ASSERT(base::is_valid_utf8(code.error().message()));
    return;
  }
  Context context;
  context.set_members(variables);
  std::string first = "before";
  const auto done = code->render(context, first, small_budget());
  DYN_ASSERT(first.starts_with("before"));
  if (!done) {
    DYN_ASSERT(done.error().code() == Errc::invalid_argument);
    DYN_ASSERT(!done.error().reason().empty());
    DYN_ASSERT(first == "before");
    return;
  }
  // Rendering leaves nothing behind in the template.
  if (code->reads_variable("lipsum") || source.find("random") != std::string_view::npos) return;
  std::string second = "before";
  DYN_ASSERT(code->render(context, second, small_budget()).has_value());
  DYN_ASSERT(first == second);
}

}  // namespace
}  // namespace dynamo::jinja

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const dynamo::Json variables = *dynamo::parse_json(dynamo::jinja::kVariables);
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 't') {
    dynamo::jinja::check(rest, variables);
    return 0;
  }
  const std::size_t end = rest.find('\0');
  if (end == std::string_view::npos) return 0;
  if (const auto json = dynamo::parse_json(rest.substr(0, end))) {
    dynamo::jinja::check(rest.substr(end + 1), *json);
  }
  return 0;
}
