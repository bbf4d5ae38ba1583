// SPDX-License-Identifier: Apache-2.0
#include "llm/http/request_parser.h"

#include <string>

#include <gtest/gtest.h>

namespace dynamo::llm::http {
namespace request_parser_test {
namespace {

int status_of(std::string_view head) {
  RequestParser parser;
  const auto defect = parser.parse_head(head);
  return defect ? defect->status : 200;
}

std::string with(std::string_view fields) {
  return "POST /x HTTP/1.1\r\nhost: a\r\n" + std::string(fields) + "\r\n";
}

TEST(RequestParser, GivesTheParts) {
  RequestParser parser;
  ASSERT_FALSE(parser.parse_head(
      "POST /v1/models/a%2Fb?x=1&y HTTP/1.1\r\nHost: h\r\nX-Id:  one two \r\nx-id: 3\r\n\r\n"));
  EXPECT_EQ(parser.method(), Method::post);
  EXPECT_EQ(parser.method_text(), "POST");
  EXPECT_EQ(parser.path(), "/v1/models/a/b");
  EXPECT_EQ(parser.query(), "x=1&y");
  EXPECT_EQ(parser.header("x-ID"), "one two");
  EXPECT_EQ(parser.header("absent"), std::nullopt);
  EXPECT_EQ(parser.headers().size(), 3u);
  EXPECT_TRUE(parser.keep_alive());
  EXPECT_EQ(parser.framing(), RequestParser::Framing::none);
}

TEST(RequestParser, ForgetsThePreviousRequest) {
  RequestParser parser;
  ASSERT_FALSE(parser.parse_head(
      with("expect: 100-continue\r\nconnection: close\r\ncontent-length: 4\r\n")));
  EXPECT_TRUE(parser.expects_continue());
  EXPECT_FALSE(parser.keep_alive());
  ASSERT_FALSE(parser.parse_head(with("")));
  EXPECT_FALSE(parser.expects_continue());
  EXPECT_TRUE(parser.keep_alive());
  EXPECT_EQ(parser.content_length(), 0u);
  EXPECT_EQ(parser.headers().size(), 1u);
}

TEST(RequestParser, TakesAbsoluteTargetsAndAsterisk) {
  RequestParser parser;
  ASSERT_FALSE(parser.parse_head("GET http://h:1/p?q HTTP/1.1\r\nhost: h\r\n\r\n"));
  EXPECT_EQ(parser.path(), "/p");
  EXPECT_EQ(parser.query(), "q");
  ASSERT_FALSE(parser.parse_head("GET http://h HTTP/1.1\r\nhost: h\r\n\r\n"));
  EXPECT_EQ(parser.path(), "/");
  ASSERT_FALSE(parser.parse_head("OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n"));
  EXPECT_EQ(parser.path(), "*");
}

TEST(RequestParser, RefusesWhatPeersDisagreeOn) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400);                        // no host
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n"), 400);  // two
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\n\r\n"), 200);                        // 1.0 needs none
  EXPECT_EQ(status_of("GET / HTTP/2.0\r\nhost: a\r\n\r\n"), 505);
  EXPECT_EQ(status_of("GET / HTTP/1.1 \r\nhost: a\r\n\r\n"), 505);
  EXPECT_EQ(status_of("GE(T / HTTP/1.1\r\nhost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET a HTTP/1.1\r\nhost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET /%0 HTTP/1.1\r\nhost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET /%00 HTTP/1.1\r\nhost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET /%zz HTTP/1.1\r\nhost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of(with("a : b\r\n")), 400);
  EXPECT_EQ(status_of(with("a: b\r\n c\r\n")), 400);  // folded
  EXPECT_EQ(status_of(with("a: b\x01\r\n")), 400);
  EXPECT_EQ(status_of(with("content-length: 3\r\ncontent-length: 4\r\n")), 400);
  EXPECT_EQ(status_of(with("content-length: -1\r\n")), 400);
  EXPECT_EQ(status_of(with("content-length: 99999999999999999999\r\n")), 400);
  EXPECT_EQ(status_of(with("content-length: 3\r\ntransfer-encoding: chunked\r\n")), 400);
  EXPECT_EQ(status_of(with("transfer-encoding: chunked\r\ncontent-length: 3\r\n")), 400);
  EXPECT_EQ(status_of(with("transfer-encoding: gzip, chunked\r\n")), 501);
  EXPECT_EQ(status_of(with("transfer-encoding: chunked, gzip\r\n")), 501);
  EXPECT_EQ(status_of("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(status_of(with("expect: something\r\n")), 417);
}

/// Feeds a body in pieces of `piece` bytes, keeping what is not consumed, as a connection does.
std::optional<RequestDefect> feed(RequestParser& parser, std::string_view bytes, std::size_t piece,
                                  std::string& body, std::string& rest, std::uint64_t limit) {
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    rest.append(bytes.substr(at, piece));
    if (parser.body_complete()) continue;
    const auto step = parser.parse_body(rest, &body, limit);
    if (step.defect) return step.defect;
    rest.erase(0, step.consumed);
  }
  return std::nullopt;
}

TEST(RequestParser, ReadsBodiesUnderEveryPieceSize) {
  const std::string chunks =
      "4;ext=1\r\nwiki\r\n6\r\npedia \r\nA\r\nin\r\nchunks\r\n0\r\ntrailer: x\r\nhost: "
      "evil\r\n\r\nNEXT";
  for (std::size_t piece = 1; piece <= chunks.size(); ++piece) {
    RequestParser parser;
    std::string body, rest;
    ASSERT_FALSE(parser.parse_head(with("transfer-encoding: chunked\r\n")));
    ASSERT_FALSE(feed(parser, chunks, piece, body, rest, 100)) << piece;
    EXPECT_TRUE(parser.body_complete());
    EXPECT_EQ(body, "wikipedia in\r\nchunks");
    EXPECT_EQ(rest, "NEXT");
    EXPECT_EQ(parser.header("host"), "a");
    EXPECT_EQ(parser.header("trailer"), std::nullopt);
  }
  for (std::size_t piece = 1; piece <= 9; ++piece) {
    RequestParser parser;
    std::string body, rest;
    ASSERT_FALSE(parser.parse_head(with("content-length: 5\r\n")));
    ASSERT_FALSE(feed(parser, "helloNEXT", piece, body, rest, 5));
    EXPECT_TRUE(parser.body_complete());
    EXPECT_EQ(body, "hello");
    EXPECT_EQ(rest, "NEXT");
  }
}

TEST(RequestParser, RefusesBodiesOverTheLimitByWhatTheyAnnounce) {
  RequestParser parser;
  std::string body, rest;
  ASSERT_FALSE(parser.parse_head(with("content-length: 100000000000\r\n")));
  EXPECT_EQ(parser.parse_body("", &body, 1000).defect->status, 413);
  ASSERT_FALSE(parser.parse_head(with("transfer-encoding: chunked\r\n")));
  EXPECT_EQ(feed(parser, "FFFFFFFFFFFFFFFF\r\n", 1, body, rest, 1000)->status, 413);
  ASSERT_FALSE(parser.parse_head(with("transfer-encoding: chunked\r\n")));
  rest.clear();
  EXPECT_EQ(feed(parser, "3\r\nabc\r\n3\r\ndef\r\n", 1, body, rest, 5)->status, 413);
}

TEST(RequestParser, RefusesMalformedChunks) {
  for (const std::string_view bytes : {"x\r\n", "-1\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\nabc\r\n",
                                       "3;\r\n", "10000000000000000\r\n"}) {
    RequestParser parser;
    std::string body, rest;
    ASSERT_FALSE(parser.parse_head(with("transfer-encoding: chunked\r\n")));
    const auto defect = feed(parser, bytes, 1, body, rest, 1000);
    ASSERT_TRUE(defect) << bytes;
    EXPECT_EQ(defect->status, 400) << bytes;
  }
  RequestParser parser;
  std::string body, rest;
  ASSERT_FALSE(parser.parse_head(with("transfer-encoding: chunked\r\n")));
  EXPECT_EQ(feed(parser, "1;" + std::string(20000, 'x'), 1000, body, rest, 1000)->status, 400);
}

}  // namespace
}  // namespace request_parser_test
}  // namespace dynamo::llm::http
