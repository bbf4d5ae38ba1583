// SPDX-License-Identifier: Apache-2.0
#include <dynamo/runtime/async_event.h>
#include <dynamo/runtime/task_scope.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

namespace dynamo::runtime {
namespace task_scope_test {
namespace {

namespace net = boost::asio;
using namespace std::chrono_literals;
constexpr auto use_tuple = net::as_tuple(net::use_awaitable);

net::awaitable<void> sleep_for(std::chrono::milliseconds time, bool& aborted) {
  net::steady_timer timer(co_await net::this_coro::executor, time);
  auto [error] = co_await timer.async_wait(use_tuple);
  aborted = error == net::error::operation_aborted;
}

/// Awaits join() and says when it ended.
void join(net::io_context& io, TaskScope& scope, bool& joined) {
  net::co_spawn(
      io,
      [](TaskScope& s, bool& done) -> net::awaitable<void> {
        co_await s.join();
        done = true;
      }(scope, joined),
      net::detached);
}

TEST(TaskScope, JoinCompletesWhenTheLastTaskHasEnded) {
  net::io_context io(1);
  TaskScope scope(io.get_executor());
  bool aborted = true;
  bool joined = false;
  net::post(io, [&] {
    scope.spawn([&] { return sleep_for(1ms, aborted); });
    scope.spawn([&] { return sleep_for(2ms, aborted); });
    EXPECT_EQ(scope.running(), 2u);
    join(io, scope, joined);
  });
  io.run();
  EXPECT_TRUE(joined);
  EXPECT_FALSE(aborted);
  EXPECT_EQ(scope.running(), 0u);
}

TEST(TaskScope, JoinOfAnEmptyScopeCompletesAtOnce) {
  net::io_context io(1);
  TaskScope scope(io.get_executor());
  bool joined = false;
  join(io, scope, joined);
  io.run();
  EXPECT_TRUE(joined);
}

TEST(TaskScope, CancelEndsATimer) {
  net::io_context io(1);
  TaskScope scope(io.get_executor());
  bool aborted = false;
  bool joined = false;
  net::post(io, [&] {
    scope.spawn([&] { return sleep_for(1h, aborted); });
    scope.cancel();
    join(io, scope, joined);
  });
  io.run();
  EXPECT_TRUE(aborted);
  EXPECT_TRUE(joined);
}

TEST(TaskScope, CancelEndsASocketRead) {
  net::io_context io(1);
  net::ip::tcp::acceptor acceptor(io, {net::ip::address_v4::loopback(), 0});
  net::ip::tcp::socket client(io);
  client.connect(acceptor.local_endpoint());
  net::ip::tcp::socket server = acceptor.accept();
  TaskScope scope(io.get_executor());
  bool aborted = false;
  const auto read = [&]() -> net::awaitable<void> {
    char byte = 0;
    auto [error, n] = co_await server.async_read_some(net::buffer(&byte, 1), use_tuple);
    aborted = error == net::error::operation_aborted;
  };
  net::post(io, [&] {
    scope.spawn([&] { return read(); });
    net::post(io, [&] { scope.cancel(); });
  });
  io.run();
  EXPECT_TRUE(aborted);
}

TEST(TaskScope, CancelEndsAWaitForAnEvent) {
  net::io_context io(1);
  TaskScope scope(io.get_executor());
  AsyncEvent event;
  std::optional<Errc> code;
  const auto wait = [&]() -> net::awaitable<void> {
    const auto woken = co_await event.wait();
    if (!woken) code = woken.error().code();
  };
  net::post(io, [&] {
    scope.spawn([&] { return wait(); });
    scope.cancel();
  });
  io.run();
  EXPECT_EQ(code, Errc::cancelled);
}

TEST(TaskScope, TaskSpawnedAfterCancelIsCancelledAtOnce) {
  net::io_context io(1);
  TaskScope scope(io.get_executor());
  bool aborted = false;
  net::post(io, [&] {
    scope.cancel();
    scope.spawn([&] { return sleep_for(1h, aborted); });
  });
  io.run();
  EXPECT_TRUE(aborted);
  EXPECT_EQ(scope.running(), 0u);
}

TEST(TaskScope, CancelBetweenTwoOperationsEndsTheTaskAtItsNextAwait) {
  net::io_context io(1);
  TaskScope scope(io.get_executor());
  bool passed = false;
  const auto task = [&]() -> net::awaitable<void> {
    co_await net::post(net::use_awaitable);
    scope.cancel();  // nothing is pending now
    net::steady_timer timer(io, 1h);
    co_await timer.async_wait(use_tuple);
    passed = true;
  };
  net::post(io, [&] { scope.spawn([&] { return task(); }); });
  io.run();
  EXPECT_FALSE(passed);
  EXPECT_EQ(scope.running(), 0u);
}

TEST(TaskScope, CancelFromOutsideOfTheExecutorReachesTasksThatHaveNotBegun) {
  net::io_context io(1);
  TaskScope scope(io.get_executor());
  bool aborted = false;
  scope.spawn([&] { return sleep_for(1h, aborted); });  // posted: this is not the io's thread
  scope.cancel();
  io.run();
  EXPECT_EQ(scope.running(), 0u);
}

TEST(TaskScope, TaskThatThrowsCountsAsEnded) {
  net::io_context io(1);
  TaskScope scope(io.get_executor());
  const auto task = []() -> net::awaitable<void> {
    co_await net::post(net::use_awaitable);
    throw std::runtime_error("expected in this test");
  };
  net::post(io, [&] { scope.spawn([&] { return task(); }); });
  io.run();
  EXPECT_EQ(scope.running(), 0u);
}

TEST(TaskScope, KeepsWhatMakeCapturedUntilTheTaskHasEnded) {
  net::io_context io(1);
  TaskScope scope(io.get_executor());
  auto held = std::make_shared<std::string>("held");
  const std::weak_ptr<std::string> weak = held;
  bool joined = false;
  net::post(io, [&] {
    scope.spawn([text = std::move(held)] {
      return [](const std::string& t) -> net::awaitable<void> {
        co_await net::post(net::use_awaitable);
        EXPECT_EQ(t, "held");
      }(*text);
    });
    EXPECT_FALSE(weak.expired());
    join(io, scope, joined);
  });
  io.run();
  EXPECT_TRUE(joined);
  EXPECT_TRUE(weak.expired());
}

/// An owner that its own task keeps alive, as a connection does.
struct Connection : std::enable_shared_from_this<Connection> {
  explicit Connection(net::any_io_executor e) : scope(std::move(e)) {}
  void start() {
    scope.spawn([self = shared_from_this()] { return self->run(); });
  }
  net::awaitable<void> run() { co_await net::post(net::use_awaitable); }
  TaskScope scope;
};

TEST(TaskScope, TaskMayHoldTheOwnerOfItsScope) {
  net::io_context io(1);
  std::weak_ptr<Connection> weak;
  net::post(io, [&] {
    const auto connection = std::make_shared<Connection>(io.get_executor());
    weak = connection;
    connection->start();
  });
  io.run();
  EXPECT_TRUE(weak.expired());
}

TEST(TaskScope, CancelledTaskMayJoinItsOwnScope) {
  net::io_context io(1);
  TaskScope outer(io.get_executor());
  bool inner_aborted = false;
  bool cleaned = false;
  const auto task = [&]() -> net::awaitable<void> {
    co_await net::this_coro::throw_if_cancelled(false);
    TaskScope inner(io.get_executor());
    inner.spawn([&] { return sleep_for(1h, inner_aborted); });
    bool aborted = false;
    co_await sleep_for(1h, aborted);
    inner.cancel();
    co_await inner.join();
    cleaned = true;
  };
  net::post(io, [&] {
    outer.spawn([&] { return task(); });
    outer.cancel();
  });
  io.run();
  EXPECT_TRUE(inner_aborted);
  EXPECT_TRUE(cleaned);
}

TEST(TaskScope, EndsWithItsIoContext) {
  std::optional<TaskScope> scope;
  AsyncEvent event;
  {
    net::io_context io(1);
    scope.emplace(io.get_executor());
    const auto wait = [](AsyncEvent& e) -> net::awaitable<void> {
      [[maybe_unused]] const auto woken = co_await e.wait();
    };
    bool aborted = false;
    bool joined = false;
    scope->spawn([&] { return wait(event); });
    scope->spawn([&] { return sleep_for(1h, aborted); });
    io.poll();
    scope->spawn([&] { return sleep_for(1h, aborted); });  // never begins
    join(io, *scope, joined);
    EXPECT_EQ(scope->running(), 3u);
  }
  EXPECT_EQ(scope->running(), 0u);
}

TEST(TaskScopeDeathTest, DestructorAssertsThatNothingRuns) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        net::io_context io(1);
        bool aborted = false;
        TaskScope scope(io.get_executor());
        scope.spawn([&] { return sleep_for(1h, aborted); });
      },
      "tasks.empty");
}

}  // namespace
}  // namespace task_scope_test
}  // namespace dynamo::runtime
