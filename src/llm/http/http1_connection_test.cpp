// SPDX-License-Identifier: Apache-2.0
#include "llm/http/http1_connection.h"

#include <dynamo/runtime/context.h>

#include <stdexcept>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "llm/http/memory_transport.h"

namespace dynamo::llm::http {
namespace http1_connection_test {
namespace {

namespace net = boost::asio;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// One connection whose client is the test.
class Fixture : public testing::Test {
 protected:
  Fixture() {
    ticker_.date = "D";
    ticker_.now += std::chrono::hours(1);
    shared_.handler = [this](Exchange& exchange) { return echo(exchange); };
  }
  ~Fixture() override {
    if (connection_) {
      connection_->abort();
      run();
    }
    EXPECT_TRUE(ended_);
  }

  void open() {
    connection_.reset();
    peer_ = {};
    connection_ = std::make_unique<Http1Connection>(
        std::make_unique<MemoryTransport>(io_.get_executor(), peer_), shared_, ticker_, nullptr,
        "test:1");
    ended_ = false;
    net::co_spawn(io_, connection_->run(), [this](std::exception_ptr failure) {
      EXPECT_FALSE(failure);
      ended_ = true;
    });
    run();
  }
  void run() {
    io_.restart();
    io_.poll();
  }
  /// What the server sends in answer to `bytes`.
  std::string say(std::string_view bytes) {
    if (!connection_) open();
    peer_.send(bytes);
    run();
    return std::exchange(peer_.from_server, {});
  }
  void pass(std::chrono::milliseconds time) {
    ticker_.now += time;
    connection_->on_tick(ticker_.now);
    run();
  }

  /// Answers with method, path and body.
  net::awaitable<void> echo(Exchange& exchange) {
    auto body = co_await exchange.read_body(body_limit_);
    paths_.emplace_back(exchange.head().path());
    if (!body) {
      const int status = body.error().code() == Errc::payload_too_large ? 413 : 400;
      static_cast<void>(co_await exchange.respond(status, "text/plain", body.error().message()));
      co_return;
    }
    static_cast<void>(co_await exchange.respond(200, "text/plain",
                                                std::string(exchange.head().method_text()) + " " +
                                                    std::string(exchange.head().path()) + " " +
                                                    *body));
  }

  net::io_context io_;
  ServerShared shared_;
  ShardTicker ticker_;
  MemoryPeer peer_;
  std::size_t body_limit_ = 1 << 20;
  std::vector<std::string> paths_;
  std::unique_ptr<Http1Connection> connection_;
  bool ended_ = true;
};
using Http1ConnectionTest = Fixture;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: h\r\n\r\n";

TEST_F(Http1ConnectionTest, AnswersByteForByte) {
  EXPECT_EQ(
      say(kGet),
      "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 7\r\ndate: D\r\n\r\nGET /a ");
  EXPECT_EQ(peer_.writes, 1u);
  EXPECT_FALSE(ended_);
}

TEST_F(Http1ConnectionTest, AnswersTheSameUnderEverySplitOfItsInput) {
  const std::string input =
      "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello"
      "POST /b HTTP/1.1\r\nhost: h\r\ntransfer-encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
      "GET /c HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
  std::string expected;
  for (std::size_t split = 0; split <= input.size(); ++split) {
    open();
    std::string answer = say(input.substr(0, split));
    if (split < input.size()) answer += say(input.substr(split));
    if (split == 0) {
      expected = answer;
      EXPECT_THAT(answer, HasSubstr("POST /a hello"));
      EXPECT_THAT(answer, HasSubstr("POST /b abcde"));
      EXPECT_THAT(answer, HasSubstr("GET /c "));
    }
    ASSERT_EQ(answer, expected) << split;
    EXPECT_TRUE(ended_);
    EXPECT_TRUE(peer_.closed_by_server);
  }
}

TEST_F(Http1ConnectionTest, ServesPipelinedRequestsInOrder) {
  std::string input;
  for (int i = 0; i < 100; ++i)
    input += "GET /" + std::to_string(i) + " HTTP/1.1\r\nhost: h\r\n\r\n";
  say(input);
  ASSERT_EQ(paths_.size(), 100u);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(paths_[static_cast<std::size_t>(i)], "/" + std::to_string(i));
}

TEST_F(Http1ConnectionTest, SendsContinueOnlyWhenTheBodyIsWanted) {
  EXPECT_EQ(say("POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"),
            "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_THAT(say("ok"), HasSubstr("POST / ok"));
  body_limit_ = 1;
  EXPECT_THAT(
      say("POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"),
      StartsWith("HTTP/1.1 413 "));
}

TEST_F(Http1ConnectionTest, RefusesALargeBodyUnreadAndLetsTheClientReadTheRefusal) {
  body_limit_ = 10;
  const std::string answer = say("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 100000000\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 Payload Too Large"));
  EXPECT_THAT(answer, HasSubstr("connection: close"));
  EXPECT_FALSE(ended_);  // lingers, so that what still comes causes no reset
  say(std::string(100000, 'x'));
  EXPECT_FALSE(ended_);
  peer_.close();
  run();
  EXPECT_TRUE(ended_);
}

TEST_F(Http1ConnectionTest, RefusesBadHeads) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"\x16\x03\x01", "400 Bad Request"},
      {"GET / HTTP/1.1\n\n", "400 Bad Request"},
      {"GET / HTTP/1.1\r\n\r\n", "400 Bad Request"},
      {"GET / HTTP/3.0\r\nhost: h\r\n\r\n", "505 HTTP Version Not Supported"},
      {"GET /" + std::string(9000, 'x'), "414 URI Too Long"},
      {"GET / HTTP/1.1\r\na: " + std::string(70000, 'x'), "431 Request Header Fields Too Large"},
      {"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: gzip\r\n\r\n", "501 Not Implemented"}};
  for (const auto& [input, status] : cases) {
    open();
    const std::string answer = say(input);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + status)) << input.substr(0, 30);
    EXPECT_THAT(answer, HasSubstr("connection: close"));
    EXPECT_THAT(answer, HasSubstr("\"code\":" + status.substr(0, 3)));
    peer_.close();
    run();
    EXPECT_TRUE(ended_);
  }
}

TEST_F(Http1ConnectionTest, EndsAWaitForEveryKindOfSlowClient) {
  open();
  pass(shared_.limits.idle - std::chrono::milliseconds(1));
  EXPECT_FALSE(ended_);
  pass(std::chrono::milliseconds(1));
  EXPECT_TRUE(ended_);  // says nothing
  EXPECT_EQ(peer_.from_server, "");

  open();
  say("GET / HT");
  for (int i = 0; i < 9; ++i) {
    pass(std::chrono::seconds(1));
    say("T");  // a byte now and then does not help
  }
  pass(std::chrono::seconds(1));
  EXPECT_THAT(peer_.from_server, StartsWith("HTTP/1.1 408 "));
  peer_.close();
  run();
  EXPECT_TRUE(ended_);

  open();
  say("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 500000\r\n\r\n");
  std::string answer;
  for (int i = 0; i < 40; ++i) {
    answer += say("x");
    pass(std::chrono::seconds(1));
  }
  EXPECT_THAT(answer, HasSubstr("did not arrive in time"));
  peer_.close();
  run();
  EXPECT_TRUE(ended_);
}

TEST_F(Http1ConnectionTest, KeepsTheConnectionWhenASmallBodyIsLeftUnread) {
  shared_.handler = [](Exchange& exchange) -> net::awaitable<void> {
    static_cast<void>(co_await exchange.respond(404, "text/plain", "no"));
  };
  EXPECT_THAT(say("POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhe"),
              Not(HasSubstr("close")));
  EXPECT_EQ(say("ll"), "");
  EXPECT_THAT(say("oGET /y HTTP/1.1\r\nhost: h\r\n\r\n"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(say("POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 500000\r\n\r\nhe"),
              HasSubstr("connection: close"));
}

TEST_F(Http1ConnectionTest, StreamsChunksAndTheHeadLeavesWithTheFirst) {
  shared_.handler = [](Exchange& exchange) -> net::awaitable<void> {
    static_cast<void>(
        co_await exchange.start_stream(200, "text/event-stream", {{"cache-control", "no-cache"}}));
    static_cast<void>(co_await exchange.write("data: one\n\n"));
    static_cast<void>(co_await exchange.write(""));
    static_cast<void>(co_await exchange.finish_stream("data: [DONE]\n\n"));
  };
  EXPECT_EQ(say(kGet),
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
            "transfer-encoding: chunked\r\ndate: D\r\n\r\nB\r\ndata: one\n\n\r\nE\r\ndata: "
            "[DONE]\n\n\r\n0\r\n\r\n");
  EXPECT_EQ(say("GET / HTTP/1.0\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
            "connection: close\r\ndate: D\r\n\r\ndata: one\n\ndata: [DONE]\n\n");
  EXPECT_TRUE(ended_);
}

TEST_F(Http1ConnectionTest, AnswersHeadWithoutABody) {
  EXPECT_EQ(say("HEAD /a HTTP/1.1\r\nhost: h\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 8\r\ndate: D\r\n\r\n");
}

TEST_F(Http1ConnectionTest, EchoesTheRequestIdButNoForgedField) {
  EXPECT_THAT(say("GET / HTTP/1.1\r\nhost: h\r\nx-request-id: abc\r\n\r\n"),
              HasSubstr("\r\nx-request-id: abc\r\n"));
  EXPECT_THAT(
      say("GET / HTTP/1.1\r\nhost: h\r\nx-request-id: " + std::string(300, 'x') + "\r\n\r\n"),
      Not(HasSubstr("x-request-id")));
}

TEST_F(Http1ConnectionTest, TurnsHandlersThatFailInto500) {
  shared_.handler = [](Exchange&) -> net::awaitable<void> { co_return; };
  EXPECT_THAT(say(kGet), StartsWith("HTTP/1.1 500 "));
  shared_.handler = [](Exchange&) -> net::awaitable<void> {
    throw std::runtime_error("x");
    co_return;
  };
  EXPECT_THAT(say(kGet), StartsWith("HTTP/1.1 500 "));
  shared_.handler = [](Exchange& exchange) -> net::awaitable<void> {
    static_cast<void>(co_await exchange.start_stream(200, "text/plain"));
    static_cast<void>(co_await exchange.write("part"));
  };
  EXPECT_THAT(say(kGet), Not(HasSubstr("0\r\n\r\n")));  // cut, not ended
  EXPECT_TRUE(ended_);
}

/// A handler that works until its context is killed.
class DisconnectTest : public Fixture {
 protected:
  DisconnectTest() {
    shared_.handler = [this](Exchange& exchange) { return work(exchange); };
  }
  net::awaitable<void> work(Exchange& exchange) {
    exchange.kill_on_disconnect(context_);
    static_cast<void>(co_await exchange.start_stream(200, "text/plain"));
    while (!context_->is_killed() && !done_) co_await step_.wait();
    if (done_)
      static_cast<void>(co_await exchange.finish_stream("bye"));
    else
      exchange.abort();
  }
  runtime::ContextPtr context_ = runtime::Context::create("id");
  LocalEvent step_;
  bool done_ = false;
};

TEST_F(DisconnectTest, KillsTheContextWhenTheClientLeaves) {
  say(kGet);
  EXPECT_FALSE(context_->is_killed());
  peer_.close();
  run();
  EXPECT_TRUE(context_->is_killed());
  step_.notify();
  run();
  EXPECT_TRUE(ended_);
}

TEST_F(DisconnectTest, SeesTheClientLeaveBehindPipelinedRequestsToo) {
  say(std::string(kGet) + std::string(kGet));
  peer_.send(std::string(200000, 'x'));  // more than the input buffer takes
  run();
  peer_.close();
  run();
  pass(std::chrono::seconds(1));
  EXPECT_TRUE(context_->is_killed());
  step_.notify();
  run();
  EXPECT_TRUE(ended_);
}

TEST_F(DisconnectTest, WhatComesDuringAResponseIsServedAfterIt) {
  say(kGet);
  done_ = true;
  EXPECT_EQ(say(kGet), "");  // read by the watch
  step_.notify();
  run();
  std::string answer = std::exchange(peer_.from_server, {});
  EXPECT_EQ(answer.find("bye"), answer.rfind("bye") - (answer.rfind("bye") - answer.find("bye")));
  std::size_t answers = 0;
  for (std::size_t at = answer.find("bye"); at != std::string::npos;
       at = answer.find("bye", at + 1))
    ++answers;
  EXPECT_EQ(answers, 2u);
  EXPECT_FALSE(context_->is_killed());
}

TEST_F(Http1ConnectionTest, CutsOffAClientThatStopsReading) {
  auto context = runtime::Context::create("id");
  Result<void> written;
  shared_.handler = [&](Exchange& exchange) -> net::awaitable<void> {
    exchange.kill_on_disconnect(context);
    static_cast<void>(co_await exchange.start_stream(200, "text/plain"));
    do written = co_await exchange.write("x");
    while (written);
    exchange.abort();
  };
  open();
  peer_.takes_bytes = false;
  say(kGet);
  pass(shared_.limits.write_stall - std::chrono::milliseconds(1));
  EXPECT_FALSE(context->is_killed());
  pass(std::chrono::milliseconds(1));
  EXPECT_TRUE(context->is_killed());
  EXPECT_EQ(written.error().code(), Errc::disconnected);
  EXPECT_TRUE(ended_);
}

TEST_F(Http1ConnectionTest, DrainsAndStops) {
  say(kGet);
  shared_.draining = true;
  EXPECT_THAT(say(kGet), HasSubstr("connection: close"));
  EXPECT_TRUE(ended_);

  shared_.draining = false;
  open();
  connection_->close_when_idle();
  run();
  EXPECT_TRUE(ended_);

  open();
  say("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n");
  connection_->close_when_idle();
  run();
  EXPECT_FALSE(ended_);
  EXPECT_THAT(say("ok"), HasSubstr("POST / ok"));
  EXPECT_TRUE(ended_);
}

}  // namespace
}  // namespace http1_connection_test
}  // namespace dynamo::llm::http
