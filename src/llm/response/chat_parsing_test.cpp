// SPDX-License-Identifier: Apache-2.0
#include <dynamo/llm/preproc/preprocessor.h>
#include <dynamo/llm/response/response_pipeline.h>
#include <dynamo/openai/chat.h>

#include <gtest/gtest.h>

#include "llm/test_tokenizer.h"
#include "openai/recorded_traffic.h"

/// Tool calls and reasoning on their way through the response stages.
namespace dynamo::llm::chat_parsing_test {
namespace {

using openai::recorded::text_at;
using Kind = FinishReason::Kind;

constexpr std::string_view kTools =
    R"(,"tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object",)"
    R"("properties":{"city":{"type":"string"}}}}}])";

struct Setup {
  std::string members;
  std::string tool_parser = "hermes";
  std::string reasoning_parser;
  Kind finish = Kind::eos;
  std::uint8_t n = 1;
};

/// An answer put together from its chunks, or from its body.
struct Answer {
  std::string content;
  std::string reasoning;
  std::string calls;  ///< "name(arguments)" one after the other
  std::string finish_reason;
  bool operator==(const Answer&) const = default;
};
void PrintTo(const Answer& answer, std::ostream* out) {
  *out << answer.content << " | " << answer.reasoning << " | " << answer.calls << " | "
       << answer.finish_reason;
}

std::unique_ptr<ResponsePipeline> pipeline(const Setup& setup, bool stream) {
  auto request =
      openai::parse_chat_request(R"({"model":"m","messages":[{"role":"user","content":"x"}])" +
                                 setup.members + (stream ? R"(,"stream":true})" : "}"));
  if (!request) ADD_FAILURE() << request.error().describe();
  auto card = test::byte_card();
  if (!setup.tool_parser.empty()) card->runtime_config.tool_call_parser = setup.tool_parser;
  if (!setup.reasoning_parser.empty())
    card->runtime_config.reasoning_parser = setup.reasoning_parser;
  Preprocessed prompt;
  prompt.prompt_tokens = 1;
  prompt.formatted_prompt = "<|im_start|>assistant\n";
  prompt.request.sampling_options.n = setup.n;
  prompt.request.stop_conditions.stop_token_ids_hidden = {{test::kEndOfText}};
  ResponseContext context{.request_id = "1", .card = card};
  auto made = make_chat_response(*request, prompt, context);
  if (!made) {
    ADD_FAILURE() << made.error().describe();
    return nullptr;
  }
  return *std::move(made);
}

std::string run(const Setup& setup, std::string_view text, const std::vector<std::size_t>& cuts,
                bool stream) {
  auto stages = pipeline(setup, stream);
  std::string out;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t end = i < cuts.size() ? cuts[i] : text.size();
    EngineOutput output;
    output.token_ids = test::ids(text.substr(begin, end - begin));
    if (i == cuts.size()) output.finish_reason = FinishReason{.kind = setup.finish};
    begin = end;
    if (auto fed = stages->feed(0, {&output, 1}, out); !fed)
      ADD_FAILURE() << fed.error().describe();
  }
  if (auto done = stages->finish(0, out); !done) ADD_FAILURE() << done.error().describe();
  return out;
}

Answer from_body(const std::string& text) {
  const auto body = parse_json(text);
  if (!body) ADD_FAILURE() << text;
  const Json& choice = *body->pointer("/choices/0");
  Answer answer{.content = text_at(choice, "/message/content"),
                .reasoning = text_at(choice, "/message/reasoning_content"),
                .finish_reason = text_at(choice, "/finish_reason")};
  if (const Json* calls = choice.pointer("/message/tool_calls")) {
    for (const Json& call : *calls->if_array()) {
      EXPECT_FALSE(text_at(call, "/id").empty());
      answer.calls +=
          text_at(call, "/function/name") + "(" + text_at(call, "/function/arguments") + ")";
    }
  }
  return answer;
}

Answer from_stream(std::string_view stream) {
  Answer answer;
  std::vector<std::pair<std::string, std::string>> calls;
  while (!stream.empty()) {
    const std::size_t end = stream.find("\n\n");
    const auto chunk = parse_json(stream.substr(6, end - 6));
    stream.remove_prefix(end + 2);
    if (!chunk) continue;
    EXPECT_TRUE(answer.finish_reason.empty()) << "a chunk behind the finish reason";
    const Json& choice = *chunk->pointer("/choices/0");
    answer.content += text_at(choice, "/delta/content");
    answer.reasoning += text_at(choice, "/delta/reasoning_content");
    answer.finish_reason += text_at(choice, "/finish_reason");
    const Json* pieces = choice.pointer("/delta/tool_calls");
    if (pieces == nullptr) continue;
    for (const Json& piece : *pieces->if_array()) {
      const auto index = *piece.find("index")->as_uint64();
      if (index >= calls.size()) {
        calls.resize(index + 1);
        EXPECT_FALSE(text_at(piece, "/id").empty()) << "the first piece has the id";
        EXPECT_EQ(text_at(piece, "/type"), "function");
      }
      calls[index].first += text_at(piece, "/function/name");
      calls[index].second += text_at(piece, "/function/arguments");
    }
  }
  for (const auto& [name, arguments] : calls) answer.calls += name + "(" + arguments + ")";
  return answer;
}

/// The answer, which must not depend on cuts nor on whether it is streamed.
Answer answer(const Setup& setup, std::string_view text) {
  const Answer whole = from_body(run(setup, text, {}, false));
  EXPECT_EQ(from_stream(run(setup, text, {}, true)), whole);
  std::vector<std::size_t> singles;
  for (std::size_t i = 1; i < text.size(); ++i) {
    EXPECT_EQ(from_stream(run(setup, text, {i}, true)), whole) << "cut at " << i;
    singles.push_back(i);
  }
  EXPECT_EQ(from_stream(run(setup, text, singles, true)), whole);
  EXPECT_EQ(from_body(run(setup, text, singles, false)), whole);
  return whole;
}

constexpr std::string_view kCall =
    "Let me look.\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": "
    "\"Oslo\"}}\n</tool_call>";

TEST(ChatParsing, ACallIsNoContentAndChangesTheFinishReason) {
  const Answer seen = answer({.members = std::string(kTools)}, kCall);
  EXPECT_EQ(seen.content.find("<tool_call>"), std::string::npos);
  EXPECT_EQ(seen.content.substr(0, 12), "Let me look.");
  EXPECT_EQ(seen.calls, R"(get_weather({"city": "Oslo"}))");
  EXPECT_EQ(seen.finish_reason, "tool_calls");
}

TEST(ChatParsing, LengthIsKeptAsTheReason) {
  const Answer seen = answer({.members = std::string(kTools), .finish = Kind::length}, kCall);
  EXPECT_EQ(seen.finish_reason, "length");
}

TEST(ChatParsing, OnlyACompleteCallIsAReason) {
  const struct Setup setup{.members = std::string(kTools), .tool_parser = "glm47"};
  const std::string torn = "<tool_call>get_weather<arg_key>city</arg_key><arg_value>Os";
  EXPECT_EQ(answer(setup, torn).finish_reason, "stop");
  EXPECT_EQ(answer(setup, torn + "lo</arg_value></tool_call>" + torn).finish_reason, "tool_calls");
}

TEST(ChatParsing, WithoutToolsOrWithChoiceNoneThereAreNoCalls) {
  EXPECT_TRUE(answer({.members = ""}, kCall).calls.empty());
  const Answer none = answer({.members = std::string(kTools) + R"(,"tool_choice":"none")"}, kCall);
  EXPECT_TRUE(none.calls.empty());
  EXPECT_EQ(none.finish_reason, "stop");
}

TEST(ChatParsing, TwoCallsGetTwoIndexesAndOneIfParallelCallsAreOff) {
  const std::string two = std::string(kCall) +
                          "\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": "
                          "\"Rome\"}}\n</tool_call>";
  EXPECT_EQ(answer({.members = std::string(kTools)}, two).calls,
            R"(get_weather({"city": "Oslo"})get_weather({"city": "Rome"}))");
  EXPECT_EQ(answer({.members = std::string(kTools) + R"(,"parallel_tool_calls":false)"}, two).calls,
            R"(get_weather({"city": "Oslo"}))");
}

TEST(ChatParsing, ReasoningGoesIntoItsOwnMember) {
  const Answer seen = answer({.members = "", .tool_parser = "", .reasoning_parser = "qwen3"},
                             "<think>\nIs it Paris? Yes.\n</think>\n\nParis.");
  EXPECT_NE(seen.reasoning.find("Is it Paris? Yes."), std::string::npos);
  EXPECT_NE(seen.content.find("Paris."), std::string::npos);
  EXPECT_EQ(seen.content.find("think>"), std::string::npos);
  EXPECT_EQ(seen.finish_reason, "stop");
}

TEST(ChatParsing, AJsonAnswerBeginsAtItsFirstBrace) {
  const std::string format = R"(,"response_format":{"type":"json_object"})";
  EXPECT_EQ(answer({.members = format, .tool_parser = {}, .reasoning_parser = "qwen3"},
                   "<think>hm</think>\n\n {\"a\": 1}\n")
                .content,
            "{\"a\": 1}\n");
  EXPECT_EQ(answer({.members = format, .tool_parser = {}}, "\n[1]").content, "[1]");
  EXPECT_EQ(answer({.tool_parser = {}}, "\n[1]").content, "\n[1]");
}

TEST(ChatParsing, ReasoningAndCallsTogether) {
  const Answer seen = answer({.members = std::string(kTools), .reasoning_parser = "qwen3"},
                             "<think>hm</think>" + std::string(kCall));
  EXPECT_NE(seen.reasoning.find("hm"), std::string::npos);
  EXPECT_EQ(seen.calls, R"(get_weather({"city": "Oslo"}))");
}

TEST(ChatParsing, ReasoningTokensAreCounted) {
  const auto body = parse_json(run({.members = "", .tool_parser = "", .reasoning_parser = "qwen3"},
                                   "<think>hm</think>x", {9, 17}, false));
  ASSERT_TRUE(body);
  const Json* tokens = body->pointer("/usage/completion_tokens_details/reasoning_tokens");
  ASSERT_NE(tokens, nullptr) << body->dump();
  EXPECT_GT(tokens->as_uint64().value_or(0), 0U);
}

TEST(ChatParsing, ParsersAreNotSharedBetweenChoices) {
  auto stages = pipeline({.members = std::string(kTools) + R"(,"n":2)", .n = 2}, false);
  std::string out;
  const std::string_view other = "plain text, nothing else, for the second one";
  for (std::size_t i = 0; i < kCall.size(); ++i) {
    std::vector<EngineOutput> batch(i < other.size() ? 2 : 1);
    batch[0].token_ids = test::ids(kCall.substr(i, 1));
    if (i < other.size()) {
      batch[1].index = 1;
      batch[1].token_ids = test::ids(other.substr(i, 1));
    }
    ASSERT_TRUE(stages->feed(0, batch, out));
  }
  std::vector<EngineOutput> ends(2);
  ends[0].finish_reason = ends[1].finish_reason = FinishReason{.kind = Kind::eos};
  ends[1].index = 1;
  ASSERT_TRUE(stages->feed(0, ends, out));
  ASSERT_TRUE(stages->finish(0, out));
  const auto body = parse_json(out);
  ASSERT_TRUE(body);
  EXPECT_EQ(text_at(*body, "/choices/0/finish_reason"), "tool_calls");
  EXPECT_EQ(text_at(*body, "/choices/1/message/content"), other);
  EXPECT_EQ(text_at(*body, "/choices/1/finish_reason"), "stop");
}

TEST(ChatParsing, AnUnknownParserIsRefusedNotIgnored) {
  auto request = openai::parse_chat_request(
      R"({"model":"m","messages":[{"role":"user","content":"x"}])" + std::string(kTools) + "}");
  auto card = test::byte_card();
  card->runtime_config.tool_call_parser = "no_such_parser";
  Preprocessed prompt;
  ResponseContext context{.request_id = "1", .card = card};
  const auto made = make_chat_response(*request, prompt, context);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), Errc::invalid_argument);
}

}  // namespace
}  // namespace dynamo::llm::chat_parsing_test
