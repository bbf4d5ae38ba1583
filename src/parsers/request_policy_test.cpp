// SPDX-License-Identifier: Apache-2.0
#include <dynamo/parsers/registry.h>
#include <dynamo/parsers/request_policy.h>

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::parsers {
namespace request_policy_test {
namespace {

Json json(std::string_view text) {
  return *parse_json(text);
}

struct Tools {
  Json schema = json(
      R"({"type":"object","properties":{"city":{"type":"string"}},"$defs":{"a":{"type":"string"}}})");
  Json other = json(R"({"type":"object","properties":{},"$defs":{"a":{"type":"integer"}}})");
  std::vector<ToolDefinition> list{{.name = "get_weather", .parameters = &schema},
                                   {.name = "ping"}};
};

TEST(PlanOutput, RunsNoParserForARequestWithoutTools) {
  const auto plan = plan_output({.tool_parser = "hermes", .reasoning_parser = {}});
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->options.tool_parser.empty());
  EXPECT_TRUE(plan->drop_calls);
  EXPECT_TRUE(plan->passthrough);
}

TEST(PlanOutput, KeepsKimiK3RunningForItsResponseChannel) {
  const auto plan = plan_output({.tool_parser = "kimi_k3", .reasoning_parser = "kimi_k3"});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->options.tool_parser, "kimi_k3");
  EXPECT_TRUE(plan->drop_calls);
}

TEST(PlanOutput, ChoiceNoneSwitchesCallsOff) {
  const Tools tools;
  const auto plan = plan_output({.tool_parser = "hermes",
                                 .reasoning_parser = "qwen3",
                                 .tools = tools.list,
                                 .tool_choice = ToolChoice::none});
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->options.tool_parser.empty());
  EXPECT_EQ(plan->options.reasoning_parser, "qwen3");
  EXPECT_TRUE(plan->drop_calls);
}

TEST(PlanOutput, FamiliesThatWriteCallsAsMessagesNeverShowThem) {
  for (const auto& [reasoning, tool] :
       {std::pair("gpt_oss", "harmony"), std::pair("inkling", "inkling"),
        std::pair("muse", "muse_glimmer")}) {
    const auto plan = plan_output({.tool_parser = {}, .reasoning_parser = reasoning});
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->options.tool_parser, tool);
    EXPECT_TRUE(plan->drop_calls);
  }
  const Tools tools;
  const auto none = plan_output({.tool_parser = "hermes",
                                 .reasoning_parser = "gpt_oss",
                                 .tools = tools.list,
                                 .tool_choice = ToolChoice::none});
  EXPECT_EQ(none->options.tool_parser, "harmony");
  const auto other =
      plan_output({.tool_parser = "hermes", .reasoning_parser = "gpt_oss", .tools = tools.list});
  EXPECT_EQ(other->options.tool_parser, "hermes");
}

TEST(PlanOutput, ForcedChoiceIsReadAsGuidedJsonUnlessAStructuralTagIsActive) {
  const Tools tools;
  OutputRequest request{.tool_parser = "hermes",
                        .reasoning_parser = {},
                        .tools = tools.list,
                        .tool_choice = ToolChoice::required};
  EXPECT_TRUE(plan_output(request)->options.guided_json);
  request.structural_tag_active = true;
  EXPECT_FALSE(plan_output(request)->options.guided_json);
}

TEST(PlanOutput, ForcedChoiceWorksWithoutAToolParser) {
  const Tools tools;
  const auto plan = plan_output({.tool_parser = {},
                                 .reasoning_parser = {},
                                 .tools = tools.list,
                                 .tool_choice = ToolChoice::named,
                                 .named_tool = "ping"});
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->passthrough);
  EXPECT_TRUE(plan->options.guided_json);
}

TEST(PlanOutput, RefusesAChoiceThatCannotBeMet) {
  const Tools tools;
  EXPECT_FALSE(plan_output(
      {.tool_parser = "hermes", .reasoning_parser = {}, .tool_choice = ToolChoice::required}));
  const auto missing = plan_output({.tool_parser = "hermes",
                                    .reasoning_parser = {},
                                    .tools = tools.list,
                                    .tool_choice = ToolChoice::named,
                                    .named_tool = "nope"});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message().find("nope"), std::string::npos);
  EXPECT_FALSE(plan_output({.tool_parser = "nope", .reasoning_parser = {}}));
  EXPECT_FALSE(plan_output({.tool_parser = "hermes",
                            .reasoning_parser = "kimi_k3",
                            .tools = tools.list,
                            .tool_choice = ToolChoice::named,
                            .named_tool = "ping"}));
}

TEST(PlanOutput, StartsInTheThoughtThatThePromptOpened) {
  OutputRequest request{.tool_parser = {},
                        .reasoning_parser = "qwen3",
                        .rendered_prompt = "<|im_start|>assistant\n<think>\n"};
  EXPECT_EQ(plan_output(request)->options.starting_state, StartingState::reasoning);
  request.rendered_prompt = "<|im_start|>assistant\n";
  EXPECT_EQ(plan_output(request)->options.starting_state, StartingState::unspecified);
  request.reasoning_parser = "minimax_m3";
  EXPECT_EQ(plan_output(request)->options.starting_state, StartingState::response);
}

TEST(PlanOutput, KeepsTheNemotronParserForItsOpenerWhenThinkingIsOff) {
  const Json off = json(R"({"enable_thinking":false})");
  const auto plan =
      plan_output({.tool_parser = {}, .reasoning_parser = "nemotron_nano", .template_args = &off});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->options.reasoning_parser, "nemotron_nano");
  EXPECT_EQ(plan->options.starting_state, StartingState::response);
}

TEST(ReasoningDisabled, FollowsEachFamilysOwnSwitch) {
  const Json on = json(R"({"thinking":true})");
  const Json off = json(R"({"enable_thinking":false})");
  const Json chat = json(R"({"thinking_mode":"chat"})");
  const Json disabled = json(R"({"thinking_mode":"disabled"})");
  EXPECT_TRUE(reasoning_disabled("kimi_k25", &off, {}));
  EXPECT_FALSE(reasoning_disabled("kimi_k25", nullptr, {}));
  EXPECT_TRUE(reasoning_disabled("deepseek_v3_1", nullptr, {}));
  EXPECT_FALSE(reasoning_disabled("deepseek_v3_1", &on, {}));
  EXPECT_TRUE(reasoning_disabled("deepseek_r1", &chat, {}));
  EXPECT_TRUE(reasoning_disabled("mistral", nullptr, {}));
  EXPECT_FALSE(reasoning_disabled("mistral", nullptr, "high"));
  EXPECT_TRUE(reasoning_disabled("minimax_m3", &disabled, {}));
  EXPECT_FALSE(reasoning_disabled("qwen3", &off, {}));
}

TEST(NormalizeThinkingArguments, FirstGivenSpellingDecides) {
  Json arguments = json(R"({"enable_thinking":"disabled","thinking_mode":"enabled"})");
  normalize_thinking_arguments("qwen3", false, arguments);
  EXPECT_EQ(arguments,
            json(R"({"enable_thinking":false,"thinking_mode":"disabled","thinking":false})"));
  Json number = json(R"({"thinking":1})");
  normalize_thinking_arguments("qwen3", false, number);
  EXPECT_EQ(number, json(R"({"thinking":true,"enable_thinking":true})"));
  Json word = json(R"({"thinking_mode":"adaptive"})");
  normalize_thinking_arguments("qwen3", false, word);
  EXPECT_EQ(word, json(R"({"thinking_mode":"adaptive"})"));
}

TEST(NormalizeThinkingArguments, ConstrainedMiniMaxM3DoesNotThinkUnlessAsked) {
  Json arguments = Json::object();
  normalize_thinking_arguments("minimax_m3", true, arguments);
  EXPECT_EQ(*arguments.find("thinking_mode"), Json("disabled"));
  Json asked = json(R"({"thinking":true})");
  normalize_thinking_arguments("minimax_m3", true, asked);
  EXPECT_EQ(*asked.find("thinking_mode"), Json("enabled"));
}

TEST(ForcedChoiceSchema, NamedIsTheToolsOwnSchema) {
  const Tools tools;
  EXPECT_EQ(**forced_choice_schema(tools.list, ToolChoice::named, "get_weather"), tools.schema);
  EXPECT_EQ(**forced_choice_schema(tools.list, ToolChoice::named, "ping"),
            json(R"({"type":"object","properties":{}})"));
  EXPECT_FALSE(forced_choice_schema(tools.list, ToolChoice::automatic, {})->has_value());
}

TEST(ForcedChoiceSchema, RequiredMergesDefinitionsAndRefusesContradictions) {
  Tools tools;
  const auto schema = forced_choice_schema(tools.list, ToolChoice::required, {});
  ASSERT_TRUE(schema);
  EXPECT_EQ(**schema, json(R"({"type":"array","minItems":1,"items":{"type":"object","anyOf":[
    {"properties":{"name":{"type":"string","enum":["get_weather"]},"parameters":{"type":"object","properties":{"city":{"type":"string"}}}},"required":["name","parameters"]},
    {"properties":{"name":{"type":"string","enum":["ping"]},"parameters":{"type":"object","properties":{}}},"required":["name","parameters"]}]},
    "$defs":{"a":{"type":"string"}}})"));
  tools.list[1].parameters = &tools.other;
  EXPECT_FALSE(forced_choice_schema(tools.list, ToolChoice::required, {}));
}

TEST(FinishReason, IsRepairedAfterCalls) {
  EXPECT_EQ(repaired_finish_reason("stop", true, false), "tool_calls");
  EXPECT_EQ(repaired_finish_reason("length", true, false), "length");
  EXPECT_EQ(repaired_finish_reason("tool_calls", true, true), "stop");
  EXPECT_EQ(repaired_finish_reason("stop", false, false), "stop");
}

TEST(Registry, KnowsEveryNameOfTheReference) {
  EXPECT_EQ(tool_parser_names().size(), 32U);  // 30 of the batch registry, muse and its alias
  for (const std::string_view name :
       {"hermes", "deepseek-v4", "minimax_m3_nom", "kimi-k3", "gemma-4", "muse"}) {
    EXPECT_TRUE(is_tool_parser(name)) << name;
  }
  EXPECT_FALSE(is_tool_parser("Hermes"));
  EXPECT_TRUE(is_reasoning_parser("DeepSeek_R1"));
  EXPECT_FALSE(is_reasoning_parser("nope"));
  EXPECT_TRUE(needs_special_tokens("kimi_k2", ""));
  EXPECT_TRUE(needs_special_tokens("hermes", "gpt_oss"));
  EXPECT_FALSE(needs_special_tokens("hermes", "qwen3"));
  ASSERT_EQ(tool_end_markers("harmony").size(), 1U);
  EXPECT_EQ(tool_end_markers("harmony")[0], "<|call|>");
}

}  // namespace
}  // namespace request_policy_test
}  // namespace dynamo::parsers
