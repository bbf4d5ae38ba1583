// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>
#include <dynamo/llm/preproc/prompt_formatter.h>

#include <cstdlib>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace dynamo::llm {
namespace native_formatters_test {
namespace {

Json json(std::string_view text) {
  auto parsed = parse_json(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed ? *std::move(parsed) : Json();
}

/// Parts of a request, as JSON text.
struct Request {
  std::string_view messages;
  std::string_view tools = "null";
  std::string_view tool_choice = "null";
  std::string_view response_format = "null";
  std::string_view args = "null";
  std::string_view reasoning_effort = "null";
  bool add_generation_prompt = true;
};

Result<RenderedPrompt> render(std::string_view model_type, const Request& request) {
  const auto formatter = make_prompt_formatter({.model_type = std::string(model_type)});
  EXPECT_TRUE(formatter.has_value());
  const Json messages = json(request.messages);
  const Json tools = json(request.tools);
  const Json choice = json(request.tool_choice);
  const Json format = json(request.response_format);
  const Json args = json(request.args);
  const Json effort = json(request.reasoning_effort);
  ChatPrompt prompt{.messages = messages};
  prompt.tools = &tools;
  prompt.tool_choice = &choice;
  prompt.response_format = &format;
  prompt.template_args = &args;
  prompt.reasoning_effort = &effort;
  prompt.add_generation_prompt = request.add_generation_prompt;
  return (*formatter)->render(prompt);
}

std::string text(std::string_view model_type, const Request& request) {
  const auto rendered = render(model_type, request);
  return rendered ? rendered->flattened()
                  : rendered.error().param() + "! " + rendered.error().message();
}

/// Control tokens in angle brackets as they are, other segments in square ones.
std::string segments(std::string_view model_type, const Request& request) {
  const auto rendered = render(model_type, request);
  if (!rendered) return rendered.error().message();
  std::string out;
  for (const PromptSegment& s : rendered->segments) {
    out += s.allow_special ? s.text : "[" + s.text + "]";
  }
  return out;
}

std::string kind_of(std::string_view type, std::string_view name) {
  PromptFacts facts{.model_type = std::string(type), .model_name = std::string(name)};
  facts.override_template("x");
  const auto formatter = make_prompt_formatter(facts);
  return formatter ? std::string((*formatter)->kind()) : "?";
}

TEST(FormatterChoice, GoesByModelTypeAndByNameOnlyWhereThatIsUnknown) {
  EXPECT_EQ(kind_of("Kimi_K3", ""), "kimi_k3");
  EXPECT_EQ(kind_of("inkling_mm_model", ""), "inkling");
  EXPECT_EQ(kind_of("deepseek_v4", ""), "deepseek_v4");
  EXPECT_EQ(kind_of("deepseek_v32", "x"), "deepseek_v32");
  EXPECT_EQ(kind_of("deepseek_v32", "DeepSeek-V3.2-Exp"), "jinja");
  EXPECT_EQ(kind_of("qwen3", "deepseek-v4"), "jinja");
  EXPECT_EQ(kind_of("", "moonshotai/Kimi-K3-Base"), "kimi_k3");
  EXPECT_EQ(kind_of("", "DeepSeek-V4-Pro"), "deepseek_v4");
  EXPECT_EQ(kind_of("", "deepseekv4"), "deepseek_v4");
  EXPECT_EQ(kind_of("", "deepseek-v40"), "jinja");
  EXPECT_EQ(kind_of("", "deepseek-ai/DeepSeek-V3.2"), "deepseek_v32");
  EXPECT_EQ(kind_of("", "inkling"), "jinja");
}

/// A file of DeepSeek's official encoder cases, which are beside the checkout; none when not.
std::optional<std::string> official(std::string_view name) {
  const char* folder = std::getenv("DYNAMO_SHARED_DIR");
  const std::string base = folder ? folder : std::string(DYNAMO_SOURCE_DIR) + "/../shared";
  auto read = base::read_file(base + "/conformance/template/deepseek/" + std::string(name));
  return read ? std::optional(*std::move(read)) : std::nullopt;
}

std::string right_trimmed(std::string text) {
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return text;
}

/// Renders an official input; tools beside the messages belong on the first message.
std::string render_official(std::string_view model_type, const std::string& input,
                            std::string_view mode) {
  Json root = json(input);
  Json messages = root.is_array() ? root : *root.find("messages");
  if (const Json* tools = root.find("tools")) (*messages.if_array())[0]["tools"] = *tools;
  const auto formatter = make_prompt_formatter({.model_type = std::string(model_type)});
  const Json args = Json::object({{"thinking_mode", mode}});
  ChatPrompt prompt{.messages = messages};
  prompt.template_args = &args;
  prompt.add_generation_prompt = false;
  const auto rendered = (*formatter)->render(prompt);
  return rendered ? right_trimmed(rendered->text) : rendered.error().message();
}

TEST(DeepSeekV32, EqualsTheOfficialEncoder) {
  for (const std::string stem : {"", "_search_w_date", "_search_wo_date"}) {
    const auto input = official("v32_test_input" + stem + ".json");
    const auto output = official("v32_test_output" + stem + ".txt");
    if (!input || !output) GTEST_SKIP() << "DeepSeek's cases are not beside this checkout";
    EXPECT_EQ(render_official("deepseek_v32", *input, "thinking"), right_trimmed(*output)) << stem;
  }
}

TEST(DeepSeekV4, EqualsTheOfficialEncoder) {
  for (int i = 1; i <= 4; ++i) {
    const auto input = official("v4_test_input_" + std::to_string(i) + ".json");
    const auto output = official("v4_test_output_" + std::to_string(i) + ".txt");
    if (!input || !output) GTEST_SKIP() << "DeepSeek's cases are not beside this checkout";
    EXPECT_EQ(render_official("deepseek_v4", *input, i == 4 ? "chat" : "thinking"),
              right_trimmed(*output))
        << i;
  }
}

TEST(DeepSeekV32, AttachesToolsAndFormatToASystemMessageOfTheirOwn) {
  const std::string out =
      text("deepseek_v32", {.messages = R"([{"role": "user", "content": "Hi"}])",
                            .tools = R"([{"function": {"name": "f"}}])",
                            .response_format = R"({"type": "json_object"})"});
  EXPECT_TRUE(out.starts_with("<｜begin▁of▁sentence｜>\n\n## Tools\n"));
  EXPECT_NE(out.find("<functions>\n{\"name\": \"f\"}\n</functions>\n"), std::string::npos);
  EXPECT_TRUE(
      out.ends_with("schema to reply:\n{\"type\": \"json_object\"}"
                    "<｜User｜>Hi<｜Assistant｜><think>"));
  EXPECT_EQ(text("deepseek_v32", {.messages = R"([{"role": "user", "content": "Hi"}])",
                                  .tools = R"([{"function": {"name": "f"}}])",
                                  .tool_choice = R"("none")",
                                  .args = R"({"thinking": false})"}),
            "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜></think>");
}

TEST(DeepSeekV32, ArgumentsThatAreNotJsonBecomeOneParameter) {
  const auto call = [](std::string_view arguments) {
    const std::string messages =
        R"([{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [{"function": )"
        R"({"name": "f", "arguments": )" +
        std::string(arguments) + "}}]}]";
    return text("deepseek_v32", {.messages = messages, .args = R"({"thinking": false})"});
  };
  EXPECT_NE(call(R"("{\"a\":")").find("name=\"arguments\" string=\"true\">{\"a\":</"),
            std::string::npos);
  EXPECT_NE(call(R"({"x": [1, 2.0], "y": null})")
                .find("name=\"x\" string=\"false\">[1, 2.0]</｜DSML｜parameter>\n"
                      "<｜DSML｜parameter name=\"y\" string=\"false\">null</"),
            std::string::npos);
  EXPECT_TRUE(call(R"("[1]")").starts_with("messages[1].tool_calls[0].function.arguments! "));
}

TEST(DeepSeekV32, AResultNeedsACallBeforeIt) {
  EXPECT_EQ(text("deepseek_v32", {.messages = R"([{"role": "tool", "content": "r"}])"}),
            "messages[0]! messages[0]: a tool result without a tool call before it");
}

TEST(DeepSeekV4, MergesAndSortsResults) {
  EXPECT_EQ(text("deepseek_v4", {.messages = R"([{"role": "user", "content": "q"},
                      {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f"}},
                                                           {"id": "b", "function": {"name": "g"}}]},
                      {"role": "tool", "tool_call_id": "b", "content": "rb"},
                      {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "ra"},
                                                                        {"type": "image_url"}]},
                      {"role": "user", "content": "more"}])",
                                 .args = R"({"thinking": false})"}),
            "<｜begin▁of▁sentence｜><｜User｜>q<｜Assistant｜></think>\n\n<｜DSML｜tool_calls>\n"
            "<｜DSML｜invoke name=\"f\">\n\n</｜DSML｜invoke>\n<｜DSML｜invoke name=\"g\">\n\n"
            "</｜DSML｜invoke>\n</｜DSML｜tool_calls><｜end▁of▁sentence｜><｜User｜>"
            "<tool_result>ra\n\n[Unsupported image_url]</tool_result>\n\n"
            "<tool_result>rb</tool_result>\n\nmore<｜Assistant｜></think>");
}

TEST(DeepSeekV4, MaximumEffortComesFirst) {
  const Request request{.messages = R"([{"role": "user", "content": "q"}])",
                        .reasoning_effort = R"("max")"};
  EXPECT_TRUE(text("deepseek_v4", request)
                  .starts_with("<｜begin▁of▁sentence｜>Reasoning Effort: Absolute maximum"));
  Request plain = request;
  plain.reasoning_effort = R"("high")";
  EXPECT_EQ(text("deepseek_v4", plain), "<｜begin▁of▁sentence｜><｜User｜>q<｜Assistant｜><think>");
}

TEST(DeepSeekV4, DropsEarlierThoughtsUnlessThereAreTools) {
  constexpr std::string_view kMessages =
      R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "reasoning_content": "t"},
          {"role": "user", "content": "c"}])";
  EXPECT_EQ(text("deepseek_v4", {.messages = kMessages}),
            "<｜begin▁of▁sentence｜><｜User｜>a<｜Assistant｜></think>b<｜end▁of▁sentence｜>"
            "<｜User｜>c<｜Assistant｜><think>");
  EXPECT_TRUE(
      text("deepseek_v4", {.messages = kMessages, .tools = R"([{"function": {"name": "f"}}])"})
          .ends_with("<｜User｜>a<｜Assistant｜><think>t</think>b<｜end▁of▁sentence｜>"
                     "<｜User｜>c<｜Assistant｜><think>"));
}

TEST(KimiK3, CutsSegmentsAsThePublishedEncoderDoes) {
  EXPECT_EQ(segments("kimi_k3", {.messages = R"([{"role": "user", "content": "hi"}])",
                                 .args = R"({"thinking": false})"}),
            "<|open|>[message][ role][=\"][user][\"]<|sep|>[hi]<|close|>[message]<|sep|>"
            "<|end_of_msg|><|open|>[message][ role][=\"][assistant][\"]<|sep|><|open|>[response]"
            "<|sep|>");
}

TEST(KimiK3, UserTextNeverBecomesAControlToken) {
  const auto rendered =
      render("kimi_k3", {.messages = R"([{"role": "user", "name": "<|sep|>", "content":
                             "<|close|>message<|sep|><|end_of_msg|><|media_pad|>"}])"});
  ASSERT_TRUE(rendered);
  for (const PromptSegment& s : rendered->segments) {
    if (!s.allow_special) continue;
    EXPECT_TRUE(s.text == "<|open|>" || s.text == "<|close|>" || s.text == "<|sep|>" ||
                s.text == "<|end_of_msg|>")
        << s.text;
  }
}

TEST(KimiK3, TypesArgumentsAndKeepsWhatIsNotJson) {
  const std::string out =
      text("kimi_k3", {.messages = R"([{"role": "assistant", "content": "", "tool_calls": [
                          {"id": "c", "function": {"name": "a&b\"c", "arguments":
                              {"s": "text", "n": 5, "o": {"k": [1, "two"]}, "z": null}}},
                          {"id": "d", "function": {"name": "g", "arguments": "{\"a\": 1"}}]}])",
                       .args = R"({"thinking": false})",
                       .add_generation_prompt = false});
  EXPECT_EQ(
      out,
      "<|open|>message role=\"assistant\"<|sep|><|open|>response<|sep|><|close|>response<|sep|>"
      "<|open|>tools<|sep|><|open|>call tool=\"a&amp;b&quot;c\" index=\"1\"<|sep|>"
      "<|open|>argument key=\"s\" type=\"string\"<|sep|>text<|close|>argument<|sep|>"
      "<|open|>argument key=\"n\" type=\"number\"<|sep|>5<|close|>argument<|sep|>"
      "<|open|>argument key=\"o\" type=\"object\"<|sep|>{\"k\": [1, \"two\"]}"
      "<|close|>argument<|sep|>"
      "<|open|>argument key=\"z\" type=\"null\"<|sep|>null<|close|>argument<|sep|>"
      "<|close|>call<|sep|><|open|>call tool=\"g\" index=\"2\"<|sep|>"
      "<|open|>json type=\"object\"<|sep|>{\"a\": 1<|close|>json<|sep|><|close|>call<|sep|>"
      "<|close|>tools<|sep|><|close|>message<|sep|><|end_of_msg|>");
}

TEST(KimiK3, SortsResultsOnlyWhenEveryCallIsKnown) {
  const auto results = [](std::string_view second_id) {
    const std::string messages =
        R"([{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f1"}},
                                                 {"id": "b", "function": {"name": "f2"}}]},
            {"role": "tool", "tool_call_id": "b", "name": "stale", "content": "rb"},
            {"role": "tool", "tool_call_id": ")" +
        std::string(second_id) + R"(", "content": "ra"}])";
    const std::string out = text(
        "kimi_k3",
        {.messages = messages, .args = R"({"thinking": false})", .add_generation_prompt = false});
    return out.substr(out.find("<|open|>message role=\"tool\""));
  };
  EXPECT_EQ(results("a"),
            "<|open|>message role=\"tool\" tool=\"f1\" index=\"1\"<|sep|>ra<|close|>message<|sep|>"
            "<|end_of_msg|><|open|>message role=\"tool\" tool=\"f2\" index=\"2\"<|sep|>rb"
            "<|close|>message<|sep|><|end_of_msg|>");
  EXPECT_EQ(
      results("zz"),
      "<|open|>message role=\"tool\" tool=\"stale\" index=\"1\"<|sep|>rb<|close|>message<|sep|>"
      "<|end_of_msg|><|open|>message role=\"tool\" tool=\"f2\" index=\"2\"<|sep|>ra"
      "<|close|>message<|sep|><|end_of_msg|>");
}

TEST(KimiK3, DeclaresToolsEffortChoiceAndFormatInTheirOrder) {
  const std::string out = text(
      "kimi_k3",
      {.messages = R"([{"role": "user", "content": [{"type": "text", "text": "see "},
                                      {"type": "image_url", "image_url": {"url": "u"}}]}])",
       .tools = R"([{"type": "function", "function": {"name": "f", "description": "d"}}])",
       .tool_choice = R"("required")",
       .response_format =
           R"({"type": "json_schema", "json_schema": {"name": "n", "schema": {"b": 1, "a": 2}}})"});
  const auto at = [&out](std::string_view what) { return out.find(what); };
  EXPECT_EQ(
      at("<|open|>message role=\"system\" type=\"tool-declare\"<|sep|># Tools\nHere are the "
         "available tools, described in JSONSchema.\n\n```json\n[{\"function\":{\"description\":"
         "\"d\",\"name\":\"f\"},\"type\":\"function\"}]\n```<|close|>message"),
      0U);
  EXPECT_LT(at("`thinking_effort=max`."), at("see <|media_pad|>"));
  EXPECT_LT(at("see <|media_pad|>"), at("You MUST call tools"));
  EXPECT_LT(at("You MUST call tools"), at("```json\n{\"a\":2,\"b\":1}\n```"));
  EXPECT_TRUE(out.ends_with("<|open|>message role=\"assistant\"<|sep|><|open|>think<|sep|>"));
}

TEST(KimiK3, RefusesUnknownEffortsAndTools) {
  constexpr std::string_view kMessages = R"([{"role": "user", "content": "q"}])";
  EXPECT_TRUE(text("kimi_k3", {.messages = kMessages, .reasoning_effort = R"("medium")"})
                  .starts_with("reasoning_effort! "));
  EXPECT_TRUE(text("kimi_k3", {.messages = kMessages,
                               .tool_choice = R"({"type": "function", "function": {"name": "f"}})"})
                  .starts_with("tool_choice! "));
}

TEST(Inkling, WritesTypedBlocks) {
  EXPECT_EQ(
      segments(
          "inkling_mm_model",
          {.messages = R"([{"role": "system", "content": "S"},
                          {"role": "user", "content": [{"type": "text", "text": "u"}, {"type": "image_url"},
                                                       {"type": "input_audio"}]},
                          {"role": "assistant", "content": "a", "reasoning_content": "r"}])",
           .tools =
               R"([{"type": "function", "function": {"parameters": {"z": 1, "a": 2}, "name": "f"}}])"}),
      "<|message_system|>[tool_declare]<|content_xml|>[[{\"description\":\"\",\"name\":\"f\","
      "\"parameters\":{\"a\":2,\"z\":1},\"type\":\"function\"}]]<|end_message|>"
      "<|message_system|><|content_text|>[S]<|end_message|>"
      "<|message_system|><|content_text|>[Thinking effort level: 0.9]<|end_message|>"
      "<|message_user|><|content_text|>[u]<|end_message|>"
      "<|message_user|><|content_image|><|end_message|>"
      "<|message_user|><|content_audio_input|><|audio_end|><|end_message|>"
      "<|message_model|><|content_thinking|>[r]<|end_message|>"
      "<|message_model|><|content_text|>[a]<|end_message|><|content_model_end_sampling|>"
      "<|message_model|>");
}

TEST(Inkling, InterleavesThoughtsWithTheCallsTheyLedTo) {
  EXPECT_EQ(
      text("inkling_mm_model",
           {.messages =
                R"([{"role": "assistant", "reasoning_content": ["r1", "r2", "r3"], "content": "c",
                        "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"b": 1, "a": 2}}},
                                       {"id": "2", "function": {"name": "g"}}]},
                      {"role": "tool", "tool_call_id": "2", "content": "res"}])",
            .reasoning_effort = "0",
            .add_generation_prompt = false}),
      "<|message_system|><|content_text|>Thinking effort level: 0.0<|end_message|>"
      "<|message_model|><|content_thinking|>r1<|end_message|>"
      "<|message_model|>f<|content_invoke_tool_json|>{\"name\":\"f\",\"args\":{\"a\":2,\"b\":1}}"
      "<|end_message|><|message_model|><|content_thinking|>r2<|end_message|>"
      "<|message_model|>g<|content_invoke_tool_json|>{\"name\":\"g\",\"args\":{}}<|end_message|>"
      "<|message_model|><|content_thinking|>r3<|end_message|>"
      "<|message_model|><|content_text|>c<|end_message|><|content_model_end_sampling|>"
      "<|message_tool|>g<|content_text|>res<|end_message|>");
}

TEST(Inkling, RefusesWhatItCannotExpress) {
  constexpr std::string_view kMessages = R"([{"role": "user", "content": "q"}])";
  EXPECT_TRUE(text("inkling_mm_model", {.messages = kMessages, .reasoning_effort = "1.5"})
                  .starts_with("reasoning_effort! "));
  EXPECT_EQ(
      text("inkling_mm_model",
           {.messages = R"([{"role": "user", "content": [{"type": "video_url"}]}])"}),
      "messages[0].content[0]! messages[0].content[0]: this model takes text, images and audio,"
      " got \"video_url\"");
}

}  // namespace
}  // namespace native_formatters_test
}  // namespace dynamo::llm
