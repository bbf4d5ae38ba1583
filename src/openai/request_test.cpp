// SPDX-License-Identifier: Apache-2.0
#include <dynamo/openai/chat.h>
#include <dynamo/openai/completions.h>

#include <gtest/gtest.h>

#include "openai/recorded_traffic.h"

namespace dynamo::openai::request_test {
namespace {

Result<void> check(std::string_view endpoint, std::string_view body) {
  if (endpoint == "chat") {
    DYN_TRY(const ChatRequest request, parse_chat_request(body));
    return validate(request);
  }
  DYN_TRY(const CompletionRequest request, parse_completion_request(body));
  return validate(request);
}

ChatRequest chat(std::string_view members) {
  auto request = parse_chat_request(
      std::string(R"({"model":"m","messages":[{"role":"user","content":"x"}])").append(members) +
      "}");
  if (!request) ADD_FAILURE() << request.error().describe();
  const auto valid = validate(*request);
  if (!valid) ADD_FAILURE() << valid.error().describe();
  return *std::move(request);
}

TEST(OpenAiRequest, EveryBadRequestIsRefusedNamingItsField) {
  const auto text = base::read_file(std::filesystem::path(DYNAMO_SOURCE_DIR) /
                                    "src/openai/testdata/bad_requests.json");
  ASSERT_TRUE(text) << text.error().describe();
  const auto cases = parse_json(*text);
  ASSERT_TRUE(cases) << cases.error().describe();
  for (const Json& one : *cases->if_array()) {
    SCOPED_TRACE(recorded::text_at(one, "/case"));
    const Json* body = one.find("body");
    const auto result = check(recorded::text_at(one, "/endpoint"),
                              body != nullptr ? body->dump() : recorded::text_at(one, "/text"));
    if (result) {
      ADD_FAILURE() << "accepted";
      continue;
    }
    const Error& error = result.error();
    const bool unimplemented = recorded::text_at(one, "/code") == "unimplemented";
    EXPECT_EQ(error.code(), unimplemented ? Errc::unimplemented : Errc::invalid_argument);
    EXPECT_EQ(error.param(), recorded::text_at(one, "/param"));
    if (one.find("message") != nullptr)
      EXPECT_EQ(error.message(), recorded::text_at(one, "/message"));
    EXPECT_EQ(error.message().find(recorded::text_at(one, "/starts")), 0U) << error.message();
    EXPECT_NE(error.message().find(recorded::text_at(one, "/contains")), std::string::npos)
        << error.message();
  }
}

// Without the two differences that are wanted: we name the path, the reference the position.
std::string comparable(std::string message) {
  if (const auto at = message.rfind(" at line "); at != std::string::npos) message.resize(at);
  return message;
}

TEST(OpenAiRequest, RecordedRefusalsHaveTheReferencesWords) {
  const auto cases = recorded::cases("http_errors.json");
  if (!cases) GTEST_SKIP() << "recorded traffic is not in " << recorded::folder();
  std::size_t compared = 0;
  for (const Json& one : *cases->if_array()) {
    const std::string request = recorded::text_at(one, "/http/request/text");
    const bool chat_route = request.starts_with("POST /v1/chat/completions ");
    if (!chat_route && !request.starts_with("POST /v1/completions ")) continue;
    const auto answer = parse_json(recorded::body(recorded::text_at(one, "/http/response/text")));
    if (!answer) continue;
    const std::string message = recorded::text_at(*answer, "/message");
    const bool type_failure = message.starts_with("Failed to deserialize");
    if (!type_failure && !message.starts_with("Validation: ")) continue;
    const std::string name = recorded::text_at(one, "/case");
    // Syntax errors are worded by our JSON parser.
    if (name == "malformed_json" || name == "empty_body") continue;
    SCOPED_TRACE(name);
    const auto result = check(chat_route ? "chat" : "completion", recorded::body(request));
    ++compared;
    if (result) {
      ADD_FAILURE() << "accepted; the reference says " << message;
      continue;
    }
    if (!type_failure) {
      EXPECT_EQ(result.error().message(), message);
      continue;
    }
    const std::size_t prefix = message.find("type: ") + 6;
    EXPECT_EQ(result.error().message().substr(0, prefix), message.substr(0, prefix));
    std::string detail = comparable(message.substr(prefix));
    // The list of nvext's members is in another order.
    if (const auto list = detail.find(", expected one of `greed"); list != std::string::npos) {
      detail.resize(list);
    }
    EXPECT_NE(result.error().message().find(detail), std::string::npos) << result.error().message();
  }
  EXPECT_GE(compared, 20U);
}

TEST(OpenAiRequest, RecordedGoodRequestsAreAccepted) {
  std::size_t accepted = 0;
  for (const std::string_view file :
       {"tcp_json.json", "tcp_msgpack.json", "worker_python_engine.json"}) {
    const auto cases = recorded::cases(file);
    if (!cases) GTEST_SKIP() << "recorded traffic is not in " << recorded::folder();
    for (const Json& one : *cases->if_array()) {
      const std::string request = recorded::text_at(one, "/http/request/text");
      const bool chat_route = request.starts_with("POST /v1/chat/completions ");
      if (!chat_route && !request.starts_with("POST /v1/completions ")) continue;
      SCOPED_TRACE(recorded::text_at(one, "/case"));
      const auto result = check(chat_route ? "chat" : "completion", recorded::body(request));
      EXPECT_TRUE(result) << result.error().describe();
      ++accepted;
    }
  }
  EXPECT_GE(accepted, 80U);
}

TEST(OpenAiRequest, NullIsTheSameAsAbsent) {
  const ChatRequest request = chat(
      R"(,"temperature":null,"stop":null,"stream":null,"tools":null,"tool_choice":null,"nvext":null,)"
      R"("response_format":null,"logit_bias":null,"chat_template_args":null,"stream_options":null,)"
      R"("max_tokens":null,"functions":null,"reasoning_effort":null,"service_tier":null)");
  EXPECT_FALSE(request.temperature);
  EXPECT_FALSE(request.stream);
  EXPECT_FALSE(request.nvext);
  EXPECT_FALSE(request.has_functions);
}

TEST(OpenAiRequest, StopTakesTextListAndTokenIds) {
  EXPECT_EQ(chat(R"(,"stop":"END")").stop, std::vector<std::string>{"END"});
  EXPECT_EQ(chat(R"(,"stop":["a","b"])").stop, (std::vector<std::string>{"a", "b"}));
  const ChatRequest ids = chat(R"(,"stop_token_ids":[9],"stop":[1,2])");
  EXPECT_TRUE(ids.stop.empty());
  EXPECT_EQ(ids.stop_token_ids, (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(chat(R"(,"stop":"x","stop_token_ids":[9])").stop_token_ids,
            std::vector<std::uint32_t>{9});
}

TEST(OpenAiRequest, ReasoningAndCallArgumentsAreMadeUniform) {
  const auto request = parse_chat_request(
      R"({"model":"m","messages":[{"role":"assistant","content":null,"reasoning":"hm","tool_calls":)"
      R"([{"id":"c","type":"function","function":{"name":"f","arguments":{"b":1,"a":2}}}]}]})");
  ASSERT_TRUE(request) << request.error().describe();
  EXPECT_EQ(
      request->messages.dump(),
      R"([{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function",)"
      R"("function":{"name":"f","arguments":"{\"b\":1,\"a\":2}"}}],"reasoning_content":"hm"}])");
}

TEST(OpenAiRequest, AnAnswerIsEitherBegunByTheTemplateOrContinued) {
  const auto checked = [](std::string_view members) {
    const auto request = parse_chat_request(
        R"({"model":"m","messages":[{"role":"user","content":"x"}],)" + std::string(members) + "}");
    return request ? validate(*request) : Result<void>(fail(request.error()));
  };
  EXPECT_TRUE(checked(R"("add_generation_prompt":false,"continue_final_message":true)"));
  EXPECT_TRUE(checked(R"("continue_final_message":true)"));
  const auto both = checked(R"("add_generation_prompt":true,"continue_final_message":true)");
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().param(), "continue_final_message");
}

TEST(OpenAiRequest, UnknownFieldsCanBeIgnoredAndNvextDropped) {
  const std::string body =
      R"({"model":"m","messages":[{"role":"user","content":"x"}],"foo":1,"nvext":{"zzz":2}})";
  const auto request =
      parse_chat_request(body, {.ignore_unknown_fields = true, .drop_nvext = true});
  ASSERT_TRUE(request) << request.error().describe();
  EXPECT_FALSE(request->nvext);
  EXPECT_TRUE(validate(*request));
}

TEST(OpenAiRequest, BodiesWithRawControlCharactersAreRepaired) {
  const auto request = parse_chat_request(std::string_view(
      "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\nb\"}]}"));
  ASSERT_TRUE(request) << request.error().describe();
  EXPECT_EQ(recorded::text_at(request->messages, "/0/content"), "a\nb");
}

TEST(OpenAiRequest, NvextIsTyped) {
  const ChatRequest request =
      chat(R"(,"nvext":{"annotations":["token_ids"],"backend_instance_id":18446744073709551615,)"
           R"("token_data":[1,2],"extra_fields":["timing"],"agent_hints":{"priority":-3,"osl":64},)"
           R"("routing_constraints":{"required_taints":["a"],"preferred_taints":{"b":0.5}},)"
           R"("router":{"ttft_target":100}})");
  ASSERT_TRUE(request.nvext);
  EXPECT_TRUE(request.nvext->has_annotation("token_ids"));
  EXPECT_TRUE(request.wants_extra_field("timing"));
  EXPECT_EQ(request.nvext->backend_instance_id, 18446744073709551615U);
  EXPECT_EQ(request.nvext->agent_hints->priority, -3);
}

TEST(OpenAiRequest, PromptTakesItsFourForms) {
  const auto prompts = [](std::string_view prompt) {
    auto request =
        parse_completion_request(std::string(R"({"model":"m","prompt":)").append(prompt) + "}");
    if (!request) ADD_FAILURE() << request.error().describe();
    return *std::move(request);
  };
  EXPECT_EQ(std::get<std::string>(prompts(R"("a")").prompts.at(0)), "a");
  EXPECT_FALSE(prompts("[1,2]").prompt_is_list);
  EXPECT_EQ(std::get<std::vector<std::uint32_t>>(prompts("[1,2]").prompts.at(0)),
            (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(prompts(R"(["a","b"])").prompts.size(), 2U);
  EXPECT_EQ(std::get<std::vector<std::uint32_t>>(prompts("[[1],[2,3]]").prompts.at(1)),
            (std::vector<std::uint32_t>{2, 3}));
}

TEST(OpenAiRequest, MediaCanBeReferencedByUuidAlone) {
  EXPECT_TRUE(parse_chat_request(
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url","uuid":"u"},)"
      R"({"type":"image_url","image_url":{"url":""},"uuid":"u"},)"
      R"({"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}},)"
      R"({"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]}]})"));
}

}  // namespace
}  // namespace dynamo::openai::request_test
