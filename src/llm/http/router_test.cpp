// SPDX-License-Identifier: Apache-2.0
#include "llm/http/router.h"

#include <dynamo/base/json.h>

#include <gtest/gtest.h>

namespace dynamo::llm::http {
namespace router_test {
namespace {

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    add(Method::get, "/v1/models");
    add(Method::get, "/v1/models/{*id}");
    add(Method::post, "/v1/chat/completions", Gate::chat);
    add(Method::get, "/v1/models/special");
    add(Method::get, "/v1/{*any}");
    add(Method::get, "/x");
    add(Method::post, "/x");
  }
  void add(Method method, std::string path, Gate gate = Gate::always) {
    router_.add({method, std::move(path), gate, Access::key, nullptr, {"what it does", "tag", {}}});
  }
  std::string found(Method method, std::string_view path) {
    const auto match = router_.match(method, path);
    if (match.route == nullptr) return "none, allow " + match.allow;
    return match.route->path + " " + std::string(match.rest);
  }
  Router router_;
};

TEST_F(RouterTest, PrefersNamesThenLongerWildcards) {
  EXPECT_EQ(found(Method::get, "/v1/models"), "/v1/models ");
  EXPECT_EQ(found(Method::get, "/v1/models/a/b"), "/v1/models/{*id} a/b");
  EXPECT_EQ(found(Method::get, "/v1/models/special"), "/v1/models/special ");
  EXPECT_EQ(found(Method::get, "/v1/other"), "/v1/{*any} other");
  EXPECT_EQ(found(Method::get, "/v1/models/"), "/v1/{*any} models/");
  EXPECT_EQ(found(Method::get, "/v2"), "none, allow ");
}

TEST_F(RouterTest, NamesTheMethodsThatFit) {
  EXPECT_EQ(found(Method::del, "/x"), "none, allow GET, HEAD, POST");
  EXPECT_EQ(found(Method::head, "/x"), "/x ");
  EXPECT_EQ(found(Method::other, "/x"), "none, allow GET, HEAD, POST");
}

TEST_F(RouterTest, HidesRoutesBehindClosedGates) {
  EXPECT_EQ(found(Method::post, "/v1/chat/completions"), "none, allow ");
  EXPECT_TRUE(router_.gated(Method::post, "/v1/chat/completions"));
  EXPECT_FALSE(router_.gated(Method::post, "/x"));
  router_.open(Gate::chat, true);
  EXPECT_EQ(found(Method::post, "/v1/chat/completions"), "/v1/chat/completions ");
  EXPECT_FALSE(router_.gated(Method::post, "/v1/chat/completions"));
  router_.open(Gate::chat, false);
  EXPECT_TRUE(router_.gated(Method::post, "/v1/chat/completions"));
}

TEST_F(RouterTest, DocumentsTheOpenRoutesAsValidJson) {
  auto document = parse_json(router_.openapi("Title", "1"));
  ASSERT_TRUE(document) << document.error().message();
  EXPECT_EQ(*document->pointer("/info/title")->if_string(), "Title");
  EXPECT_NE(document->pointer("/paths/~1v1~1models~1{id}/get/parameters/0"), nullptr);
  EXPECT_NE(document->pointer("/paths/~1x/post"), nullptr);
  EXPECT_NE(document->pointer("/components/schemas/ChatCompletionRequest"), nullptr);
  EXPECT_EQ(document->pointer("/paths/~1v1~1chat~1completions"), nullptr);
  router_.open(Gate::chat, true);
  document = parse_json(router_.openapi("Title", "1"));
  EXPECT_NE(document->pointer("/paths/~1v1~1chat~1completions/post"), nullptr);
}

}  // namespace
}  // namespace router_test
}  // namespace dynamo::llm::http
