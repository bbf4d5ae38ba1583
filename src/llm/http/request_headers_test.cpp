// SPDX-License-Identifier: Apache-2.0
#include "llm/http/request_headers.h"

#include <dynamo/base/uuid.h>

#include <gtest/gtest.h>

#include "llm/http/request_parser.h"

namespace dynamo::llm::http {
namespace request_headers_test {
namespace {

RequestParser& with(std::string_view fields) {
  static RequestParser parser;
  const auto defect =
      parser.parse_head("GET / HTTP/1.1\r\nhost: a\r\n" + std::string(fields) + "\r\n");
  EXPECT_FALSE(defect);
  return parser;
}

TEST(RequestId, IsTheGivenUuidOrANewOne) {
  const std::string given = "12345678-1234-4234-8234-123456789abc";
  EXPECT_EQ(request_id_of(with("x-dynamo-request-id: " + given + "\r\n")), given);
  EXPECT_TRUE(base::Uuid::parse(request_id_of(with("x-dynamo-request-id: nonsense\r\n"))));
  EXPECT_NE(request_id_of(with("")), request_id_of(with("")));
}

TEST(RoutingHeaders, WinOverTheBodyAndIgnoreNonsense) {
  std::optional<openai::NvExt> nvext;
  apply_routing_headers(with(""), nvext);
  EXPECT_FALSE(nvext);
  apply_routing_headers(
      with("x-dp-rank: x\r\nx-prefill-dp-rank: 4294967295\r\nx-worker-instance-id: -1\r\n"), nvext);
  EXPECT_FALSE(nvext);
  nvext.emplace().dp_rank = 7;
  apply_routing_headers(
      with(
          "x-worker-instance-id: 18446744073709551615\r\nx-dynamo-dp-rank: 2\r\n"
          "x-dynamo-prefill-instance-id: 5\r\nx-dynamo-request-priority: -3\r\nx-tenant-id: t\r\n"),
      nvext);
  EXPECT_EQ(nvext->backend_instance_id, 18446744073709551615u);
  EXPECT_EQ(nvext->decode_worker_id, 18446744073709551615u);
  EXPECT_EQ(nvext->dp_rank, 2u);
  EXPECT_EQ(nvext->prefill_worker_id, 5u);
  EXPECT_EQ(nvext->agent_hints->priority, -3);
  EXPECT_EQ(nvext->cache_salt, "t");
}

std::string agent(std::string_view fields) {
  const auto context = agent_context(with(fields));
  return context ? context->dump() : "";
}

TEST(AgentContext, ComesFromTheHeadersOfDynamoOrOfAHarness) {
  EXPECT_EQ(agent(""), "");
  EXPECT_EQ(agent("x-dynamo-session-id: a\r\nx-dynamo-parent-session-id: p\r\n"
                  "x-dynamo-session-final: true\r\nx-session-id: other\r\n"),
            R"({"session_id":"a","parent_session_id":"p","session_final":true})");
  EXPECT_EQ(agent("x-claude-code-session-id: s\r\n"), R"({"session_id":"s"})");
  EXPECT_EQ(agent("x-claude-code-session-id: s\r\nx-claude-code-agent-id: a\r\n"),
            R"({"session_id":"a","parent_session_id":"s"})");
  EXPECT_EQ(agent("x-claude-code-session-id: s\r\nx-claude-code-agent-id: a\r\n"
                  "x-claude-code-parent-agent-id: b\r\n"),
            R"({"session_id":"a","parent_session_id":"b"})");
  EXPECT_EQ(agent("thread-id: t\r\nx-codex-parent-thread-id: u\r\n"),
            R"({"session_id":"t","parent_session_id":"u"})");
  EXPECT_EQ(agent("x-codex-turn-metadata: {\"thread_id\":\"t\"}\r\n"), R"({"session_id":"t"})");
  EXPECT_EQ(agent("x-session-id: s\r\nx-parent-session-id: p\r\n"),
            R"({"session_id":"s","parent_session_id":"p"})");
}

TEST(AgentContext, IgnoresWhatCannotBeASession) {
  EXPECT_EQ(agent("x-dynamo-session-id: " + std::string(257, 'a') + "\r\n"), "");
  EXPECT_EQ(agent("x-dynamo-session-id:  \r\n"), "");
  EXPECT_EQ(agent("x-codex-turn-metadata: {\"thread_id\":7}\r\n"), "");
  EXPECT_EQ(agent("x-codex-turn-metadata: [[[[[[[[[[\r\n"), "");
  EXPECT_EQ(agent("x-dynamo-session-final: true\r\n"), "");
}

TEST(ForwardedMetadata, TakesPrefixedAndTraceHeadersButNoCredentials) {
  const auto metadata =
      forwarded_metadata(with("X-Dynamo-Meta-Team: a\r\nx-dynamo-meta-token: Bearer "
                              "secret\r\ntraceparent: 00-1-2-01\r\nother: b\r\n"),
                         "x-dynamo-meta-");
  ASSERT_TRUE(metadata);
  EXPECT_EQ(*metadata,
            (std::map<std::string, std::string>{{"team", "a"}, {"traceparent", "00-1-2-01"}}));
}

TEST(ForwardedMetadata, IsBounded) {
  std::string fields;
  for (int i = 0; i < 65; ++i) fields += "x-dynamo-meta-" + std::to_string(i) + ": v\r\n";
  const auto metadata = forwarded_metadata(with(fields), "x-dynamo-meta-");
  ASSERT_FALSE(metadata);
  EXPECT_EQ(metadata.error().backend_status(), 431);
}

TEST(JsonContent, AcceptsParametersAndSuffixes) {
  EXPECT_TRUE(has_json_content(with("content-type: application/json\r\n")));
  EXPECT_TRUE(has_json_content(with("content-type: Application/JSON ; charset=utf-8\r\n")));
  EXPECT_TRUE(has_json_content(with("content-type: application/problem+json\r\n")));
  EXPECT_FALSE(has_json_content(with("content-type: text/plain\r\n")));
  EXPECT_FALSE(has_json_content(with("content-type: application/jsonl\r\n")));
  EXPECT_FALSE(has_json_content(with("")));
}

TEST(BearerToken, IsRead) {
  EXPECT_EQ(bearer_token(with("Authorization: bearer  abc\r\n")), "abc");
  EXPECT_EQ(bearer_token(with("authorization: Basic abc\r\n")), std::nullopt);
  EXPECT_EQ(bearer_token(with("")), std::nullopt);
}

}  // namespace
}  // namespace request_headers_test
}  // namespace dynamo::llm::http
