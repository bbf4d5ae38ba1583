// SPDX-License-Identifier: Apache-2.0
#include "llm/http/response_head.h"

#include <gtest/gtest.h>

namespace dynamo::llm::http {
namespace response_head_test {
namespace {

TEST(ResponseHead, HasTheReferencesOrder) {
  std::string out;
  const HeaderList headers{{"cache-control", "no-cache"}};
  append_head(out, {.status = 200,
                    .content_type = "text/event-stream",
                    .headers = headers,
                    .framing = {BodyFraming::Kind::chunked, 0},
                    .date = "D",
                    .connection = {},
                    .request_id = {}});
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
            "transfer-encoding: chunked\r\ndate: D\r\n\r\n");
}

TEST(ResponseHead, LeavesOutFieldsThatWouldSplitTheHead) {
  std::string out;
  const HeaderList headers{{"x", "a\r\nset-cookie: b"}, {"y\n", "c"}};
  append_head(out, {.status = 204,
                    .content_type = {},
                    .headers = headers,
                    .framing = {},
                    .date = "D",
                    .connection = "close",
                    .request_id = "r"});
  EXPECT_EQ(out,
            "HTTP/1.1 204 No Content\r\nx-request-id: r\r\nconnection: close\r\ndate: D\r\n\r\n");
}

TEST(ResponseHead, WritesDates) {
  EXPECT_EQ(http_date(base::SystemTime{}), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(http_date(base::SystemTime{} + std::chrono::seconds(1795396644)),
            "Mon, 23 Nov 2026 01:17:24 GMT");
}

TEST(ChunkPrefix, IsUpperCaseHexadecimal) {
  EXPECT_EQ(ChunkPrefix(0).text(), "0\r\n");
  EXPECT_EQ(ChunkPrefix(0x5F).text(), "5F\r\n");
  EXPECT_EQ(ChunkPrefix(0xFFFFFFFFFFFFFFFF).text(), "FFFFFFFFFFFFFFFF\r\n");
}

}  // namespace
}  // namespace response_head_test
}  // namespace dynamo::llm::http
