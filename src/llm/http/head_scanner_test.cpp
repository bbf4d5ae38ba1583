// SPDX-License-Identifier: Apache-2.0
#include "llm/http/head_scanner.h"

#include <string>

#include <gtest/gtest.h>

namespace dynamo::llm::http {
namespace head_scanner_test {
namespace {

using Status = HeadScanner::Status;
constexpr HeadLimits kLimits{.head_bytes = 512, .request_line_bytes = 64, .header_fields = 4};

/// Feeds `text` in two pieces, cut at `split`.
Status scan_split(HeadScanner& scanner, std::string_view text, std::size_t split) {
  const Status first = scanner.scan(text.substr(0, split));
  return first == Status::incomplete ? scanner.scan(text) : first;
}

Status scan_bytewise(HeadScanner& scanner, std::string_view text) {
  Status status = Status::incomplete;
  for (std::size_t n = 1; n <= text.size() && status == Status::incomplete; ++n)
    status = scanner.scan(text.substr(0, n));
  return status;
}

TEST(HeadScanner, FindsTheEndUnderEverySplit) {
  const std::string text = "\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\nGET /next";
  const std::size_t end = text.find("\r\n\r\n", 2) + 4;
  for (std::size_t split = 0; split <= text.size(); ++split) {
    HeadScanner scanner(kLimits);
    ASSERT_EQ(scan_split(scanner, text, split), Status::complete) << split;
    EXPECT_EQ(scanner.head_begin(), 2u);
    EXPECT_EQ(scanner.head_end(), end);
  }
}

TEST(HeadScanner, RefusesABareLineFeedAtOnce) {
  HeadScanner scanner(kLimits);
  EXPECT_EQ(scanner.scan("GET / HTTP/1.1\n"), Status::malformed);
}

TEST(HeadScanner, RefusesWhatCannotBeARequestAtItsFirstByte) {
  for (const std::string_view text : {"\x16\x03\x01", " GET", "{", "1"}) {
    HeadScanner scanner(kLimits);
    EXPECT_EQ(scan_bytewise(scanner, text), Status::malformed) << text;
  }
}

TEST(HeadScanner, SkipsFewEmptyLinesOnly) {
  HeadScanner scanner(kLimits);
  EXPECT_EQ(scan_bytewise(scanner, "\r\n\r\n\r\n\r\n\r\n\r\n"), Status::malformed);
}

TEST(HeadScanner, BoundsLineFieldsAndHeadBeforeTheirEndArrives) {
  {
    HeadScanner scanner(kLimits);
    EXPECT_EQ(scan_bytewise(scanner, "GET /" + std::string(100, 'x')), Status::line_too_long);
  }
  {
    HeadScanner scanner(kLimits);
    std::string text = "GET / HTTP/1.1\r\n";
    for (int i = 0; i < 5; ++i) text += "a: b\r\n";
    EXPECT_EQ(scan_bytewise(scanner, text), Status::too_many_fields);
  }
  {
    HeadScanner scanner(kLimits);
    EXPECT_EQ(scan_bytewise(scanner, "GET / HTTP/1.1\r\na: " + std::string(600, 'x')),
              Status::head_too_large);
  }
}

TEST(HeadScanner, TakesAHeadOfExactlyTheLimit) {
  const std::string begin = "GET / HTTP/1.1\r\na: ";
  const std::string text = begin + std::string(512 - begin.size() - 4, 'x') + "\r\n\r\n";
  HeadScanner scanner(kLimits);
  EXPECT_EQ(scan_bytewise(scanner, text), Status::complete);
}

}  // namespace
}  // namespace head_scanner_test
}  // namespace dynamo::llm::http
