// SPDX-License-Identifier: Apache-2.0
// Texts on which an earlier parser gave events that depended on how the text was cut. Found by
// ./x fuzz parsers; each is here under the reason.
#include <dynamo/base/json.h>
#include <dynamo/base/rng.h>
#include <dynamo/base/utf8.h>
#include <dynamo/parsers/output_parser.h>

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::parsers {
namespace chunking_test {
namespace {

/// Events joined, byte for byte.
std::string joined(const std::vector<Event>& events) {
  std::string out;
  EventKind last = EventKind::call_end;
  for (const Event& event : events) {
    const bool piece = event.kind != EventKind::call_start && event.kind != EventKind::call_end;
    if (!piece || event.kind != last) {
      out += "\n" + std::to_string(static_cast<int>(event.kind)) + (event.complete ? ": " : "! ");
    }
    out += event.text + event.id;
    last = event.kind;
  }
  return out;
}

/// `first` bytes, and the rest in pieces of `size`.
std::string parse(ParserOptions options, OutputEnd end, std::string_view text, std::size_t first,
                  std::size_t size) {
  base::Rng ids(7);
  options.rng = &ids;
  auto parser = OutputParser::create(options);
  if (!parser) return parser.error().message();
  std::vector<Event> events;
  (*parser)->feed(text.substr(0, first), events);
  for (std::size_t at = first; at < text.size(); at += size) {
    (*parser)->feed(text.substr(at, size), events);
  }
  (*parser)->finish(events, end);
  return joined(events);
}

void expect_same_in_every_cut(const ParserOptions& options, OutputEnd end, std::string_view text) {
  const std::string whole = parse(options, end, text, text.size(), 1);
  for (std::size_t size = 1; size < 8; ++size) {
    EXPECT_EQ(parse(options, end, text, 0, size), whole) << "pieces of " << size;
  }
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    EXPECT_EQ(parse(options, end, text, cut, text.size()), whole) << "cut at " << cut;
  }
}

const std::vector<ToolDefinition>& weather_tools() {
  static const auto* schema = new Json(*parse_json(
      R"({"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}}})"));
  static const auto* tools = new std::vector<ToolDefinition>{
      {.name = "get_weather", .parameters = schema}, {.name = "ping"}};
  return *tools;
}

TEST(Chunking, TextBeforeTheFirstBoundaryIsReadAsTextWhenTheOutputEnds) {
  ParserOptions options{.tool_parser = "minimax_m3", .reasoning_parser = "minimax_m3"};
  options.tools = weather_tools();
  options.guided_json = true;
  options.parallel_tool_calls = false;
  options.reasoning_when_content_empty = true;
  options.delivery = CallDelivery::whole;
  static constexpr char kText[] =
      "\v\0]<]minimax[>[<tool_(call>\n]<]min\5\0\0\0\0\0[<invoke nam%=\"get_weather\">\5\x1f"
      "]<]minimax[>[<cit+>S\xc3"
      "inimax[>[<t\x1d\n\0ool_(\5~}TOOLCALL>[{\"n<tool_caame\": "
      "\"get_wea/*\a\0\20Q\2\0arguments<lm>";
  const std::string text =
      std::string(kText, sizeof(kText) - 1) + std::string(73, '\xff') + "th\ni";
  expect_same_in_every_cut(options, OutputEnd::length, text);
}

// The first gave two different events for two cuts, the others are of the same kinds: limits that
// counted pieces, a false start given back without what had been read inside it, and a look back
// at text of the same feed only.
TEST(Chunking, FalseStartsAreGivenBackWhole) {
  for (const std::string_view text :
       {"functools functools x", R"(functools[{"name": "f", "arguments": {}}] functools x)",
        R"(functools functools[{"name": "f", "arguments": {}}])", "functools functool"}) {
    expect_same_in_every_cut({.tool_parser = "phi4"}, OutputEnd::stop, text);
  }
  expect_same_in_every_cut({.tool_parser = "kimi_k3", .reasoning_parser = "minimax-m3"},
                           OutputEnd::stop, "\x05\x10<|open|>tools<|sep|><|opmee");
  expect_same_in_every_cut({.tool_parser = "nemotron_nano", .reasoning_parser = "minimax_m3"},
                           OutputEnd::stop,
                           "<]minimax[>[<tool_call>\n]<]minimax[z[<invoke "
                           "name=\"get_weath<tool<tool_call>_ca\nfuncx[t");
}

TEST(Chunking, LimitsDoNotCountPieces) {
  for (const std::string_view tool : {"hermes", "qwen3_coder", "glm47", "kimi_k3", "harmony"}) {
    ParserOptions options{.tool_parser = std::string(tool)};
    options.held_bytes_limit = 64;
    options.tools = weather_tools();
    options.delivery = CallDelivery::whole;
    const std::string filler(150, 'a');
    for (const std::string& text :
         {"<tool_call>{\"parameters\": \"" + filler + "\", \"name\": \"ping\"}</tool_call>",
          "<tool_call><function=get_weather><parameter=days>" + filler +
              "</parameter></function></tool_call>",
          "<tool_call>get_weather<arg_key>days</arg_key><arg_value>" + filler +
              "</arg_value></tool_call>",
          "<|open|>call tool=\"ping\"<|sep|><|open|>argument key=\"a\"<|sep|>" + filler +
              "<|close|>argument<|sep|><|close|>call<|sep|>",
          "<|channel|>commentary<|message|>[" + filler + "<|end|>"}) {
      expect_same_in_every_cut(options, OutputEnd::length, text);
    }
  }
}

TEST(Chunking, GuidedOutputThatIsNoJsonIsRead) {
  ParserOptions options{.tool_parser = "hermes", .reasoning_parser = "inkling"};
  options.tools = weather_tools();
  options.tool_choice = ToolChoice::named;
  options.named_tool = "get_weather";
  options.guided_json = true;
  expect_same_in_every_cut(options, OutputEnd::stop,
                           "{\"cit\":  \"Paris{\",   \"Paris\x18\xa2\xff");
  options.tool_choice = ToolChoice::required;
  expect_same_in_every_cut(
      options, OutputEnd::stop,
      "[{\"name\": \"get_weather\", \"parameters\": {\"city\": \"x\"}}, {\"n\x06\n"
      "<|channel|>analysis<|message|>");
}

TEST(Chunking, CallsThatAreDroppedTakeNoIds) {
  expect_same_in_every_cut({.tool_parser = "muse", .reasoning_parser = "gpt_oss"}, OutputEnd::stop,
                           "<|channel|>commentary to=functions.f<|message|>{}<|call|>"
                           "to=message|>Hm.<atem:invoke name=\"g\"></atem:invoke>"
                           "<|channel|>commentary to=functions.f<|message|>{}<|call|>");
}

TEST(Chunking, AThoughtThatInterruptsACallComesBehindIt) {
  auto parser = *OutputParser::create({.tool_parser = "muse", .reasoning_parser = "basic"});
  std::vector<Event> events;
  parser->feed("<|message|><atem:invoke name=\"f\"><atem:parameter name=\"a\">b<think>c</think>",
               events);
  parser->finish(events, OutputEnd::stop);
  ASSERT_GE(events.size(), 2U);
  EXPECT_EQ(events[events.size() - 2].kind, EventKind::call_end);
  EXPECT_EQ(events.back().kind, EventKind::reasoning);
}

TEST(Chunking, LimitsCutNoCharacters) {
  ParserOptions options{.tool_parser = "pythonic"};
  options.held_bytes_limit = 64;
  options.tools = weather_tools();
  for (std::size_t pad = 0; pad < 4; ++pad) {
    std::string text = "[get_weather(city='" + std::string(pad, 'a');
    for (int i = 0; i < 40; ++i) text += "\xF0\x9F\x98\x80";
    EXPECT_TRUE(base::is_valid_utf8(parse(options, OutputEnd::stop, text, 0, 4)));
  }
}

std::string content_of(const ParserOptions& options, std::string_view text,
                       OutputEnd end = OutputEnd::stop) {
  auto parser = OutputParser::create(options);
  std::vector<Event> events;
  (*parser)->feed(text, events);
  (*parser)->finish(events, end);
  ParsedOutput output;
  fold_events(events, output);
  return output.content;
}

TEST(Markup, IsNotFormedByTextsAroundMarkup) {
  EXPECT_EQ(content_of({.tool_parser = "harmony"}, "a<|chan<|end|>nel|>b"), "a<|chanb");
  EXPECT_EQ(content_of({.tool_parser = "muse"}, "<|message|>a<|e<|eom|><|message|>om|>b"), "a<|eb");
  EXPECT_EQ(content_of({.tool_parser = "inkling"}, "a<|end_<|message_model|>message|>b"),
            "a<|end_b");
}

TEST(Markup, IsLeftOutOfACallThatIsShownAsText) {
  EXPECT_EQ(content_of({.tool_parser = "glm47", .reasoning_parser = "glm45"},
                       "<tool_call>f</think>b<tool_<arg_value>call>", OutputEnd::length),
            "fb<tool_");
}

TEST(Markup, OfAnotherSyntaxThanTheToolParsersIsLeftOut) {
  EXPECT_EQ(content_of({.tool_parser = "hermes", .reasoning_parser = "inkling"},
                       "<|message_model|>f<|content_invoke_tool_json|>{\"name\": \"f\", \"args\": "
                       "{}}<|end_message|>ok"),
            "ok");
}

TEST(Markup, OfHarmonyIsReadWhereForcedJsonIsBrokenOrHasEnded) {
  ParserOptions options{.tool_parser = "harmony", .reasoning_parser = "gpt_oss"};
  options.tools = weather_tools();
  options.tool_choice = ToolChoice::required;
  options.guided_json = true;
  for (const std::string_view text :
       {"{ no JSON <|channel|>final<|message|>a<|return|>",
        R"([{"name": "ping", "parameters": {}}]<|end|><|channel|>analysis<|message|>b<|end|>)",
        "<|channel|>commentary to=functions.ping<|message|>{}<|call|>"}) {
    EXPECT_FALSE(content_of(options, text).contains("<|"));
    expect_same_in_every_cut(options, OutputEnd::stop, text);
  }
}

}  // namespace
}  // namespace chunking_test
}  // namespace dynamo::parsers
