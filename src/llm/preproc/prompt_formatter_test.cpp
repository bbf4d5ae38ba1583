// SPDX-License-Identifier: Apache-2.0
#include <dynamo/llm/preproc/prompt_formatter.h>

#include <string>

#include <gtest/gtest.h>

namespace dynamo::llm {
namespace prompt_formatter_test {
namespace {

constexpr std::string_view kChatMl =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

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
  std::string_view args = "null";
  bool continue_final_message = false;
};

std::string render(PromptFacts facts, const Request& request,
                   const PromptFormatterOptions& options = {}) {
  const auto formatter = make_prompt_formatter(facts, options);
  if (!formatter) return "compile: " + formatter.error().message();
  const Json messages = json(request.messages);
  const Json tools = json(request.tools);
  const Json choice = json(request.tool_choice);
  const Json args = json(request.args);
  ChatPrompt prompt{.messages = messages};
  prompt.tools = &tools;
  prompt.tool_choice = &choice;
  prompt.template_args = &args;
  prompt.continue_final_message = request.continue_final_message;
  const auto rendered = (*formatter)->render(prompt);
  return rendered ? rendered->text : rendered.error().param() + "! " + rendered.error().message();
}

std::string render(std::string_view source, const Request& request) {
  PromptFacts facts;
  facts.override_template(std::string(source));
  return render(facts, request);
}

TEST(JinjaFormatter, RendersMessagesAndAGenerationPrompt) {
  EXPECT_EQ(render(kChatMl, {.messages = R"([{"role": "user", "content": "Hi"}])"}),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
}

TEST(JinjaFormatter, GivesEverySpecialTokenTheModelHas) {
  PromptFacts facts;
  ASSERT_TRUE(facts.merge_tokenizer_config(json(
      R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "pad_token": null, "x_token": 1,
          "chat_template": "{{ bos_token }}{{ eos_token }}{{ pad_token }}|{{ tools is none }}"})")));
  EXPECT_EQ(render(facts, {.messages = "[]"}), "<s></s>|True");
}

TEST(JinjaFormatter, UsesToolUseOnlyForRequestsWithTools) {
  PromptFacts facts;
  ASSERT_TRUE(facts.merge_tokenizer_config(
      json(R"({"chat_template": [{"name": "default", "template": "plain"},
                                 {"name": "tool_use", "template": "{{ tools | length }} tools"}]})")));
  EXPECT_EQ(render(facts, {.messages = "[]"}), "plain");
  EXPECT_EQ(render(facts, {.messages = "[]", .tools = "[]"}), "plain");
  constexpr std::string_view kTools = R"([{"type": "function", "function": {"name": "f"}}])";
  EXPECT_EQ(render(facts, {.messages = "[]", .tools = kTools}), "1 tools");
  EXPECT_EQ(render(facts, {.messages = "[]", .tools = kTools, .tool_choice = R"("none")"}),
            "plain");
  EXPECT_EQ(render(facts, {.messages = "[]", .tools = kTools, .tool_choice = R"("none")"},
                   {.exclude_tools_when_tool_choice_none = false}),
            "1 tools");
}

TEST(JinjaFormatter, ATemplateGivenByTheUserWinsOverTheModels) {
  PromptFacts facts;
  facts.override_template("mine");
  ASSERT_TRUE(facts.merge_tokenizer_config(json(R"({"chat_template": "theirs"})")));
  EXPECT_EQ(render(facts, {.messages = "[]"}), "mine");
}

TEST(JinjaFormatter, TemplateArgumentsOverrideEverything) {
  EXPECT_EQ(render("{{ x }}{{ add_generation_prompt }}{{ messages }}",
                   {.messages = "[]",
                    .args = R"({"x": 1.5, "add_generation_prompt": false, "messages": "m"})"}),
            "1.5Falsem");
}

TEST(JinjaFormatter, RaisedTextReachesTheClient) {
  EXPECT_EQ(render("{{ raise_exception('roles must alternate') }}", {.messages = "[]"}),
            "! roles must alternate");
}

TEST(JinjaFormatter, ContinuesTheLastMessageWithoutItsEnd) {
  constexpr std::string_view kMessages =
      R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Well, "}])";
  EXPECT_EQ(render(kChatMl, {.messages = kMessages, .continue_final_message = true}),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nWell, ");
  EXPECT_EQ(render("{% for m in messages %}[{{ m.content | trim }}]{% endfor %}",
                   {.messages = kMessages, .continue_final_message = true}),
            "[Hi][Well,");
  EXPECT_EQ(render("x", {.messages = kMessages, .continue_final_message = true}),
            "continue_final_message! the chat template does not print the last message, so it "
            "cannot be continued");
}

TEST(PromptFacts, RefuseTemplatesOfAnotherShape) {
  PromptFacts facts;
  EXPECT_FALSE(facts.merge_tokenizer_config(json(R"({"chat_template": 5})")));
  EXPECT_FALSE(facts.merge_tokenizer_config(json(R"({"chat_template": [{"name": "a"}]})")));
  const auto none = make_prompt_formatter(facts);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Errc::not_found);
}

TEST(Normalization, JoinsTextPartsUnlessTheTemplateWalksThemOnly) {
  constexpr std::string_view kParts =
      R"([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}])";
  EXPECT_EQ(render("{% for m in messages %}{{ m.content }}{% endfor %}", {.messages = kParts}),
            "a\nb");
  constexpr std::string_view kWalks =
      "{% for m in messages %}{% for p in m.content %}[{{ p.text }}]{% endfor %}{% endfor %}";
  EXPECT_EQ(render(kWalks, {.messages = kParts}), "[a][b]");
  EXPECT_EQ(render(kWalks, {.messages = R"([{"role": "user", "content": "c"}])"}), "[c]");
}

TEST(Normalization, MediaPartsKeepTheirKindOnly) {
  EXPECT_EQ(render("{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}"
                   "{% for p in m.content %}{{ p | tojson }}{% endfor %}{% endif %}{% endfor %}",
                   {.messages = R"([{"role": "user", "content": [
                        {"type": "image_url", "image_url": {"url": "data:…"}},
                        {"type": "text", "text": "?"}]}])"}),
            R"({"type": "image"}{"type": "text", "text": "?"})");
}

TEST(Normalization, NumbersImagesWhereTheModelHasPlaceholders) {
  EXPECT_EQ(render("{% for m in messages %}{{ m.content }}<|end|><|assistant|>{% endfor %}",
                   {.messages = R"([{"role": "user", "content": [
                        {"type": "text", "text": "a"}, {"type": "image_url"},
                        {"type": "text", "text": "b"}, {"type": "image_url"}]}])"}),
            "a<|image_1|>b<|image_2|><|end|><|assistant|>");
}

constexpr std::string_view kCall =
    R"([{"role": "assistant", "tool_calls": [{"type": "function", "function":
        {"name": "f", "arguments": "{\"b\": 1, \"a\": [2.50], \"n\": 123456789012345678901234567890}"}}]}])";

TEST(Normalization, ParsesArgumentsUnlessTheTemplateTakesText) {
  EXPECT_EQ(
      render("{{ messages[0].tool_calls[0].function.arguments | tojson }}", {.messages = kCall}),
      R"({"b": 1, "a": [2.5], "n": "123456789012345678901234567890"})");
  EXPECT_EQ(render("{% set t = messages[0].tool_calls[0].function %}"
                   "{{ t.arguments if t.arguments is string else 'object' }}",
                   {.messages = kCall}),
            "{\"b\": 1, \"a\": [2.50], \"n\": 123456789012345678901234567890}");
}

TEST(Normalization, ArgumentsAreAnObjectOrAnErrorThatNamesThem) {
  const auto with = [](std::string_view arguments) {
    const std::string messages =
        R"([{"role": "assistant", "tool_calls": [{"function": {"name": "f",)"
        R"( "arguments": )" +
        std::string(arguments) + "}}]}]";
    return render("{{ messages[0].tool_calls[0].function.arguments }}", {.messages = messages});
  };
  EXPECT_EQ(with(R"("")"), "{}");
  EXPECT_EQ(with(R"("[1]")"), "{}");
  EXPECT_EQ(with(R"({"x": 1})"), "{'x': 1}");
  EXPECT_TRUE(with(R"("{\"x\": ")")
                  .starts_with("messages[0].tool_calls[0].function.arguments! "
                               "messages[0].tool_calls[0].function.arguments is not"
                               " valid JSON"));
}

TEST(Normalization, ReasoningGoesWhereTheTemplateLooks) {
  constexpr std::string_view kMessages =
      R"([{"role": "assistant", "content": "c", "reasoning_content": ["r1", "r2"]}])";
  EXPECT_EQ(render("{{ messages[0].content }}{{ messages[0].reasoning_content }}",
                   {.messages = kMessages}),
            "cr1\nr2");
  EXPECT_EQ(render("{{ messages[0] }}", {.messages = kMessages}),
            "{'role': 'assistant', 'content': '<think>r1</think><think>r2</think>c'}");
  EXPECT_EQ(render("{{ messages[0].thinking }}|{{ messages[0].content }}", {.messages = kMessages}),
            "r1\nr2|c");
}

TEST(Normalization, ToolsHaveADescriptionAndAnObjectSchema) {
  EXPECT_EQ(render("{{ tools | tojson }}",
                   {.messages = "[]",
                    .tools = R"([{"type": "function", "function": {"name": "f", "parameters": {}}},
                                 {"type": "function", "function": {"name": "g", "description": "d"}}])"}),
            R"([{"type": "function", "function": {"name": "f", "parameters": {"type": "object", )"
            R"("properties": {}}, "description": ""}}, {"type": "function", "function": )"
            R"({"name": "g", "description": "d"}}])");
}

TEST(PlainFormatter, IsTheFirstMessagesText) {
  const Json messages = json(R"([{"role": "user", "content": "Hi"}])");
  const auto rendered = make_plain_formatter()->render({.messages = messages});
  ASSERT_TRUE(rendered);
  EXPECT_EQ(rendered->text, "Hi");
  const Json none = json("[]");
  EXPECT_FALSE(make_plain_formatter()->render({.messages = none}));
}

}  // namespace
}  // namespace prompt_formatter_test
}  // namespace dynamo::llm
