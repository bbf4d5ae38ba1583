// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>
#include <dynamo/base/json.h>
#include <dynamo/config/configuration.h>
#include <dynamo/llm/http/service.h>
#include <dynamo/llm/preproc/prompt_formatter.h>
#include <dynamo/runtime/compute_pool.h>
#include <dynamo/runtime/metrics.h>
#include <dynamo/runtime/shard.h>
#include <dynamo/runtime/shutdown.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "llm/http/frontend_metrics.h"
#include "llm/http/generation.h"
#include "llm/http/scripted_engine.h"
#include "llm/http/service_settings.h"
#include "llm/test_tokenizer.h"

namespace dynamo::llm::http {
namespace service_test {
namespace {

namespace net = boost::asio;
using net::ip::tcp;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// The contents of the messages, one after the other.
class JoinedContents final : public PromptFormatter {
 public:
  Result<RenderedPrompt> render(const ChatPrompt& prompt) const override {
    RenderedPrompt out;
    for (const Json& message : *prompt.messages.if_array())
      if (const std::string* text = message.find("content")->if_string()) out.text += *text;
    if (out.text == "refuse") return fail(Errc::invalid_argument, "the template refuses");
    return out;
  }
  std::string_view kind() const noexcept override { return "test"; }
};

struct Answer {
  int status = 0;
  std::string head;  ///< status line and fields
  std::string body;  ///< with chunk framing removed
  Json json() const { return parse_json(body).value_or(Json()); }
};

std::string without_chunk_framing(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t line = text.find("\r\n");
    if (line == std::string_view::npos) break;
    const std::size_t size = std::stoul(std::string(text.substr(0, line)), nullptr, 16);
    out += text.substr(line + 2, size);
    text.remove_prefix(std::min(text.size(), line + 2 + size + 2));
    if (size == 0) break;
  }
  return out;
}

/// A connection that the test speaks HTTP on by hand.
class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(context_) {
    socket_.connect({net::ip::address_v4::loopback(), port});
  }
  void send(std::string_view bytes) { net::write(socket_, net::buffer(bytes)); }
  void close() { socket_.close(); }
  /// Reads until the server closes.
  Answer read() {
    boost::system::error_code ec;
    net::read(socket_, net::dynamic_buffer(buffer_), ec);
    Answer answer;
    const std::size_t end = buffer_.find("\r\n\r\n");
    if (end == std::string::npos) return answer;
    answer.status = std::stoi(buffer_.substr(9, 3));
    answer.head = buffer_.substr(0, end);
    answer.body = buffer_.substr(end + 4);
    if (answer.head.find("transfer-encoding: chunked") != std::string::npos)
      answer.body = without_chunk_framing(answer.body);
    return answer;
  }
  /// Reads until `text` has come.
  bool wait_for(std::string_view text) {
    boost::system::error_code ec;
    net::read_until(socket_, net::dynamic_buffer(buffer_), text, ec);
    return !ec;
  }

 private:
  net::io_context context_;
  tcp::socket socket_;
  std::string buffer_;
};

template <class Predicate>
bool eventually(Predicate predicate) {
  for (int i = 0; i < 600; ++i) {
    if (predicate()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

/// The service with one model "m" on a scripted engine.
class ServiceTest : public testing::Test {
 protected:
  ~ServiceTest() override {
    service_.reset();
    pool_.stop();
  }

  void start(std::function<Script(const PreprocessedRequest&)> write,
             HttpServiceOptions options = {}) {
    auto card = test::byte_card();
    card->formatter = std::make_shared<JoinedContents>();
    card->aliases = {"alias", "org/m"};
    card->runtime_config.context_length = 100;
    engine_ = std::make_shared<ScriptedEngine>(std::move(write));
    ASSERT_TRUE(models_.add(card, engine_, {.apply_generation_defaults = false}));
    start_without_model(std::move(options));
  }
  void start(Script script) {
    start([script](const PreprocessedRequest&) { return script; });
  }
  void start_without_model(HttpServiceOptions options = {}) {
    options.port = 0;
    service_ = std::make_unique<HttpService>(std::move(options), pool_, compute_, metrics_,
                                             shutdown_, models_);
    const auto started = service_->start();
    ASSERT_TRUE(started) << started.error().message();
  }

  static std::string head(std::string_view method, std::string_view path, std::size_t length,
                          std::string_view fields = {}) {
    return std::string(method) + " " + std::string(path) +
           " HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-type: "
           "application/json\r\ncontent-length: " +
           std::to_string(length) + "\r\n" + std::string(fields) + "\r\n";
  }
  Answer send(std::string_view method, std::string_view path, std::string_view body = {},
              std::string_view fields = {}) {
    Client client(service_->port());
    client.send(head(method, path, body.size(), fields) + std::string(body));
    return client.read();
  }
  Answer chat(std::string_view more = {}, std::string_view content = "hi",
              std::string_view model = "m") {
    return send("POST", "/v1/chat/completions", chat_body(more, content, model));
  }
  static std::string chat_body(std::string_view more = {}, std::string_view content = "hi",
                               std::string_view model = "m") {
    return R"({"model":")" + std::string(model) + R"(","messages":[{"role":"user","content":")" +
           std::string(content) + R"("}])" + std::string(more) + "}";
  }
  std::string series(std::string_view name, std::string_view labels) {
    const std::string page = metrics_.expose();
    const std::string key = "dynamo_frontend_" + std::string(name) + std::string(labels) + " ";
    const std::size_t at = page.find("\n" + key);
    if (at == std::string::npos) return "absent";
    const std::size_t begin = at + 1 + key.size();
    return page.substr(begin, page.find('\n', begin) - begin);
  }
  bool idle() {
    return eventually([&] {
      return series("inflight_requests", R"({model="m"})") == "0" && engine_->running() == 0 &&
             series("queued_requests", R"({model="m"})") == "0";
    });
  }

  config::ScopedConfiguration configuration_;
  runtime::MetricsRegistry metrics_;
  runtime::Shutdown shutdown_;
  runtime::ShardPool pool_{1};
  runtime::ComputePool compute_{runtime::ComputePoolOptions{1, 64, "compute"}};
  ModelManager models_;
  std::shared_ptr<ScriptedEngine> engine_;
  std::unique_ptr<HttpService> service_;
};

constexpr std::string_view kChatLabels =
    R"(endpoint="chat_completions",error_type="",model="m",request_type="unary",status="success")";

TEST_F(ServiceTest, AnswersAChatUnary) {
  start(spell("hello"));
  const Answer answer = chat();
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(answer.head, HasSubstr("content-type: application/json"));
  EXPECT_EQ(*answer.json().pointer("/choices/0/message/content")->if_string(), "hello");
  EXPECT_EQ(answer.json().pointer("/usage/completion_tokens")->as_int64(), 5);
  EXPECT_EQ(answer.json().pointer("/usage/prompt_tokens")->as_int64(), 2);
  EXPECT_TRUE(idle());
  EXPECT_EQ(series("requests_total", "{" + std::string(kChatLabels) + "}"), "1");
  EXPECT_EQ(series("output_tokens_total", R"({model="m"})"), "5");
  EXPECT_EQ(series("time_to_first_token_seconds_count", R"({model="m"})"), "1");
  EXPECT_EQ(series("inter_token_latency_seconds_count", R"({model="m"})"), "4");
  EXPECT_EQ(series("request_duration_seconds_count", R"({model="m"})"), "1");
}

TEST_F(ServiceTest, CountsWhatTheTokenizerRemembers) {
  const config::ScopedConfiguration remembering({{"DYN_TOKENIZER_CACHE", "1"}});
  start(spell("hello"));
  EXPECT_EQ(chat().status, 200);
  EXPECT_EQ(series("tokenize_seconds_count", ""), "1");
  EXPECT_EQ(series("tokenizer_cache_misses_total", ""), "1");
  EXPECT_EQ(series("tokenizer_cache_hits_total", ""), "0");
  EXPECT_EQ(series("tokenizer_cache_uncached_tokens_total", R"({model="m"})"), "2");
  EXPECT_EQ(series("tokenizer_cache_cached_tokens_total", R"({model="m"})"), "0");
}

TEST_F(ServiceTest, StreamsAChat) {
  start(spell("hello"));
  const Answer answer = chat(R"(,"stream":true,"stream_options":{"include_usage":true})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.head, HasSubstr("content-type: text/event-stream\r\ncache-control: no-cache"));
  EXPECT_THAT(answer.body, StartsWith("data: {\"id\":\"chatcmpl-"));
  EXPECT_THAT(answer.body, HasSubstr("\"finish_reason\":\"stop\""));
  EXPECT_THAT(answer.body, HasSubstr("\"completion_tokens\":5"));
  EXPECT_THAT(answer.body, EndsWith("\n\ndata: [DONE]\n\n"));
  EXPECT_TRUE(idle());
}

TEST_F(ServiceTest, AnswersCompletionsOfSeveralPromptsAndChoices) {
  start([](const PreprocessedRequest& request) {
    return spell(std::string(2, static_cast<char>(request.token_ids[0])));
  });
  const Answer answer =
      send("POST", "/v1/completions", R"({"model":"m","prompt":["a","b"],"n":2,"temperature":1})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const char* expected[] = {"aa", "aa", "bb", "bb"};
  for (std::size_t i = 0; i < 4; ++i) {
    const Json* choice = answer.json().pointer("/choices/" + std::to_string(i));
    const Json body = answer.json();
    ASSERT_NE(body.pointer("/choices/" + std::to_string(i)), nullptr) << answer.body;
    EXPECT_EQ(*body.pointer("/choices/" + std::to_string(i) + "/text")->if_string(), expected[i]);
    EXPECT_EQ(body.pointer("/choices/" + std::to_string(i) + "/index")->as_uint64(), i);
    static_cast<void>(choice);
  }
  EXPECT_EQ(engine_->requests().size(), 4u);
  EXPECT_TRUE(idle());
  const Answer stream = send("POST", "/v1/completions",
                             R"({"model":"m","prompt":["a","b"],"stream":true,"max_tokens":5})");
  EXPECT_THAT(stream.body, HasSubstr("\"index\":1"));
  EXPECT_THAT(stream.body, EndsWith("data: [DONE]\n\n"));
}

TEST_F(ServiceTest, ErrorsBeforeTheFirstFrameKeepTheirStatusUnaryAndStreamed) {
  const auto with = [](Error error, bool refuse) {
    Script script;
    if (refuse)
      script.refusal = std::move(error);
    else
      script.steps.push_back({.delay = {}, .outputs = {}, .error = std::move(error)});
    return script;
  };
  int next = 0;
  const std::vector<std::pair<Error, int>> cases{
      {{Errc::invalid_argument, "too long"}, 400},
      {{Errc::overloaded, "full"}, 529},
      {{Errc::unavailable, "gone"}, 503},
      {{Errc::unimplemented, "never"}, 501},
      {{Errc::internal, "secret"}, 500},
      {Error(Errc::internal, "forbidden").with_backend_status(403), 403}};
  start([&](const PreprocessedRequest&) {
    const int i = next++;
    return with(cases[static_cast<std::size_t>(i / 4)].first, i % 2 == 0);
  });
  for (const auto& [error, status] : cases) {
    for (const std::string_view more : {"", "", R"(,"stream":true)", R"(,"stream":true)"}) {
      const Answer answer = chat(more);
      EXPECT_EQ(answer.status, status) << answer.body;
      EXPECT_EQ(answer.json().pointer("/code")->as_int64(), status);
      EXPECT_THAT(answer.body, Not(HasSubstr("secret")));
      if (status == 503 || status == 529) EXPECT_THAT(answer.head, HasSubstr("retry-after: "));
      if (status >= 500) EXPECT_NE(answer.json().find("request_id"), nullptr) << answer.body;
    }
  }
  EXPECT_TRUE(idle());
  EXPECT_EQ(series("model_rejection_total", R"({endpoint="chat_completions",model="m"})"), "4");
}

TEST_F(ServiceTest, AnErrorInMidStreamEndsItWithTheErrorEvent) {
  Script script = spell("abc");
  script.steps.back().outputs.clear();
  script.steps.back().error = Error(Errc::internal, "secret");
  start(script);
  const Answer stream = chat(R"(,"stream":true)");
  EXPECT_EQ(stream.status, 200);
  EXPECT_THAT(stream.body, EndsWith("data: {\"error\":{\"message\":\"Internal server "
                                    "error\",\"type\":\"internal_server_error\","
                                    "\"code\":500}}\n\ndata: [DONE]\n\n"));
  EXPECT_THAT(stream.body, Not(HasSubstr("secret")));
  EXPECT_EQ(chat().status, 500);
  EXPECT_TRUE(idle());
  EXPECT_EQ(
      series(
          "requests_total",
          R"({endpoint="chat_completions",error_type="internal",model="m",request_type="stream",status="error"})"),
      "1");
}

TEST_F(ServiceTest, AnEmptyStreamIsNoError) {
  start(Script{});
  const Answer unary = chat();
  EXPECT_EQ(unary.status, 200) << unary.body;
  EXPECT_THAT(chat(R"(,"stream":true)").body, EndsWith("data: [DONE]\n\n"));
  EXPECT_TRUE(idle());
}

TEST_F(ServiceTest, AStopStringEndsTheEngine) {
  start([](const PreprocessedRequest&) {
    Script script = spell("one two three");
    script.steps.back().outputs[0].finish_reason.reset();
    script.hang = true;
    return script;
  });
  const Answer answer = chat(R"(,"stop":["two"])");
  EXPECT_EQ(*answer.json().pointer("/choices/0/message/content")->if_string(), "one ");
  EXPECT_TRUE(idle());
}

TEST_F(ServiceTest, AStopStringOfOneChoiceStopsThatChoiceOnly) {
  start([](const PreprocessedRequest& request) {
    Script script = spell(request.sampling_options.seed == 10 ? "a stop b" : "a long way to go");
    if (request.sampling_options.seed == 10) {
      script.steps.back().outputs[0].finish_reason.reset();
      script.hang = true;
    }
    return script;
  });
  const Answer answer = chat(R"(,"n":2,"temperature":1,"seed":10,"stop":["stop"])");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json body = answer.json();
  EXPECT_EQ(*body.pointer("/choices/0/message/content")->if_string(), "a ");
  EXPECT_EQ(*body.pointer("/choices/1/message/content")->if_string(), "a long way to go");
  EXPECT_TRUE(idle());
}

TEST_F(ServiceTest, WhatCameBeforeAnErrorInTheSameBatchReachesAStream) {
  Script script;
  EngineOutput broken;
  broken.finish_reason = FinishReason{FinishReason::Kind::error, "secret"};
  script.steps.push_back({.delay = {}, .outputs = {bytes_output("x"), broken}, .error = {}});
  start(script);
  const Answer stream = chat(R"(,"stream":true)");
  EXPECT_EQ(stream.status, 200);
  EXPECT_THAT(stream.body, HasSubstr("\"content\":\"x\""));
  EXPECT_THAT(stream.body, EndsWith("\"code\":500}}\n\ndata: [DONE]\n\n"));
  EXPECT_EQ(chat().status, 500);
  EXPECT_TRUE(idle());
}

TEST_F(ServiceTest, AClientThatLeavesKillsItsRequestBeforeAndWithinTheResponse) {
  start([](const PreprocessedRequest& request) {
    Script script;
    if (request.token_ids[0] == 's')
      script.steps.push_back({.delay = {}, .outputs = {bytes_output("x")}, .error = {}});
    script.hang = true;
    return script;
  });
  for (const bool streams : {false, true}) {
    Client client(service_->port());
    const std::string body =
        chat_body(streams ? R"(,"stream":true)" : "", streams ? "stream" : "unary");
    client.send(head("POST", "/v1/chat/completions", body.size()) + body);
    ASSERT_TRUE(streams ? client.wait_for("\"content\":\"x\"")
                        : eventually([&] { return engine_->running() == 1; }));
    EXPECT_EQ(series("inflight_requests", R"({model="m"})"), "1");
    client.close();
    EXPECT_TRUE(idle());
  }
  EXPECT_EQ(series("disconnected_clients", ""), "2");
  EXPECT_EQ(engine_->killed(), 2);
  for (const std::string_view type : {"unary", "stream"}) {
    EXPECT_EQ(series("model_cancellation_total",
                     R"({endpoint="chat_completions",model="m",request_type=")" +
                         std::string(type) + "\"}"),
              "1");
    EXPECT_EQ(
        series("requests_total",
               R"({endpoint="chat_completions",error_type="cancelled",model="m",request_type=")" +
                   std::string(type) + R"(",status="error"})"),
        "1");
  }
}

TEST_F(ServiceTest, ChecksInTheReferencesOrder) {
  start(spell("x"));
  EXPECT_EQ(send("POST", "/v1/chat/completions", "{").status, 400);
  EXPECT_THAT(send("POST", "/v1/chat/completions", "{").body,
              HasSubstr("Failed to deserialize the JSON body"));
  EXPECT_EQ(chat(R"(,"temperature":3)", "hi", "nobody").status,
            400);  // validation before the lookup
  const Answer unknown = chat("", "hi", "nobody");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(*unknown.json().pointer("/message")->if_string(), "Model not found");
  EXPECT_EQ(*unknown.json().pointer("/error/code")->if_string(), "model_not_found");
  EXPECT_EQ(chat(R"(,"functions":[])").status, 501);
  EXPECT_EQ(chat("", "refuse").status, 400);
  EXPECT_EQ(*chat("", "refuse").json().pointer("/message")->if_string(), "the template refuses");
  const Answer too_long = chat("", std::string(200, 'x'));
  EXPECT_EQ(too_long.status, 400);
  EXPECT_EQ(*too_long.json().pointer("/error/code")->if_string(), "context_length_exceeded");
  EXPECT_EQ(
      series(
          "requests_total",
          R"({endpoint="chat_completions",error_type="not_found",model="unknown_model",request_type="unary",status="error"})"),
      "1");
  EXPECT_EQ(series("inflight_requests", R"({model="nobody"})"), "absent");
  ASSERT_TRUE(models_.set_ready("m", false));
  EXPECT_EQ(chat(R"(,"temperature":3)").status, 503);  // readiness before validation
  EXPECT_THAT(chat().body, HasSubstr("is not ready to serve requests yet"));
}

TEST_F(ServiceTest, RefusesWrongContentAndLargeBodies) {
  config::ScopedConfiguration small({{"DYN_HTTP_BODY_LIMIT_MB", "1"}});
  start(spell("x"));
  Client client(service_->port());
  client.send(
      "POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: "
      "2\r\n\r\n{}");
  const Answer type = client.read();
  EXPECT_EQ(type.status, 415);
  EXPECT_THAT(type.body, HasSubstr("Expected request with Content-Type application/json"));
  const Answer large = send("POST", "/v1/chat/completions", std::string((1 << 20) + 1, ' '));
  EXPECT_EQ(large.status, 413);
  EXPECT_THAT(large.body,
              HasSubstr("Request body exceeds the limit of 1 MB set by DYN_HTTP_BODY_LIMIT_MB"));
  // A long body goes over the compute pool.
  EXPECT_EQ(send("POST", "/v1/chat/completions", chat_body() + std::string(100'000, ' ')).status,
            200);
}

TEST_F(ServiceTest, ResolvesAliasesAndTemplates) {
  HttpServiceOptions options;
  options.request_template = {.model = "alias", .temperature = 0.5F, .max_completion_tokens = 7};
  start([](const PreprocessedRequest&) { return spell("x"); }, options);
  EXPECT_EQ(*chat("", "hi", "org/m").json().pointer("/model")->if_string(), "m");
  EXPECT_EQ(*chat("", "hi", "").json().pointer("/model")->if_string(), "m");
  EXPECT_EQ(engine_->requests().back().stop_conditions.max_tokens, 7u);
  EXPECT_EQ(engine_->requests().back().sampling_options.temperature, 0.5F);
  EXPECT_EQ(chat(R"(,"max_tokens":3,"temperature":1)").status, 200);
  EXPECT_EQ(engine_->requests().back().stop_conditions.max_tokens, 3u);
  EXPECT_EQ(engine_->requests().back().sampling_options.temperature, 1.0F);
}

TEST_F(ServiceTest, ListsModels) {
  start(spell("x"));
  const Json list = send("GET", "/v1/models").json();
  ASSERT_EQ(list.find("data")->if_array()->size(), 3u);
  EXPECT_EQ(*list.pointer("/data/0/id")->if_string(), "alias");
  EXPECT_EQ(*list.pointer("/data/1/id")->if_string(), "m");
  EXPECT_EQ(list.pointer("/data/1/context_window")->as_int64(), 100);
  EXPECT_EQ(*list.pointer("/data/1/owned_by")->if_string(), "nvidia");
  const Json anthropic = send("GET", "/v1/models", {}, "anthropic-version: 2023-06-01\r\n").json();
  EXPECT_EQ(*anthropic.pointer("/last_id")->if_string(), "org/m");
  EXPECT_EQ(*send("GET", "/v1/models/org/m").json().find("id")->if_string(), "org/m");
  EXPECT_EQ(send("GET", "/v1/models/nobody").status, 404);
  EXPECT_EQ(*send("GET", "/v1/models/org/m/ready").json().find("ready")->if_bool(), true);
  EXPECT_EQ(send("GET", "/v1/models/nobody/ready").status, 404);

  ASSERT_TRUE(models_.add_disabled("broken/ready", "its template does not compile"));
  EXPECT_EQ(send("GET", "/v1/models/broken/ready").status, 503);  // the name, not the suffix
  const Json ready = send("GET", "/v1/models/broken/ready/ready").json();
  EXPECT_EQ(*ready.find("ready")->if_bool(), false);
  EXPECT_EQ(*ready.find("reason")->if_string(), "its template does not compile");
  EXPECT_THAT(chat("", "hi", "broken/ready").body, HasSubstr("its template does not compile"));
  EXPECT_EQ(send("GET", "/v1/models").json().find("data")->if_array()->size(), 3u);
  EXPECT_EQ(series("model_ready", R"({model="broken/ready"})"), "0");
  ASSERT_TRUE(models_.remove("broken/ready"));
  EXPECT_EQ(series("model_ready", R"({model="broken/ready"})"), "absent");
}

TEST_F(ServiceTest, OpensRoutesWithTheFirstModel) {
  start_without_model();
  const Answer before = chat();
  EXPECT_EQ(before.status, 404);
  EXPECT_EQ(*before.json().pointer("/error/code")->if_string(), "model_not_found");
  EXPECT_EQ(send("GET", "/openapi.json").json().pointer("/paths/~1v1~1chat~1completions"), nullptr);
  auto card = test::byte_card();
  card->formatter = std::make_shared<JoinedContents>();
  engine_ = std::make_shared<ScriptedEngine>(spell("x"));
  ASSERT_TRUE(models_.add(card, engine_));
  EXPECT_EQ(chat().status, 200);
  EXPECT_NE(send("GET", "/openapi.json").json().pointer("/paths/~1v1~1chat~1completions/post"),
            nullptr);
}

TEST_F(ServiceTest, ServesItsPages) {
  start(spell("x"));
  EXPECT_EQ(send("GET", "/health").body, R"({"status":"healthy","endpoints":[],"instances":[]})");
  EXPECT_EQ(send("GET", "/live").body, R"({"status":"live","message":"Service is live"})");
  EXPECT_EQ(chat().status, 200);
  EXPECT_THAT(send("GET", "/metrics").body,
              HasSubstr("# TYPE dynamo_frontend_inflight_requests gauge"));
  EXPECT_THAT(send("GET", "/docs").body, HasSubstr("/openapi.json"));
  EXPECT_EQ(*send("GET", "/no\xC3/%22").json().find("message")->if_string(),
            "Route not found: GET /no\xEF\xBF\xBD/\"");
  const Answer method = send("GET", "/v1/chat/completions");
  EXPECT_EQ(method.status, 405);
  EXPECT_THAT(method.head, HasSubstr("allow: POST"));
  EXPECT_EQ(method.json().find("code")->as_int64(), 405);
}

TEST_F(ServiceTest, TokenizesAsVllmDoes) {
  start(spell("x"));
  EXPECT_EQ(send("POST", "/tokenize", R"({"prompt":"ab"})").body,
            R"({"count":2,"max_model_len":100,"tokens":[97,98],"token_strs":null})");
  EXPECT_EQ(
      send("POST", "/tokenize",
           R"({"model":"m","messages":[{"role":"user","content":"ab"}],"return_token_strs":true})")
          .body,
      R"({"count":2,"max_model_len":100,"tokens":[97,98],"token_strs":["a","b"]})");
  EXPECT_EQ(send("POST", "/detokenize", R"({"model":"m","tokens":[9707,1879]})").body,
            R"({"prompt":"Hello world"})");
  EXPECT_EQ(send("POST", "/tokenize", R"({"model":"m"})").status, 400);
  EXPECT_EQ(send("POST", "/tokenize", R"({"model":"x","prompt":"a"})").status, 404);
  EXPECT_EQ(send("POST", "/tokenize", R"({"prompt":5})").json().pointer("/error/param")->dump(),
            "\"prompt\"");
  EXPECT_EQ(send("POST", "/detokenize", R"({"tokens":[1,99999999]})")
                .json()
                .pointer("/error/param")
                ->dump(),
            "\"tokens[1]\"");
}

TEST_F(ServiceTest, AsksForAKeyWhenThereAreSome) {
  HttpServiceOptions options;
  options.api_keys = {"one", "two"};
  start([](const PreprocessedRequest&) { return spell("x"); }, options);
  const Answer none = chat();
  EXPECT_EQ(none.status, 401);
  EXPECT_THAT(none.head, HasSubstr("www-authenticate: Bearer"));
  EXPECT_EQ(*none.json().pointer("/error/type")->if_string(), "authentication_error");
  EXPECT_EQ(
      send("POST", "/v1/chat/completions", chat_body(), "authorization: Bearer three\r\n").status,
      401);
  EXPECT_EQ(
      send("POST", "/v1/chat/completions", chat_body(), "authorization: Bearer two\r\n").status,
      200);
  EXPECT_EQ(send("GET", "/v1/models").status, 401);
  EXPECT_EQ(send("GET", "/health").status, 200);
}

TEST_F(ServiceTest, DrainsAsTheStagesSay) {
  start(spell("hello", std::chrono::milliseconds(30)));
  Client running(service_->port());
  const std::string body = chat_body(R"(,"stream":true)");
  running.send(head("POST", "/v1/chat/completions", body.size()) + body);
  ASSERT_TRUE(running.wait_for("\"content\":\"h\""));
  shutdown_.begin();
  const Answer refused = chat();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(*refused.json().find("message")->if_string(), "Service is not ready");
  EXPECT_THAT(refused.head, HasSubstr("retry-after: "));
  EXPECT_EQ(send("GET", "/health").body,
            R"({"status":"not_ready","stage":"draining","message":"Service is not ready"})");
  EXPECT_EQ(send("GET", "/live").status, 200);
  EXPECT_TRUE(shutdown_.wait(std::chrono::seconds(5)));
  EXPECT_THAT(running.read().body, EndsWith("data: [DONE]\n\n"));
  EXPECT_EQ(send("GET", "/live").status, 503);
}

TEST_F(ServiceTest, WritesKeepAliveCommentsWhileTheEngineIsSilent) {
  config::ScopedConfiguration often({{"DYN_HTTP_SSE_KEEP_ALIVE_INTERVAL_MS", "20"}});
  Script script = spell("x");
  script.steps[0].delay = std::chrono::milliseconds(100);
  start(script);
  const Answer answer = chat(R"(,"stream":true)");
  EXPECT_THAT(answer.body, StartsWith(":\n\n:\n\n"));
  EXPECT_THAT(answer.body, EndsWith("data: [DONE]\n\n"));
  EXPECT_TRUE(idle());
}

TEST_F(ServiceTest, EndsARequestWhoseEngineIsSilentForTooLong) {
  start([](const PreprocessedRequest& request) {
    Script script;
    if (request.token_ids[0] == 's')
      script.steps.push_back({.delay = {}, .outputs = {bytes_output("x")}, .error = {}});
    script.hang = true;
    return script;
  });
  // The variable counts whole seconds; the limit itself can be shorter.
  ServiceSettings settings(config::process());
  settings.silence_limit = std::chrono::milliseconds(20);
  const RequestTemplate no_template;
  runtime::MetricsRegistry registry;
  FrontendMetrics metrics(registry, "dynamo_frontend");
  const std::function<FleetHealth()> no_fleet;
  const ServiceParts parts{settings, no_template, compute_, shutdown_, models_, metrics, no_fleet};
  HttpServer server({}, pool_, [&](Exchange& exchange) { return serve_chat({parts, exchange}); });
  ASSERT_TRUE(server.start());
  const auto ask = [&](std::string_view more, std::string_view content) {
    Client client(server.port());
    const std::string body = chat_body(more, content);
    client.send(head("POST", "/", body.size()) + body);
    return client.read();
  };
  EXPECT_EQ(ask("", "hi").status, 504);
  const Answer stream = ask(R"(,"stream":true)", "s");
  EXPECT_THAT(stream.body, HasSubstr("\"content\":\"x\""));
  EXPECT_THAT(stream.body, Not(HasSubstr("[DONE]")));
  EXPECT_TRUE(eventually([&] { return engine_->running() == 0; }));
  server.stop(std::chrono::seconds(1));
  EXPECT_THAT(
      registry.expose(),
      HasSubstr(
          R"(error_type="response_timeout",model="m",request_type="stream",status="error"} 1)"));
}

TEST_F(ServiceTest, CommitsEarlyWhenAskedTo) {
  config::ScopedConfiguration early({{"DYN_HTTP_PRE_COMMIT_ERROR_PEEK_MS", "1"}});
  Script script;
  script.steps.push_back({.delay = std::chrono::milliseconds(60),
                          .outputs = {},
                          .error = Error(Errc::overloaded, "full")});
  start(script);
  const Answer answer = chat(R"(,"stream":true)");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("\"error\""));
}

TEST_F(ServiceTest, PutsAnnotationsFirst) {
  start(spell("x"));
  const Answer answer = chat(R"(,"stream":true,"nvext":{"annotations":["request_id"]})");
  EXPECT_THAT(answer.body, StartsWith("event: request_id\n: \""));
}

TEST_F(ServiceTest, HealthShowsTheFleet) {
  HttpServiceOptions options;
  options.fleet = [] {
    return FleetHealth{{"dyn://ns.b.generate", "dyn://ns.a.generate"},
                       {*parse_json(R"({"component":"a","instance_id":7})")}};
  };
  start([](const PreprocessedRequest&) { return spell("x"); }, std::move(options));
  EXPECT_EQ(send("GET", "/health").body,
            R"({"status":"healthy","endpoints":["dyn://ns.a.generate","dyn://ns.b.generate"],)"
            R"("instances":[{"component":"a","instance_id":7}]})");
}

TEST_F(ServiceTest, BusyThresholdsAreSetAndRead) {
  start(spell("x"));
  const auto ask = [&](std::string_view body) { return send("POST", "/busy_threshold", body); };
  EXPECT_EQ(ask("{\"model\":\"" + std::string(20'000, 'm') + "\"}").status, 413);
  EXPECT_EQ(send("GET", "/busy_threshold").body,
            R"({"thresholds":[{"model":"m","active_decode_blocks_threshold":null,)"
            R"("active_prefill_tokens_threshold":null,)"
            R"("active_prefill_tokens_threshold_frac":null}]})");
  EXPECT_EQ(ask(R"({"model":"m","active_decode_blocks_threshold":0.5})").status, 200);
  EXPECT_EQ(ask(R"({"model":"alias","active_prefill_tokens_threshold":7})").body,
            R"({"model":"alias","active_decode_blocks_threshold":0.5,)"
            R"("active_prefill_tokens_threshold":7,"active_prefill_tokens_threshold_frac":null})");
  EXPECT_EQ(*models_.snapshot()->find("m")->busy_thresholds.active_prefill_tokens, 7U);
  // A read of a model that nobody serves has nothing to tell; a set is refused.
  EXPECT_EQ(ask(R"({"model":"x"})").body, R"({"model":"x","active_decode_blocks_threshold":null,)"
                                          R"("active_prefill_tokens_threshold":null,)"
                                          R"("active_prefill_tokens_threshold_frac":null})");
  const Answer unknown = ask(R"({"model":"x","active_prefill_tokens_threshold":7})");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(
      unknown.body,
      R"({"error":"Model 'x' not found. Thresholds can only be set for discovered models."})");
  EXPECT_EQ(ask(R"({"model":"m","active_decode_blocks_threshold":1.5})").status, 400);
  EXPECT_EQ(ask(R"({"model":"m","active_decode_blocks_threshold":"a"})").status, 422);
  EXPECT_EQ(ask(R"({"model":"m","active_prefill_tokens_threshold":-1})").status, 422);
  EXPECT_EQ(ask(R"({"active_prefill_tokens_threshold":1})").status, 422);
  EXPECT_EQ(ask("[").status, 400);
  EXPECT_EQ(ask("[]").status, 422);
}

TEST_F(ServiceTest, TheAdministrativeRouteCanBeLeftOut) {
  config::ScopedConfiguration without({{"DYN_DISABLE_FRONTEND_ADMIN_API", "true"}});
  start(spell("x"));
  EXPECT_EQ(send("GET", "/busy_threshold").status, 404);
}

TEST_F(ServiceTest, TheEngineLearnsOfTheSession) {
  std::optional<Json> seen;
  start([&](const PreprocessedRequest& request) {
    seen = request.agent_context;
    return spell("x");
  });
  EXPECT_EQ(send("POST", "/v1/chat/completions", chat_body(), "x-dynamo-session-id: s1\r\n").status,
            200);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->dump(), R"({"session_id":"s1"})");
}

TEST_F(ServiceTest, RefusesAMemberThatIsThereTwice) {
  start(spell("x"));
  const Answer answer = chat(R"(,"model":"m")");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("duplicate field `model` at line 1 column "));
}

TEST_F(ServiceTest, DocumentsEveryMetricAndNoOther) {
  pool_.export_metrics(metrics_);
  compute_.export_metrics(metrics_);
  start(spell("x"));
  const auto document =
      base::read_file(std::filesystem::path(DYNAMO_SOURCE_DIR) / "docs" / "metrics.md");
  ASSERT_TRUE(document);
  std::set<std::string> known;
  for (const auto& family : metrics_.families()) {
    known.insert(family.name);
    EXPECT_THAT(*document, HasSubstr(to_markdown(family)));
  }
  for (std::size_t at = document->find("| `dynamo_"); at != std::string::npos;
       at = document->find("| `dynamo_", at + 1)) {
    const std::string name = document->substr(at + 3, document->find('`', at + 3) - at - 3);
    EXPECT_TRUE(known.contains(name)) << name << " is documented but not registered";
  }
}

}  // namespace
}  // namespace service_test
}  // namespace dynamo::llm::http
