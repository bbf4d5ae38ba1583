// SPDX-License-Identifier: Apache-2.0
#include "llm/http/error_response.h"

#include <dynamo/base/json.h>

#include <gtest/gtest.h>

namespace dynamo::llm::http {
namespace error_response_test {
namespace {

struct Case {
  Error error;
  int status;
  ErrorType type;
  std::string_view message;
};

TEST(Classify, FollowsTheReferencesTable) {
  const auto backend = [](Errc code, int status) {
    return Error(code, "as it said").with_backend_status(status);
  };
  const Case cases[] = {
      {{Errc::overloaded, "full"}, 529, ErrorType::overload, "full"},
      {{Errc::unavailable, "not yet"}, 503, ErrorType::unavailable, "not yet"},
      {{Errc::invalid_argument, "bad"}, 400, ErrorType::validation, "bad"},
      {{Errc::not_found, "no"}, 404, ErrorType::not_found, "no"},
      {{Errc::unimplemented, "later"}, 501, ErrorType::not_implemented, "later"},
      {{Errc::cancelled, "secret"}, 499, ErrorType::cancelled, "Request cancelled"},
      {{Errc::deadline_exceeded, "late"}, 504, ErrorType::response_timeout, "late"},
      {{Errc::internal, "secret"}, 500, ErrorType::internal, "Internal server error"},
      {{Errc::protocol, "secret"}, 500, ErrorType::internal, "Internal server error"},
      {{Errc::stream_incomplete, "secret"}, 500, ErrorType::internal, "Internal server error"},
      {backend(Errc::internal, 403), 403, ErrorType::internal, "as it said"},
      {backend(Errc::internal, 404), 404, ErrorType::not_found, "as it said"},
      {backend(Errc::internal, 503), 503, ErrorType::unavailable, "as it said"},
      {backend(Errc::internal, 529), 529, ErrorType::overload, "as it said"},
      {backend(Errc::internal, 502), 500, ErrorType::internal, "Internal server error"},
      {backend(Errc::internal, 499), 499, ErrorType::cancelled, "Request cancelled"},
      {backend(Errc::internal, 302), 500, ErrorType::internal, "Internal server error"},
      {backend(Errc::internal, 999), 500, ErrorType::internal, "Internal server error"},
      {Error(Errc::internal, "secret").with_cause(Error(Errc::invalid_argument, "cause")), 400,
       ErrorType::validation, "cause"},
      {Error(Errc::invalid_argument, "head").with_cause(Error(Errc::overloaded, "cause")), 529,
       ErrorType::overload, "cause"},
  };
  for (const auto& entry : cases) {
    const Failure failure = classify(entry.error, 529);
    EXPECT_EQ(failure.status, entry.status) << entry.error.describe();
    EXPECT_EQ(failure.type, entry.type) << entry.error.describe();
    EXPECT_EQ(failure.shown.message(), entry.message) << entry.error.describe();
  }
}

TEST(Classify, UsesTheConfiguredOverloadStatusAndKeepsReadinessApart) {
  EXPECT_EQ(classify(Error(Errc::overloaded, "x"), 503).status, 503);
  EXPECT_EQ(classify(Error(Errc::overloaded, "x"), 503).type, ErrorType::overload);
  EXPECT_EQ(classify(Error(Errc::unavailable, "x"), 503).type, ErrorType::unavailable);
}

TEST(Classify, TellsTheBackendsStatusInTheDetails) {
  const Failure failure = classify(Error(Errc::internal, "x").with_backend_status(502), 529);
  EXPECT_EQ(failure.shown.details().dump(), R"({"backend_status":502})");
}

TEST(PlainErrorBody, IsReadableForBothKindsOfClients) {
  const auto body = parse_json(plain_error_body(431, "too large"));
  ASSERT_TRUE(body);
  EXPECT_EQ(*body->pointer("/error/message")->if_string(), "too large");
  EXPECT_EQ(*body->pointer("/error/type")->if_string(), "invalid_request_error");
  EXPECT_EQ(*body->pointer("/message")->if_string(), "too large");
  EXPECT_EQ(body->pointer("/code")->as_int64(), 431);
}

}  // namespace
}  // namespace error_response_test
}  // namespace dynamo::llm::http
