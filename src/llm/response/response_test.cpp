// SPDX-License-Identifier: Apache-2.0
#include <dynamo/llm/preproc/preprocessor.h>
#include <dynamo/llm/response/response_pipeline.h>
#include <dynamo/openai/chat.h>
#include <dynamo/openai/completions.h>

#include <array>

#include <gtest/gtest.h>

#include "llm/response/chat_aggregator.h"
#include "llm/test_tokenizer.h"
#include "openai/recorded_traffic.h"

namespace dynamo::llm::response_test {
namespace {

using openai::recorded::text_at;
using Kind = FinishReason::Kind;

EngineOutput tokens(std::vector<TokenId> ids, std::optional<Kind> finish = std::nullopt,
                    std::uint32_t index = 0) {
  EngineOutput output;
  output.token_ids = std::move(ids);
  output.index = index;
  if (finish) output.finish_reason = FinishReason{.kind = *finish};
  return output;
}

EngineOutput text(std::string_view bytes, std::optional<Kind> finish = std::nullopt,
                  std::uint32_t index = 0) {
  return tokens(test::ids(bytes), finish, index);
}

struct Setup {
  std::string body;  ///< members of the request beside model and messages or prompt
  std::shared_ptr<ModelCard> card = test::byte_card();
  std::vector<std::string> prompts = {"Hey"};  ///< of a completion; one token per byte
  const Clock* clock = &Clock::system();
};

ResponseContext context_of(const Setup& setup) {
  ResponseContext context;
  context.request_id = "1";
  context.received_at = base::SystemTime(std::chrono::seconds(7));
  context.card = setup.card;
  context.clock = setup.clock;
  return context;
}

std::unique_ptr<ResponsePipeline> chat(const Setup& setup) {
  auto request = openai::parse_chat_request(
      R"({"model":"m","messages":[{"role":"user","content":"x"}])" + setup.body + "}");
  if (!request) ADD_FAILURE() << request.error().describe();
  if (auto valid = validate(*request); !valid) ADD_FAILURE() << valid.error().describe();
  Preprocessed prompt;
  prompt.prompt_tokens = 3;
  prompt.request.sampling_options.n = request->n;
  prompt.request.stop_conditions.stop_token_ids_hidden = {{test::kEndOfText}};
  if (!request->stop.empty()) prompt.request.stop_conditions.stop = request->stop;
  if (request->logprobs.value_or(false)) prompt.request.output_options.logprobs = 1;
  prompt.annotations = {{"token_ids", "\"[1]\""}};
  auto pipeline = make_chat_response(*request, prompt, context_of(setup));
  if (!pipeline) ADD_FAILURE() << pipeline.error().describe();
  return *std::move(pipeline);
}

std::unique_ptr<ResponsePipeline> completion(const Setup& setup) {
  Json list = Json::array();
  for (const std::string& prompt : setup.prompts) list.push_back(Json(prompt));
  auto request = openai::parse_completion_request(R"({"model":"m","prompt":)" + list.dump() +
                                                  setup.body + "}");
  if (!request) ADD_FAILURE() << request.error().describe();
  if (auto valid = validate(*request); !valid) ADD_FAILURE() << valid.error().describe();
  std::vector<Preprocessed> prompts;
  for (const std::string& prompt : setup.prompts) {
    Preprocessed& one = prompts.emplace_back();
    one.formatted_prompt = prompt;
    one.request.token_ids = test::ids(prompt);
    one.prompt_tokens = static_cast<std::uint32_t>(prompt.size());
    one.request.sampling_options.n = request->n;
    if (request->logprobs) one.request.output_options.logprobs = *request->logprobs;
  }
  auto pipeline = make_completion_response(*request, prompts, context_of(setup));
  if (!pipeline) ADD_FAILURE() << pipeline.error().describe();
  return *std::move(pipeline);
}

/// All bytes for the client, one output per batch.
std::string run(ResponsePipeline& pipeline, std::vector<EngineOutput> outputs) {
  std::string out;
  pipeline.begin(out);
  for (EngineOutput& output : outputs) {
    if (auto fed = pipeline.feed(0, {&output, 1}, out); !fed) return fed.error().describe();
  }
  if (auto done = pipeline.finish(0, out); !done) return done.error().describe();
  return out;
}

std::vector<Json> events(std::string_view stream) {
  std::vector<Json> all;
  while (!stream.empty()) {
    const std::size_t end = stream.find("\n\n");
    std::string_view event = stream.substr(0, end);
    stream.remove_prefix(end + 2);
    if (!event.starts_with("data: ")) continue;
    if (auto parsed = parse_json(event.substr(6))) all.push_back(*std::move(parsed));
  }
  return all;
}

std::string content(const std::vector<Json>& chunks, std::uint64_t index = 0) {
  std::string all;
  for (const Json& chunk : chunks) {
    const Json* choice = chunk.pointer("/choices/0");
    if (choice != nullptr && choice->find("index")->as_uint64() == index)
      all += text_at(*choice, "/delta/content");
  }
  return all;
}

std::string text_at_end(const Json& body) {
  return text_at(body, "/choices/0/finish_reason");
}

TEST(ChatResponse, TheRoleIsSaidOncePerChoice) {
  const auto pipeline = chat({.body = R"(,"stream":true,"n":2)"});
  const auto chunks = events(run(*pipeline, {text("a"), text("b", std::nullopt, 1),
                                             text("c", Kind::eos), text("d", Kind::length, 1)}));
  ASSERT_EQ(chunks.size(), 4U);
  EXPECT_EQ(text_at(chunks[0], "/choices/0/delta/role"), "assistant");
  EXPECT_EQ(text_at(chunks[1], "/choices/0/delta/role"), "assistant");
  EXPECT_EQ(chunks[2].pointer("/choices/0/delta/role"), nullptr);
  EXPECT_EQ(content(chunks, 0), "ac");
  EXPECT_EQ(content(chunks, 1), "bd");
  EXPECT_EQ(text_at_end(chunks[2]), "stop");
  EXPECT_EQ(text_at_end(chunks[3]), "length");
}

TEST(ChatResponse, OutputsWithoutAnythingToSayMakeNoChunk) {
  const auto pipeline = chat({.body = R"(,"stream":true)"});
  const auto chunks = events(run(*pipeline, {text("a"), tokens({0xE6}), tokens({0x97}),
                                             tokens({0xA5}), tokens({}), tokens({}, Kind::eos)}));
  ASSERT_EQ(chunks.size(), 3U);
  EXPECT_EQ(content(chunks), "a日");
}

TEST(ChatResponse, UsageComesOnceAndLast) {
  const auto pipeline =
      chat({.body = R"(,"stream":true,"stream_options":{"include_usage":true},"n":2)"});
  const auto chunks = events(run(*pipeline, {text("ab", Kind::eos), text("c", Kind::eos, 1)}));
  ASSERT_EQ(chunks.size(), 3U);
  EXPECT_EQ(chunks[0].find("usage"), nullptr);
  EXPECT_TRUE(chunks[2].find("choices")->if_array()->empty());
  EXPECT_EQ(chunks[2].find("usage")->dump(),
            R"({"prompt_tokens":3,"completion_tokens":3,"total_tokens":6})");
}

TEST(ChatResponse, ContinuousUsageIsOnEveryChunk) {
  const auto pipeline = chat(
      {.body =
           R"(,"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true})"});
  const auto chunks = events(run(*pipeline, {text("a"), text("b", Kind::eos)}));
  ASSERT_EQ(chunks.size(), 3U);
  EXPECT_EQ(chunks[0].pointer("/usage/completion_tokens")->as_uint64(), 1U);
  EXPECT_EQ(chunks[1].pointer("/usage/completion_tokens")->as_uint64(), 2U);
  EXPECT_EQ(chunks[2].pointer("/usage/completion_tokens")->as_uint64(), 2U);
}

TEST(ChatResponse, TheEnginesUsageTellsPromptAndCachedTokens) {
  const auto pipeline = chat({.body = ""});
  EngineOutput last = text("b", Kind::eos);
  last.completion_usage =
      CompletionUsage{.prompt_tokens = 100, .completion_tokens = 55, .total_tokens = 155};
  last.completion_usage->prompt_tokens_details = PromptTokensDetails{.cached_tokens = 96};
  const auto body = parse_json(run(*pipeline, {text("a"), last}));
  ASSERT_TRUE(body);
  EXPECT_EQ(
      body->find("usage")->dump(),
      R"({"prompt_tokens":100,"completion_tokens":2,"total_tokens":102,"prompt_tokens_details":{"cached_tokens":96}})");
  EXPECT_EQ(pipeline->stats().cached_tokens, 96U);
  EXPECT_EQ(pipeline->stats().prompt_tokens, 100U);
  EXPECT_EQ(pipeline->stats().completion_tokens, 2U);
}

TEST(ChatResponse, AnEngineErrorIsAnErrorBeforeAnyByte) {
  for (const std::string_view stream : {"true", "false"}) {
    const auto pipeline = chat({.body = R"(,"stream":)" + std::string(stream)});
    EngineOutput failed = text("a");
    failed.finish_reason = FinishReason{.kind = Kind::error, .message = "boom"};
    std::string out;
    const auto fed = pipeline->feed(0, {&failed, 1}, out);
    ASSERT_FALSE(fed);
    EXPECT_EQ(fed.error().backend_status(), 500);
    EXPECT_TRUE(out.empty());
  }
}

TEST(ChatResponse, AStreamThatFailsEndsWithTheErrorEventAndDone) {
  const auto pipeline = chat({.body = R"(,"stream":true)"});
  std::string out;
  pipeline->fail(out);
  EXPECT_EQ(out,
            "data: {\"error\":{\"message\":\"Internal server "
            "error\",\"type\":\"internal_server_error\",\"code\":500}}\n\n"
            "data: [DONE]\n\n");
  std::string unary;
  chat({.body = ""})->fail(unary);
  EXPECT_TRUE(unary.empty());
}

TEST(ChatResponse, AnnotationsPrecedeTheDataOfStreams) {
  const auto pipeline =
      chat({.body = R"(,"stream":true,"nvext":{"annotations":["token_ids","request_id"]})"});
  std::string out;
  pipeline->begin(out);
  EXPECT_EQ(out, "event: request_id\n: \"1\"\n\nevent: token_ids\n: \"[1]\"\n\n");
  std::string unary;
  chat({.body = R"(,"nvext":{"annotations":["token_ids"]})"})->begin(unary);
  EXPECT_TRUE(unary.empty());
}

TEST(ChatResponse, TheEngineIsStoppedWhenAStopStringEndedEveryChoice) {
  const auto pipeline = chat({.body = R"(,"stream":true,"n":2,"stop":"END")"});
  std::string out;
  std::vector<EngineOutput> batch{text("aEND")};
  ASSERT_TRUE(pipeline->feed(0, batch, out));
  EXPECT_FALSE(pipeline->engine_finished(0));
  batch = {text("b", Kind::length, 1)};
  ASSERT_TRUE(pipeline->feed(0, batch, out));
  EXPECT_TRUE(pipeline->engine_finished(0));
  EXPECT_EQ(content(events(out), 0), "a");
}

TEST(ChatResponse, LogprobsAreCutToWhatWasAskedFor) {
  for (const std::size_t asked : {0U, 1U}) {
    const auto pipeline =
        chat({.body = R"(,"logprobs":true,"top_logprobs":)" + std::to_string(asked)});
    EngineOutput one = text("a", Kind::eos);
    one.log_probs = {{-0.5}};
    one.top_logprobs = {{{{.rank = 1, .token_id = 'a', .logprob = -0.5},
                          {.rank = 2, .token_id = 'b', .logprob = -2}}}};
    const auto body = parse_json(run(*pipeline, {one}));
    ASSERT_TRUE(body);
    EXPECT_EQ(text_at(*body, "/choices/0/logprobs/content/0/token"), "a");
    EXPECT_EQ(body->pointer("/choices/0/logprobs/content/0/top_logprobs")->if_array()->size(),
              asked);
  }
}

TEST(ChatResponse, ExtraFieldsGoIntoNvext) {
  ManualClock clock;
  clock.set_system(base::SystemTime(std::chrono::seconds(7)));
  const auto pipeline = chat(
      {.body =
           R"(,"stream":true,"stop":"END","nvext":{"extra_fields":["worker_id","timing","completion_token_ids","stop_reason"]})",
       .clock = &clock});
  pipeline->set_worker_id(Json::object({{"decode_worker_id", Json(5)}}));
  std::string out;
  std::vector<EngineOutput> batch{text("a")};
  clock.advance(std::chrono::milliseconds(20));
  ASSERT_TRUE(pipeline->feed(0, batch, out));
  clock.advance(std::chrono::milliseconds(5));
  batch = {text("END")};
  ASSERT_TRUE(pipeline->feed(0, batch, out));
  ASSERT_TRUE(pipeline->finish(0, out));
  const auto chunks = events(out);
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_EQ(chunks[0].find("nvext")->dump(),
            R"({"worker_id":{"decode_worker_id":5},"completion_token_ids":[97]})");
  EXPECT_EQ(
      chunks[1].find("nvext")->dump(),
      R"({"worker_id":{"decode_worker_id":5},"timing":{"request_received_ms":7000,"ttft_ms":20.0,)"
      R"("total_time_ms":25.0},"stop_reason":"END","completion_token_ids":[69,78,68]})");
}

/// The same outputs streamed and unary: the chunks, folded, are the unary answer.
void expect_one_answer(const Setup& setup, const std::vector<EngineOutput>& outputs) {
  Setup streamed = setup;
  streamed.body += R"(,"stream":true)";
  const auto chunks = events(run(*chat(streamed), outputs));
  const auto body = parse_json(run(*chat(setup), outputs));
  ASSERT_TRUE(body);
  for (const Json& choice : *body->find("choices")->if_array()) {
    const auto index = *choice.find("index")->as_uint64();
    EXPECT_EQ(content(chunks, index), text_at(choice, "/message/content"));
  }
}

TEST(ChatResponse, UnaryAndStreamedAnswersAreTheSame) {
  expect_one_answer({.body = ""}, {text("Hello"), text(" wor"), text("ld", Kind::eos)});
  expect_one_answer({.body = R"(,"n":2,"stop":["lo"])"}, {text("Hel"), text("x", std::nullopt, 1),
                                                          text("lo"), text("y", Kind::length, 1)});
}

TEST(ChatResponse, AnEngineThatAnswersNothingMakesAnEmptyAnswer) {
  EXPECT_EQ(run(*chat({.body = R"(,"stream":true)"}), {}).substr(0, 6), "event:")
      << "the annotation";
  EXPECT_EQ(run(*chat({.body = ""}), {}),
            R"({"id":"","choices":[],"created":0,"model":"","object":"chat.completion"})");
}

TEST(ChatAggregator, CallsWithoutANameAreDropped) {
  detail::ChatAggregator aggregator;
  std::vector<openai::ChatDelta> deltas(2);
  deltas[0].tool_calls = {{.index = 0, .id = "call-1", .name = "f", .arguments = "{"}};
  deltas[1].tool_calls = {{.index = 0, .arguments = "}"}, {.index = 1, .arguments = "{}"}};
  aggregator.add(deltas);
  const auto choices = aggregator.take();
  ASSERT_EQ(choices.size(), 1U);
  ASSERT_EQ(choices[0].tool_calls.size(), 1U);
  EXPECT_EQ(choices[0].tool_calls[0].arguments, "{}");
}

TEST(CompletionResponse, EchoPrependsThePromptToEachChoice) {
  const auto body = parse_json(run(*completion({.body = R"(,"echo":true,"n":2)"}),
                                   {text(" a"), text(" b", Kind::eos, 1), text("!", Kind::eos)}));
  ASSERT_TRUE(body);
  EXPECT_EQ(text_at(*body, "/choices/0/text"), "Hey a!");
  EXPECT_EQ(text_at(*body, "/choices/1/text"), "Hey b");
  const auto chunks = events(run(*completion({.body = R"(,"echo":true,"stream":true)"}),
                                 {text(" a"), text("!", Kind::eos)}));
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_EQ(text_at(chunks[0], "/choices/0/text"), "Hey a");
  EXPECT_EQ(text_at(chunks[1], "/choices/0/text"), "!");
}

TEST(CompletionResponse, TextOffsetsCountCharacters) {
  EngineOutput one = text("aé", Kind::eos);
  one.log_probs = {{-1, -2, -3}};
  const auto body = parse_json(
      run(*completion({.body = R"(,"echo":true,"logprobs":0)", .prompts = {"Hé"}}), {one}));
  ASSERT_TRUE(body);
  const Json& logprobs = *body->pointer("/choices/0/logprobs");
  EXPECT_EQ(logprobs.find("token_logprobs")->dump(), "[null,null,null,-1.0,-2.0,-3.0]");
  EXPECT_EQ(logprobs.find("text_offset")->dump(), "[0,1,2,3,4,5]");
}

TEST(CompletionResponse, BatchesShiftTheIndexAndSumTheUsage) {
  for (const std::string_view stream : {"true", "false"}) {
    const auto pipeline =
        completion({.body = R"(,"n":2,"stream":)" + std::string(stream) +
                            (stream == "true" ? R"(,"stream_options":{"include_usage":true})" : ""),
                    .prompts = {"Hey", "You"}});
    std::string out;
    pipeline->begin(out);
    std::vector<EngineOutput> batch{text("c", Kind::eos, 1)};
    ASSERT_TRUE(pipeline->feed(1, batch, out));
    batch = {text("a", Kind::eos), text("b", Kind::eos, 1)};
    ASSERT_TRUE(pipeline->feed(0, batch, out));
    ASSERT_TRUE(pipeline->finish(1, out));
    ASSERT_TRUE(pipeline->finish(0, out));
    if (stream == "true") {
      const auto chunks = events(out);
      ASSERT_EQ(chunks.size(), 4U);
      EXPECT_EQ(chunks[0].pointer("/choices/0/index")->as_uint64(), 3U);
      EXPECT_EQ(chunks[2].pointer("/choices/0/index")->as_uint64(), 1U);
      EXPECT_EQ(chunks[3].pointer("/usage/prompt_tokens")->as_uint64(), 6U);
      EXPECT_TRUE(out.ends_with("data: [DONE]\n\n"));
    } else {
      const auto body = parse_json(out);
      ASSERT_TRUE(body);
      EXPECT_EQ(body->find("choices")->if_array()->size(), 3U);
      EXPECT_EQ(text_at(*body, "/choices/2/text"), "c");
      EXPECT_EQ(body->pointer("/usage/total_tokens")->as_uint64(), 9U);
    }
  }
}

}  // namespace
}  // namespace dynamo::llm::response_test
