// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/json.h>
#include <dynamo/parsers/output_parser.h>

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::parsers {
namespace output_parser_test {
namespace {

/// Events as one line: text as it is, {thoughts}, name(arguments), a `!` behind a call cut off.
std::string shown(const std::vector<Event>& events) {
  std::string out;
  EventKind last = EventKind::call_end;
  for (const Event& event : events) {
    if (event.kind == EventKind::reasoning && last != EventKind::reasoning) out += '{';
    if (event.kind != EventKind::reasoning && last == EventKind::reasoning) out += '}';
    if (event.kind == EventKind::call_end) out += event.complete ? ")" : ")!";
    out += event.text;
    if (event.kind == EventKind::call_start) out += '(';
    last = event.kind;
  }
  if (last == EventKind::reasoning) out += '}';
  return out;
}

std::string parse(const ParserOptions& options, std::string_view text,
                  OutputEnd end = OutputEnd::stop) {
  std::string first;
  for (const std::size_t size : {std::size_t{1}, std::size_t{3}, text.size() + 1}) {
    auto parser = OutputParser::create(options);
    if (!parser) return parser.error().message();
    std::vector<Event> events;
    for (std::size_t at = 0; at < text.size(); at += size)
      (*parser)->feed(text.substr(at, size), events);
    (*parser)->finish(events, end);
    const std::string line = shown(events);
    if (size == 1) first = line;
    EXPECT_EQ(line, first) << "pieces of " << size;
  }
  return first;
}

ParserOptions pair(std::string tool, std::string reasoning = {}) {
  return {.tool_parser = std::move(tool), .reasoning_parser = std::move(reasoning)};
}

class Weather {
 public:
  std::vector<ToolDefinition> tools{{.name = "get_weather", .parameters = &schema_},
                                    {.name = "ping"}};

 private:
  static inline const Json schema_ = *parse_json(
      R"({"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}}})");
};

TEST(OutputParser, NamesTheKnownParsersWhenItDoesNotKnowOne) {
  const auto parser = OutputParser::create(pair("nope"));
  ASSERT_FALSE(parser);
  EXPECT_EQ(parser.error().code(), Errc::invalid_argument);
  EXPECT_NE(parser.error().message().find("hermes, inkling"), std::string::npos);
}

TEST(OutputParser, DeliversTheNameBeforeTheArgumentsAreThere) {
  auto parser = *OutputParser::create(pair("hermes"));
  std::vector<Event> events;
  parser->feed("<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a", events);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].kind, EventKind::call_start);
  EXPECT_EQ(events[0].text, "f");
  EXPECT_EQ(events[1].text, "{\"a");
}

TEST(OutputParser, DeliversAWholeCallOnlyWhenAsked) {
  ParserOptions options = pair("hermes");
  options.delivery = CallDelivery::whole;
  auto parser = *OutputParser::create(options);
  std::vector<Event> events;
  parser->feed("<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\":1", events);
  EXPECT_TRUE(events.empty());
  parser->feed("}}", events);
  EXPECT_EQ(shown(events), "f({\"a\":1})");
}

TEST(OutputParser, StreamsStringsOfTagFamiliesAsTheyCome) {
  auto parser = *OutputParser::create(pair("qwen3_coder"));
  std::vector<Event> events;
  parser->feed("<tool_call>\n<function=write>\n<parameter=text>\nline one\nline", events);
  EXPECT_EQ(shown(events), "write({\"text\":\"line one\\nline");
}

TEST(OutputParser, ReleasesBracesInProseAtOnce) {
  auto parser = *OutputParser::create(pair("mistral"));
  std::vector<Event> events;
  parser->feed("a set {1, ", events);
  EXPECT_EQ(shown(events), "a set {1, ");
}

TEST(OutputParser, TellsBareJsonFromJsonInProse) {
  EXPECT_EQ(parse(pair("llama3_json"), R"({"name": "f", "parameters": {"a": 1}})"),
            R"(f({"a": 1}))");
  EXPECT_EQ(parse(pair("llama3_json"), R"(See {"key": [1], "name": "f"} and [2].)"),
            R"(See {"key": [1], "name": "f"} and [2].)");
  Weather weather;
  ParserOptions options = pair("llama3_json");
  options.tools = weather.tools;
  EXPECT_EQ(parse(options, R"({"name": "Bob", "parameters": {}})"),
            R"({"name": "Bob", "parameters": {}})");
}

TEST(OutputParser, SeparatesCallsOfOneTextBySemicolons) {
  EXPECT_EQ(
      parse(pair("llama3_json"),
            R"(<|python_tag|>{"name": "f", "parameters": {}}; {"name": "g", "parameters": {}} ok)"),
      "f({})g({}) ok");
}

TEST(OutputParser, AValueIsData) {
  EXPECT_EQ(
      parse(pair("hermes", "qwen3"),
            R"(<tool_call>{"name": "f", "arguments": {"a": "<think></tool_call>"}}</tool_call>)"),
      R"(f({"a": "<think></tool_call>"}))");
  EXPECT_EQ(parse(pair("qwen3_coder"),
                  "<tool_call><function=f><parameter=a>x</function></tool_call>y</parameter></"
                  "function></tool_call>"),
            R"(f({"a":"x</function></tool_call>y"}))");
}

TEST(OutputParser, MarkupInProseLosesOnlyTheMarker) {
  EXPECT_EQ(parse(pair("hermes"), "Use <tool_call> tags, then </tool_call>."), "Use tags, then .");
  EXPECT_EQ(parse(pair("phi4"), "import functools as f"), "import functools as f");
}

TEST(OutputParser, TextsAroundARemovedMarkerDoNotFormAnother) {
  EXPECT_EQ(parse(pair("hermes"), "a </tool_</tool_call>call> b"), "a </tool_ b");
  EXPECT_EQ(parse(pair("hermes"), "a </tool_</tool_call>box> b"), "a </tool_box> b");
  EXPECT_EQ(parse(pair("", "qwen3"), "</th</think>ink>"), "</th");
  EXPECT_EQ(
      parse(pair("hermes"), R"(<tool<tool_call>{"name": "f", "arguments": {}}</tool_call>_call>x)"),
      "<toolf({})x");
}

TEST(OutputParser, ACallThatIsCutOffEndsIncomplete) {
  EXPECT_EQ(
      parse(pair("qwen25"), R"(<tool_call>{"name": "f", "arguments": {"a": "b)", OutputEnd::length),
      R"(f({"a": "b)!)");
  EXPECT_EQ(
      parse(pair("hermes"), R"(<tool_call>{"name": "f", "arguments": {"a": "b)", OutputEnd::length),
      R"(f({"a": "b"}))");
  ParserOptions whole = pair("qwen25");
  whole.delivery = CallDelivery::whole;
  EXPECT_EQ(parse(whole, R"(a <tool_call>{"name": "f", "arguments": {"a": "b)", OutputEnd::length),
            "a ");
}

TEST(OutputParser, AnArgumentThatRunsIntoTheEndIsNotGuessed) {
  ParserOptions whole = pair("deepseek_v4");
  whole.delivery = CallDelivery::whole;
  EXPECT_EQ(parse(whole,
                  "<｜DSML｜tool_calls><｜DSML｜invoke name=\"f\"><｜DSML｜parameter name=\"a\" "
                  "string=\"true\">b"),
            "");
}

TEST(OutputParser, DropsFurtherCallsWhenParallelCallsAreOff) {
  ParserOptions options = pair("hermes");
  options.parallel_tool_calls = false;
  EXPECT_EQ(
      parse(
          options,
          R"(<tool_call>{"name": "f", "arguments": {}}</tool_call><tool_call>{"name": "g", "arguments": {}}</tool_call>)"),
      "f({})");
}

TEST(OutputParser, ReasoningBecomesContentWhenThereIsNoOther) {
  ParserOptions options = pair("", "deepseek_r1");
  options.reasoning_when_content_empty = true;
  EXPECT_EQ(parse(options, "only thoughts"), "only thoughts");
  EXPECT_EQ(parse(options, "thought</think>answer"), "{thought}answer");
}

TEST(OutputParser, GoesOnWithTheThoughtBehindACallInIt) {
  EXPECT_EQ(parse(pair("qwen3_coder", "qwen3"),
                  "<think>a<tool_call>\n<function=f>\n</function>\n</tool_call>b</think>c"),
            "{a}f({}){b}c");
  EXPECT_EQ(parse(pair("hermes", "qwen3"), "<think>a <tool_call> b</think>c"),
            "{a <tool_call> b}c");
}

TEST(OutputParser, ShowsTheTextOfAGlmCallThatTheLimitCutOff) {
  EXPECT_EQ(parse(pair("glm47"), "a <tool_call>get_we", OutputEnd::length), "a get_we");
  EXPECT_EQ(parse(pair("glm47"), "a <tool_call>get_we", OutputEnd::stop), "a ");
}

TEST(OutputParser, RecoversAGlmCallWithoutItsOpenerByTheToolsName) {
  Weather weather;
  ParserOptions options = pair("glm47");
  options.tools = weather.tools;
  EXPECT_EQ(parse(options,
                  "I will. get_weather<arg_key>days</arg_key><arg_value>3</arg_value></tool_call>"),
            R"(I will. get_weather({"days":3}))");
}

TEST(OutputParser, HarmonySeparatesChannels) {
  EXPECT_EQ(parse(pair("harmony", "gpt_oss"),
                  "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>analysis<|"
                  "message|>b<|end|>"
                  "<|start|>assistant<|channel|>commentary to=functions.f "
                  "<|constrain|>json<|message|>{ \"x\": 1 }<|call|>"
                  "<|start|>assistant<|channel|>final<|message|>c<|return|>"),
            "{a\nb}f({\"x\":1})c");
}

TEST(OutputParser, MuseSeparatesRecipients) {
  EXPECT_EQ(
      parse(pair("muse", "muse"),
            " to=self<|message|>a<|eom|><|start|>assistant to=functions<|message|><atem:invoke "
            "name=\"f\"><atem:parameter name=\"x\">1"
            "</atem:parameter></atem:invoke><|eom|><|start|>assistant to=user<|message|>b<|eot|>"),
      "{a}f({\"x\":\"1\"})b");
}

TEST(OutputParser, UnusualPairsAreReadOneAfterTheOther) {
  EXPECT_EQ(parse(pair("hermes", "gpt_oss"),
                  "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|"
                  "message|>b <tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>"),
            "{a}b f({})");
}

class Forced : public testing::Test {
 protected:
  ParserOptions named(std::string reasoning = {}) {
    ParserOptions options = pair("hermes", std::move(reasoning));
    options.tools = weather_.tools;
    options.tool_choice = ToolChoice::named;
    options.named_tool = "get_weather";
    options.guided_json = true;
    return options;
  }
  ParserOptions required() {
    ParserOptions options = named();
    options.tool_choice = ToolChoice::required;
    options.named_tool.clear();
    return options;
  }
  Weather weather_;
};

TEST_F(Forced, TheObjectItselfIsTheArgumentsOfTheNamedTool) {
  EXPECT_EQ(parse(named(), R"( {"city": "Paris"} )"), R"(get_weather({"city": "Paris"}))");
  EXPECT_EQ(parse(named(), "{}"), "get_weather({})");
}

TEST_F(Forced, ACallAroundTheArgumentsIsTakenOff) {
  EXPECT_EQ(parse(named(), R"({"name": "get_weather", "arguments": {"city": "Oslo"}})"),
            R"(get_weather({"city": "Oslo"}))");
  EXPECT_EQ(parse(named(), R"([{"name": "get_weather", "parameters": {"city": "Oslo"}}])"),
            R"(get_weather({"city": "Oslo"}))");
  EXPECT_EQ(parse(named(), R"({"name": "Oslo"})"), R"(get_weather({"name": "Oslo"}))");
}

TEST_F(Forced, CallsOfOtherToolsAreDropped) {
  EXPECT_EQ(
      parse(named(),
            R"([{"name": "ping", "parameters": {}}, {"name": "get_weather", "parameters": {}}])"),
      "get_weather({})");
  EXPECT_EQ(parse(named(), R"(<tool_call>{"name": "ping", "arguments": {}}</tool_call>)"), "");
}

TEST_F(Forced, RequiredReadsEveryCallOfTheArray) {
  EXPECT_EQ(
      parse(
          required(),
          R"([{"name": "ping", "parameters": {}}, {"name": "get_weather", "parameters": {"days": 2}}])"),
      R"(ping({})get_weather({"days": 2}))");
}

TEST_F(Forced, AnEngineThatIgnoresTheConstraintIsUnderstood) {
  EXPECT_EQ(parse(required(), R"(Sure. <tool_call>{"name": "ping", "arguments": {}}</tool_call>)"),
            "Sure. ping({})");
}

TEST_F(Forced, WhatIsNoCallIsTheAnswer) {
  EXPECT_EQ(parse(required(), "[1, 2] apples"), "[1, 2] apples");
  EXPECT_EQ(parse(required(), R"({"a": 1})"), R"({"a": 1})");
}

TEST_F(Forced, JsonBypassesAParserThatStartsInTheThought) {
  EXPECT_EQ(parse(named("deepseek_r1"), R"({"city": "<think>"})"),
            R"(get_weather({"city": "<think>"}))");
  EXPECT_EQ(parse(named("deepseek_r1"), R"(hm</think>{"city": "Oslo"})"),
            R"({hm}get_weather({"city": "Oslo"}))");
  EXPECT_EQ(parse(named("mistral"), R"([THINK]hm[/THINK]{"city": "Oslo"})"),
            R"({hm}get_weather({"city": "Oslo"}))");
}

}  // namespace
}  // namespace output_parser_test
}  // namespace dynamo::parsers
