// SPDX-License-Identifier: Apache-2.0
#include <dynamo/openai/chat_response.h>
#include <dynamo/openai/completion_response.h>
#include <dynamo/openai/error.h>
#include <dynamo/openai/models.h>

#include <gtest/gtest.h>

#include "openai/recorded_traffic.h"

namespace dynamo::openai::response_test {
namespace {

ChatChunkWriter chat_writer() {
  return ChatChunkWriter({.id = "chatcmpl-1", .model = "m\"x", .created = 7});
}

template <class... Arguments>
std::string chat_chunk(const ChatDelta& delta, Arguments... arguments) {
  std::string out;
  chat_writer().append(out, delta, arguments...);
  return out;
}

constexpr std::string_view kTail =
    R"(],"created":7,"model":"m\"x","object":"chat.completion.chunk")";

std::string expected(std::string_view choice, std::string_view extra = {}) {
  std::string text = R"(data: {"id":"chatcmpl-1","choices":[)";
  return text.append(choice).append(kTail).append(extra).append("}\n\n");
}

TEST(ChatChunk, SaysOnlyWhatIsThere) {
  EXPECT_EQ(chat_chunk({.role = true, .content = "Hi\n"}),
            expected(R"({"index":0,"delta":{"content":"Hi\n","role":"assistant"},)"
                     R"("finish_reason":null,"logprobs":null})"));
  EXPECT_EQ(chat_chunk({.index = 3, .finish_reason = FinishReason::tool_calls}),
            expected(R"({"index":3,"delta":{},"finish_reason":"tool_calls","logprobs":null})"));
  EXPECT_EQ(chat_chunk({.reasoning = "hm"}),
            expected(R"({"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null,)"
                     R"("logprobs":null})"));
}

TEST(ChatChunk, ContentOnlyTakesTheShortWayToTheSameBytes) {
  for (const std::uint32_t index : {0U, 1U, 17U}) {
    std::string fast;
    chat_writer().append_content(fast, index, "a \"b\" \x01");
    EXPECT_EQ(fast, chat_chunk({.index = index, .content = "a \"b\" \x01"}));
  }
}

TEST(ChatChunk, ToolCallPiecesLeaveOutWhatTheyLack) {
  ChatDelta delta;
  delta.tool_calls.push_back({.index = 0, .id = "call-1", .name = "f", .arguments = ""});
  delta.tool_calls.push_back({.index = 1, .arguments = "{\"a\""});
  EXPECT_EQ(
      chat_chunk(delta),
      expected(R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"call-1","type":"function",)"
               R"("function":{"name":"f","arguments":""}},{"index":1,)"
               R"("function":{"arguments":"{\"a\""}}]},"finish_reason":null,)"
               R"("logprobs":null})"));
}

TEST(ChatChunk, LogprobsCarryBytes) {
  ChatDelta delta{.content = "é"};
  ChatLogprob entry{{.token = "é", .logprob = -0.1, .bytes = "\xC3\xA9", .token_id = {}}, {}};
  entry.top_logprobs.push_back(
      {.token = "e", .logprob = -2, .bytes = std::nullopt, .token_id = {}});
  delta.logprobs.push_back(entry);
  EXPECT_EQ(
      chat_chunk(delta),
      expected(R"({"index":0,"delta":{"content":"é"},"finish_reason":null,"logprobs":{"content":)"
               R"([{"token":"é","logprob":-0.1,"bytes":[195,169],"top_logprobs":[{"token":"e",)"
               R"("logprob":-2.0,"bytes":null}]}],"refusal":null}})"));
}

TEST(ChatChunk, UsageAndNvextFollowTheObject) {
  CompletionUsage usage{.prompt_tokens = 2, .completion_tokens = 3, .total_tokens = 5};
  usage.prompt_tokens_details = PromptTokensDetails{.cached_tokens = 0};
  std::string out;
  chat_writer().append_usage(out, usage, R"({"a":1})");
  EXPECT_EQ(out,
            expected("", R"(,"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5,)"
                         R"("prompt_tokens_details":{"cached_tokens":0}},"nvext":{"a":1})"));
  EXPECT_NE(chat_chunk({.content = "x"}, &usage).find("\"usage\":{\"prompt_tokens\":2"),
            std::string::npos);
}

// The recorded answers, read into our types and written again.
FinishReason finish_reason(const std::string& text) {
  for (const auto reason :
       {FinishReason::length, FinishReason::content_filter, FinishReason::tool_calls}) {
    if (to_string(reason) == text) return reason;
  }
  return FinishReason::stop;
}

std::optional<CompletionUsage> usage_of(const Json& body) {
  const Json* usage = body.find("usage");
  if (usage == nullptr || usage->is_null()) return std::nullopt;
  const auto number = [&](std::string_view name) {
    return static_cast<std::uint32_t>(*usage->find(name)->as_uint64());
  };
  CompletionUsage counts{.prompt_tokens = number("prompt_tokens"),
                         .completion_tokens = number("completion_tokens"),
                         .total_tokens = number("total_tokens")};
  if (const Json* cached = usage->pointer("/prompt_tokens_details/cached_tokens")) {
    counts.prompt_tokens_details =
        PromptTokensDetails{.cached_tokens = static_cast<std::uint32_t>(*cached->as_uint64())};
  }
  return counts;
}

std::string nvext_of(const Json& body) {
  const Json* nvext = body.find("nvext");
  return nvext != nullptr ? nvext->dump() : std::string();
}

std::uint32_t created_of(const Json& body) {
  return static_cast<std::uint32_t>(*body.find("created")->as_uint64());
}

std::string rewrite_chat_chunk(const Json& body) {
  const std::string id = recorded::text_at(body, "/id");
  const std::string model = recorded::text_at(body, "/model");
  const ChatChunkWriter writer({.id = id, .model = model, .created = created_of(body)});
  const auto usage = usage_of(body);
  std::string out;
  if (body.find("choices")->if_array()->empty()) {
    writer.append_usage(out, *usage, nvext_of(body));
    return out;
  }
  const Json& choice = body.find("choices")->if_array()->front();
  ChatDelta delta{.index = static_cast<std::uint32_t>(*choice.find("index")->as_uint64())};
  delta.role = choice.pointer("/delta/role") != nullptr;
  delta.content = recorded::text_at(choice, "/delta/content");
  const std::string reason = recorded::text_at(choice, "/finish_reason");
  if (!reason.empty()) delta.finish_reason = finish_reason(reason);
  writer.append(out, delta, usage ? &*usage : nullptr, nvext_of(body));
  return out;
}

std::string rewrite_completion_chunk(const Json& body) {
  const std::string id = recorded::text_at(body, "/id");
  const std::string model = recorded::text_at(body, "/model");
  const CompletionChunkWriter writer({.id = id, .model = model, .created = created_of(body)});
  const Json& choice = body.find("choices")->if_array()->front();
  CompletionDelta delta{.text = recorded::text_at(choice, "/text")};
  const std::string reason = recorded::text_at(choice, "/finish_reason");
  if (!reason.empty()) delta.finish_reason = finish_reason(reason);
  std::string out;
  writer.append(out, delta);
  if (reason.empty()) {
    std::string fast;
    writer.append_text(fast, 0, delta.text);
    EXPECT_EQ(fast, out);
  }
  return out;
}

std::string rewrite_chat_body(const Json& body) {
  ChatResponse response{.id = recorded::text_at(body, "/id"),
                        .model = recorded::text_at(body, "/model"),
                        .created = created_of(body),
                        .choices = {},
                        .usage = usage_of(body),
                        .nvext = nvext_of(body)};
  for (const Json& choice : *body.find("choices")->if_array()) {
    ChatChoice& one = response.choices.emplace_back();
    one.index = static_cast<std::uint32_t>(*choice.find("index")->as_uint64());
    one.content = recorded::text_at(choice, "/message/content");
    const std::string reason = recorded::text_at(choice, "/finish_reason");
    if (!reason.empty()) one.finish_reason = finish_reason(reason);
  }
  return chat_response_body(response);
}

std::string rewrite_completion_body(const Json& body) {
  CompletionResponse response{.id = recorded::text_at(body, "/id"),
                              .model = recorded::text_at(body, "/model"),
                              .created = created_of(body),
                              .choices = {},
                              .usage = usage_of(body),
                              .nvext = nvext_of(body)};
  for (const Json& choice : *body.find("choices")->if_array()) {
    CompletionDelta& one = response.choices.emplace_back();
    one.index = static_cast<std::uint32_t>(*choice.find("index")->as_uint64());
    one.text = recorded::text_at(choice, "/text");
    const std::string reason = recorded::text_at(choice, "/finish_reason");
    if (!reason.empty()) one.finish_reason = finish_reason(reason);
  }
  return completion_response_body(response);
}

std::size_t compare_recorded(const Json& one) {
  const std::string answer = recorded::text_at(one, "/http/response/text");
  if (!answer.starts_with("HTTP/1.1 200")) return 0;
  const bool chat =
      recorded::text_at(one, "/http/request/text").starts_with("POST /v1/chat/completions ");
  std::size_t compared = 0;
  for (const std::string& chunk : recorded::body_chunks(answer)) {
    const bool event = chunk.starts_with("data: ");
    if (!event && !chunk.starts_with("{")) continue;
    const auto body =
        parse_json(event ? std::string_view(chunk).substr(6) : std::string_view(chunk));
    if (!body || body->find("choices") == nullptr) continue;
    const std::string again =
        event ? (chat ? rewrite_chat_chunk(*body) : rewrite_completion_chunk(*body))
              : (chat ? rewrite_chat_body(*body) : rewrite_completion_body(*body));
    EXPECT_EQ(again, chunk) << recorded::text_at(one, "/case");
    ++compared;
  }
  return compared;
}

TEST(OpenAiResponse, RecordedAnswersAreWrittenByteForByte) {
  std::size_t compared = 0;
  for (const std::string_view file :
       {"tcp_json.json", "tcp_msgpack.json", "worker_python_engine.json", "disagg.json"}) {
    const auto cases = recorded::cases(file);
    if (!cases) GTEST_SKIP() << "recorded traffic is not in " << recorded::folder();
    for (const Json& one : *cases->if_array()) compared += compare_recorded(one);
  }
  EXPECT_GE(compared, 80U);
}

TEST(OpenAiResponse, RecordedModelsPageIsWrittenByteForByte) {
  const auto cases = recorded::cases("http_pages.json");
  if (!cases) GTEST_SKIP() << "recorded traffic is not in " << recorded::folder();
  for (const Json& one : *cases->if_array()) {
    if (recorded::text_at(one, "/case") != "models") continue;
    const std::string body = recorded::body(recorded::text_at(one, "/response/text"));
    const auto page = parse_json(body);
    ASSERT_TRUE(page);
    const Model model{
        .id = "qwen3",
        .created = static_cast<std::uint32_t>(*page->pointer("/data/0/created")->as_uint64()),
        .context_window = 4096,
        .max_output_tokens = {}};
    EXPECT_EQ(models_body({&model, 1}), body);
  }
  EXPECT_EQ(models_body({}), R"({"object":"list","data":[]})");
}

TEST(OpenAiResponse, ToolCallsAndReasoningOfUnaryAnswers) {
  ChatResponse response{
      .id = "c", .model = "m", .created = 1, .choices = {}, .usage = {}, .nvext = {}};
  ChatChoice& choice = response.choices.emplace_back();
  choice.reasoning = "hm";
  choice.tool_calls.push_back({.id = "call-1", .name = "f", .arguments = "{}"});
  choice.finish_reason = FinishReason::tool_calls;
  EXPECT_EQ(
      chat_response_body(response, "reasoning"),
      R"({"id":"c","choices":[{"index":0,"message":{"content":null,"refusal":null,"tool_calls":)"
      R"([{"id":"call-1","type":"function","function":{"name":"f","arguments":"{}"}}],)"
      R"("role":"assistant","reasoning":"hm"},"finish_reason":"tool_calls","logprobs":null}],)"
      R"("created":1,"model":"m","object":"chat.completion"})");
}

TEST(CompletionChunk, LogprobsAreFourLists) {
  const CompletionChunkWriter writer({.id = "cmpl-1", .model = "m", .created = 7});
  CompletionDelta delta{.text = "ab"};
  delta.logprobs.push_back(
      {.token = "a", .logprob = std::nullopt, .top_logprobs = {}, .text_offset = 0});
  delta.logprobs.push_back(
      {.token = "b",
       .logprob = -0.5,
       .top_logprobs = {{.token = "b", .logprob = -0.5, .bytes = "b", .token_id = {}}},
       .text_offset = 1});
  delta.logprobs.push_back(
      {.token = "c",
       .logprob = -3,
       .top_logprobs = {{.token = "b", .logprob = -0.5, .bytes = "b", .token_id = {}},
                        {.token = "b", .logprob = -2, .bytes = "b", .token_id = {}}},
       .text_offset = 2});
  std::string out;
  writer.append(out, delta);
  EXPECT_EQ(
      out,
      R"(data: {"id":"cmpl-1","choices":[{"text":"ab","index":0,"logprobs":{"tokens":["a","b","c"],)"
      R"("token_logprobs":[null,-0.5,-3.0],"top_logprobs":[null,{"b":-0.5},{"b":-0.5,"c":-3.0}],)"
      R"("text_offset":[0,1,2]}}],"created":7,"model":"m","system_fingerprint":null,)"
      R"("object":"text_completion","usage":null})"
      "\n\n");
}

TEST(ErrorBody, CarriesTheNestedObjectAndTheFlatKeys) {
  EXPECT_EQ(
      error_body(Error(Errc::not_found, "Model not found").with_reason("model_not_found")),
      R"({"error":{"message":"Model not found","type":"invalid_request_error","param":null,)"
      R"("code":"model_not_found"},"message":"Model not found","type":"Not Found","code":404})");
  EXPECT_EQ(
      error_body(Error(Errc::invalid_argument, "no").with_param("messages[0].content")),
      R"({"error":{"message":"no","type":"invalid_request_error","param":"messages[0].content",)"
      R"("code":null},"message":"no","type":"Bad Request","code":400})");
}

TEST(ErrorBody, FiveHundredsCarryTheRequestIdAndHideWhatABackendSays) {
  EXPECT_EQ(
      error_body(Error(Errc::internal, "secret").with_backend_status(500), {.request_id = "r1"}),
      R"({"error":{"message":"Internal server error","type":"server_error","param":null,"code":null},)"
      R"("message":"Internal server error","type":"Internal Server Error","code":500,)"
      R"("details":{"backend_status":500},"request_id":"r1"})");
  EXPECT_EQ(error_body(Error(Errc::overloaded, "busy"), {.overload_status = 503}),
            R"({"error":{"message":"busy","type":"server_error","param":null,"code":null},)"
            R"("message":"busy","type":"Overloaded","code":503})");
}

TEST(ErrorBody, TypesFollowTheStatus) {
  const std::vector<std::tuple<int, std::string_view, std::string_view>> rows{
      {400, "Bad Request", "invalid_request_error"},
      {401, "Unauthorized", "authentication_error"},
      {403, "Forbidden", "permission_error"},
      {404, "Not Found", "invalid_request_error"},
      {405, "Method Not Allowed", "invalid_request_error"},
      {413, "Payload Too Large", "invalid_request_error"},
      {415, "Unsupported Media Type", "invalid_request_error"},
      {422, "Unprocessable Entity", "invalid_request_error"},
      {429, "Too Many Requests", "rate_limit_error"},
      {499, "Client Closed Request", "invalid_request_error"},
      {500, "Internal Server Error", "server_error"},
      {501, "Not Implemented", "server_error"},
      {503, "Service Unavailable", "server_error"},
      {529, "Overloaded", "server_error"},
      {599, "UnknownError", "server_error"}};
  for (const auto& [status, flat, nested] : rows) {
    EXPECT_EQ(error_type(status), flat);
    EXPECT_EQ(openai_error_type(status), nested);
  }
}

TEST(ErrorBody, StatusesOfBackends) {
  EXPECT_EQ(error_status(Error(Errc::internal, "").with_backend_status(429)), 429);
  EXPECT_EQ(error_status(Error(Errc::internal, "").with_backend_status(503)), 503);
  EXPECT_EQ(error_status(Error(Errc::internal, "").with_backend_status(529)), 529);
  EXPECT_EQ(error_status(Error(Errc::internal, "").with_backend_status(502)), 500);
  EXPECT_EQ(error_status(Error(Errc::internal, "").with_backend_status(200)), 500);
  EXPECT_EQ(error_status(Error(Errc::invalid_argument, "")), 400);
}

TEST(Annotation, LineBreaksInACommentBecomeSpaces) {
  std::string out = "x";
  append_annotation_event(out, "token_ids", "\"a\nb\r\"");
  EXPECT_EQ(out, "xevent: token_ids\n: \"a b \"\n\n");
}

}  // namespace
}  // namespace dynamo::openai::response_test
