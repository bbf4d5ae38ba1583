// SPDX-License-Identifier: Apache-2.0
#include <dynamo/engines/replay/replay_engine.h>
#include <dynamo/runtime/context.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace dynamo::engines::replay {
namespace replay_engine_test {
namespace {

using Kind = llm::FinishReason::Kind;
using Ids = std::vector<llm::TokenId>;

/// Words by spaces; "<eos>" is special.
std::shared_ptr<const tokenizer::Tokenizer> words() {
  static const auto loaded = tokenizer::Tokenizer::from_json_text(R"({
    "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "paris": 1, "rome": 2, "rain": 3, "sun": 4, "weather": 5}},
    "pre_tokenizer": {"type": "WhitespaceSplit"},
    "added_tokens": [{"id": 6, "content": "<eos>", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}]})");
  return *loaded;
}

Result<Recording> parse(std::string_view text) {
  return Recording::parse(text, *words());
}

std::string error_of(std::string_view text) {
  const auto recording = parse(text);
  return recording ? std::string() : recording.error().message();
}

TEST(Recording, TextIsEncodedWithItsSpecialTokens) {
  const auto recording = parse(R"({"text": "rain rain<eos>"})");
  ASSERT_TRUE(recording) << recording.error().describe();
  EXPECT_EQ(recording->answers().front().tokens, (Ids{3, 3, 6}));
  EXPECT_EQ(recording->answers().front().finish, Kind::stop);
}

TEST(Recording, EveryMemberIsRead) {
  const auto recording = parse(
      "\n{\"match\": \"paris\", \"token_ids\": [4, 6], \"finish_reason\": \"length\", "
      "\"delay_ms\": 20}\r\n  \n");
  ASSERT_TRUE(recording) << recording.error().describe();
  ASSERT_EQ(recording->answers().size(), 1U);
  const Recording::Answer& answer = recording->answers().front();
  EXPECT_EQ(answer.match, "paris");
  EXPECT_EQ(answer.tokens, (Ids{4, 6}));
  EXPECT_EQ(answer.finish, Kind::length);
  EXPECT_EQ(answer.delay.count(), 20);
}

TEST(Recording, TheMatchThatStandsLatestDecides) {
  const auto recording = parse(R"({"match": "paris", "text": "sun"}
{"match": "rome", "text": "rain"}
{"match": "in rome", "text": "weather"}
{"text": "?"})");
  ASSERT_TRUE(recording) << recording.error().describe();
  const auto first_token = [&](std::string_view prompt) {
    return recording->find(prompt)->tokens.front();
  };
  EXPECT_EQ(first_token("rome then paris"), 4U);
  EXPECT_EQ(first_token("paris then rome"), 3U);
  EXPECT_EQ(first_token("rome, paris, in rome"), 5U);  // the longer of two that end together
  EXPECT_EQ(first_token("oslo"), 0U);
  EXPECT_EQ(parse(R"({"match": "paris", "text": "sun"})")->find("oslo"), nullptr);
}

TEST(Recording, MistakesAreNamedWithTheirLine) {
  const auto names = [](std::string_view text, std::string_view line, std::string_view what) {
    const std::string message = error_of(text);
    EXPECT_NE(message.find(line), std::string::npos) << message;
    EXPECT_NE(message.find(what), std::string::npos) << message;
  };
  names("", "", "no answer");
  names("\n\n{\"text\": \"sun\",}", "line 3", "");
  names("[1]", "line 1", "a JSON object, got array");
  names("{}", "line 1", "either `text` or `token_ids`");
  names(R"({"text": "sun", "token_ids": [1]})", "line 1", "either");
  names(R"({"text": 1})", "line 1", "`text`: expected a string");
  names(R"({"token_ids": 7})", "line 1", "an array");
  names(R"({"token_ids": [1, 7]})", "line 1", "ids below 7, got 7");
  names(R"({"token_ids": [-1]})", "line 1", "got -1");
  names(R"({"text": "sun", "finish_reason": "tool_calls"})", "line 1", "got \"tool_calls\"");
  names(R"({"text": "sun", "delay_ms": -1})", "line 1", "from 0 to 3600000");
  names(R"({"text": "sun", "delay": 1})", "line 1", "unknown member `delay`");
  names("{\"text\": \"sun\"}\n{\"text\": \"rain\"}", "line 2", "same `match`, \"\"");
  names(R"({"text": "sun", "match": ")" + std::string(1001, 'x') + "\"}", "line 1", "1000 bytes");
}

TEST(Recording, SizesAreLimited) {
  std::string many;
  for (std::size_t i = 0; i <= Recording::kAnswersMax; ++i)
    many += "{\"text\": \"sun\", \"match\": \"" + std::to_string(i) + "\"}\n";
  EXPECT_EQ(error_of(many), "line 1001: expected at most 1000 answers");

  std::string ids = "1";
  for (std::size_t i = 0; i < Recording::kAnswerTokensMax; ++i) ids += ",1";
  EXPECT_EQ(error_of("{\"token_ids\": [" + ids + "]}"),
            "line 1: expected an answer of at most 100000 tokens, got 100001");
}

using Answer = Result<std::vector<llm::EngineOutput>>;

boost::asio::awaitable<Answer> ask(ReplayEngine& engine, llm::PreprocessedRequest request) {
  DYN_CO_TRY(auto stream,
             co_await engine.generate(std::move(request), runtime::Context::create("test")));
  co_return co_await stream->next();
}

Answer answer_to(std::string_view recording, Ids prompt) {
  ReplayEngine engine(*parse(recording), words());
  llm::PreprocessedRequest request;
  request.token_ids = std::move(prompt);
  boost::asio::io_context io;
  std::optional<Answer> out;
  boost::asio::co_spawn(io, ask(engine, std::move(request)),
                        [&out](const std::exception_ptr& failure, Answer answer) {
                          if (!failure) out.emplace(std::move(answer));
                        });
  io.run();
  return std::move(*out);
}

TEST(ReplayEngine, AnswersTheEndOfThePrompt) {
  constexpr std::string_view kRecording = R"({"match": "paris", "text": "sun <eos>"}
{"match": "rome", "text": "rain <eos>", "finish_reason": "length"})";
  const auto answer = answer_to(kRecording, {1, 2, 5});
  ASSERT_TRUE(answer) << answer.error().describe();
  ASSERT_EQ(answer->size(), 2U);
  EXPECT_EQ(answer->front().token_ids, (Ids{3}));
  EXPECT_EQ(answer->back().token_ids, (Ids{6}));
  EXPECT_EQ(answer->back().finish_reason->kind, Kind::length);
  EXPECT_EQ(answer->back().completion_usage->prompt_tokens, 3U);

  const auto none = answer_to(kRecording, {5});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Errc::invalid_argument);
}

TEST(ReplayEngine, LooksAtTheLastTokensOnly) {
  Ids prompt(ReplayEngine::kMatchTokens + 1, 5);
  prompt.front() = 1;
  EXPECT_FALSE(answer_to(R"({"match": "paris", "text": "sun"})", prompt));
  prompt[1] = 1;
  EXPECT_TRUE(answer_to(R"({"match": "paris", "text": "sun"})", prompt));
}

TEST(ReplayEngine, AFileThatCannotBeReadIsNamed) {
  const auto engine = ReplayEngine::load("/nonexistent/answers.jsonl", words());
  ASSERT_FALSE(engine);
  EXPECT_NE(engine.error().message().find("/nonexistent/answers.jsonl"), std::string::npos);
}

}  // namespace
}  // namespace replay_engine_test
}  // namespace dynamo::engines::replay
