// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <gtest/gtest.h>

namespace dynamo::base::error_test {
namespace {

struct Row {
  Errc code;
  std::string_view name;
  int http;
  int grpc;
};

constexpr Row kTable[] = {
    {Errc::invalid_argument, "invalid_argument", 400, 3},
    {Errc::not_found, "not_found", 404, 5},
    {Errc::method_not_allowed, "method_not_allowed", 405, 12},
    {Errc::already_exists, "already_exists", 409, 6},
    {Errc::payload_too_large, "payload_too_large", 413, 8},
    {Errc::unsupported_media_type, "unsupported_media_type", 415, 3},
    {Errc::unauthenticated, "unauthenticated", 401, 16},
    {Errc::permission_denied, "permission_denied", 403, 7},
    {Errc::rate_limited, "rate_limited", 429, 8},
    {Errc::unimplemented, "unimplemented", 501, 12},
    {Errc::unavailable, "unavailable", 503, 14},
    {Errc::overloaded, "overloaded", 529, 8},
    {Errc::deadline_exceeded, "deadline_exceeded", 504, 4},
    {Errc::cancelled, "cancelled", 499, 1},
    {Errc::stream_incomplete, "stream_incomplete", 502, 14},
    {Errc::disconnected, "disconnected", 502, 14},
    {Errc::protocol, "protocol", 502, 13},
    {Errc::internal, "internal", 500, 13},
};

Error full_error() {
  return Error(Errc::rate_limited, "slow down")
      .with_param("messages[0].content")
      .with_reason("too_many_requests")
      .with_details(Json::object({{"limit", 3}}))
      .with_backend_status(429)
      .with_retry_after(std::chrono::seconds(7))
      .with_cause(
          Error(Errc::disconnected, "peer left").with_cause(Error(Errc::protocol, "frame")));
}

Result<int> parse_positive(int n) {
  if (n <= 0) return fail(Errc::invalid_argument, "expected a positive number");
  return n;
}

Result<std::string> twice(int n) {
  DYN_TRY(const int value, parse_positive(n));
  return std::to_string(2 * value);
}

Result<void> both(int a, int b) {
  DYN_CHECK(parse_positive(a));
  DYN_CHECK(twice(b));
  return {};
}

TEST(Errc, EveryCodeHasItsNameAndStatuses) {
  EXPECT_EQ(std::size(kTable), static_cast<std::size_t>(Errc::internal) + 1);
  for (const Row& row : kTable) {
    EXPECT_EQ(to_string(row.code), row.name);
    EXPECT_EQ(http_status(row.code), row.http) << row.name;
    EXPECT_EQ(grpc_status(row.code), row.grpc) << row.name;
  }
}

TEST(Errc, ACodeOfANewerPeerReadsAsInternal) {
  const auto unknown = static_cast<Errc>(200);
  EXPECT_EQ(to_string(unknown), "internal");
  EXPECT_EQ(http_status(unknown), 500);
  EXPECT_EQ(grpc_status(unknown), 13);
}

TEST(Error, OptionalPartsAreAbsentUntilGiven) {
  const Error error(Errc::not_found, "no such model");
  EXPECT_EQ(error.code(), Errc::not_found);
  EXPECT_EQ(error.message(), "no such model");
  EXPECT_EQ(error.param(), "");
  EXPECT_EQ(error.reason(), "");
  EXPECT_TRUE(error.details().is_null());
  EXPECT_EQ(error.backend_status(), std::nullopt);
  EXPECT_EQ(error.retry_after(), std::nullopt);
  EXPECT_EQ(error.cause(), nullptr);
}

TEST(Error, CarriesEveryPart) {
  const Error error = full_error();
  EXPECT_EQ(error.param(), "messages[0].content");
  EXPECT_EQ(error.reason(), "too_many_requests");
  EXPECT_EQ(error.details().dump(), R"({"limit":3})");
  EXPECT_EQ(error.backend_status(), 429);
  EXPECT_EQ(error.retry_after(), std::chrono::seconds(7));
  ASSERT_NE(error.cause(), nullptr);
  EXPECT_EQ(error.cause()->message(), "peer left");
}

TEST(Error, ACopyIsIndependent) {
  Error first = full_error();
  Error second = first;
  first = std::move(first).with("above").with_param("other");
  EXPECT_EQ(first.message(), "above: slow down");
  EXPECT_EQ(first.param(), "other");
  EXPECT_EQ(second.message(), "slow down");
  EXPECT_EQ(second.param(), "messages[0].content");
  EXPECT_EQ(second.cause()->cause()->message(), "frame");
  second = Error(Errc::internal, "plain");
  EXPECT_EQ(second.param(), "");
  const Error& same = first;
  first = same;
  EXPECT_EQ(first.param(), "other");
}

TEST(Error, FindsACodeAmongItsCauses) {
  const Error error = full_error();
  EXPECT_TRUE(error.any_is(Errc::rate_limited));
  EXPECT_TRUE(error.any_is(Errc::protocol));
  EXPECT_FALSE(error.any_is(Errc::internal));
}

TEST(Error, DescribesTheChain) {
  EXPECT_EQ(Error(Errc::internal, "x").describe(), "internal: x");
  EXPECT_EQ(
      full_error().describe(),
      "rate_limited: slow down (caused by disconnected: peer left (caused by protocol: frame))");
}

TEST(Error, ContextIsPrefixedOnTheWayUp) {
  EXPECT_EQ(Error(Errc::internal, "no").with("reading a").with("loading b").message(),
            "loading b: reading a: no");
}

TEST(Result, TryReturnsTheErrorOrDeclaresTheValue) {
  EXPECT_EQ(twice(4), "8");
  ASSERT_FALSE(twice(-1));
  EXPECT_EQ(twice(-1).error().message(), "expected a positive number");
  EXPECT_TRUE(both(1, 2));
  EXPECT_FALSE(both(0, 2));
  EXPECT_FALSE(both(1, 0));
}

}  // namespace
}  // namespace dynamo::base::error_test
