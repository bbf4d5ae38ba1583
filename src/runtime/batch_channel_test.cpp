// SPDX-License-Identifier: Apache-2.0
#include <dynamo/runtime/async_event.h>
#include <dynamo/runtime/batch_channel.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace dynamo::runtime {
namespace batch_channel_test {
namespace {

namespace net = boost::asio;

template <class T>
T run(net::io_context& io, net::awaitable<T> task) {
  std::optional<T> value;
  net::co_spawn(io, std::move(task), [&](std::exception_ptr error, T result) {
    EXPECT_EQ(error, nullptr);
    value.emplace(std::move(result));
  });
  io.restart();
  io.run();
  return std::move(*value);
}

TEST(AsyncEvent, NotifyBeforeWaitIsRemembered) {
  net::io_context io(1);
  AsyncEvent event;
  event.notify();
  event.notify();
  EXPECT_TRUE(run(io, event.wait()).has_value());
}

TEST(AsyncEvent, NotifyFromAnotherThreadWakesTheWaiter) {
  net::io_context io(1);
  AsyncEvent event;
  std::thread other([&] { event.notify(); });
  EXPECT_TRUE(run(io, event.wait()).has_value());  // run() lasts: the wait counts as work
  other.join();
}

TEST(AsyncEvent, MayBeUsedFromOneIoContextAfterAnother) {
  AsyncEvent event;
  for (int i = 0; i < 3; ++i) {
    net::io_context io(1);
    std::thread other([&] { event.notify(); });
    EXPECT_TRUE(run(io, event.wait()).has_value());
    other.join();
  }
}

TEST(AsyncEvent, WaiterIsDestroyedWithItsIoContext) {
  AsyncEvent event;
  auto held = std::make_shared<int>(1);
  {
    net::io_context io(1);
    net::co_spawn(
        io,
        [](AsyncEvent& e, std::shared_ptr<int>) -> net::awaitable<void> {
          [[maybe_unused]] const auto woken = co_await e.wait();
        }(event, held),
        net::detached);
    io.poll();
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
  event.notify();  // nobody there
}

TEST(AsyncEvent, NothingIsLostBetweenTwoThreads) {
  AsyncEvent ping;
  AsyncEvent pong;
  constexpr int kRounds = 2000;
  const auto serve = [](AsyncEvent& out, AsyncEvent& in) -> net::awaitable<int> {
    int rounds = 0;
    for (; rounds < kRounds; ++rounds) {
      out.notify();
      if (!co_await in.wait()) break;
    }
    co_return rounds;
  };
  const auto answer = [](AsyncEvent& in, AsyncEvent& out) -> net::awaitable<int> {
    int rounds = 0;
    for (; rounds < kRounds; ++rounds) {
      if (!co_await in.wait()) break;
      out.notify();
    }
    co_return rounds;
  };
  std::thread other([&] {
    net::io_context mine(1);
    EXPECT_EQ(run(mine, answer(ping, pong)), kRounds);
  });
  net::io_context io(1);
  EXPECT_EQ(run(io, serve(ping, pong)), kRounds);
  other.join();
}

TEST(BatchChannel, NextTakesEverythingThatIsThere) {
  net::io_context io(1);
  BatchChannel<int> channel(8);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(channel.try_push(i));
  const auto batch = run(io, channel.next());
  ASSERT_TRUE(batch);
  EXPECT_EQ(*batch, (std::vector<int>{0, 1, 2}));
}

TEST(BatchChannel, RefusesWhenFullAndLeavesTheItemAlone) {
  BatchChannel<std::unique_ptr<int>> channel(1);
  auto first = std::make_unique<int>(1);
  auto second = std::make_unique<int>(2);
  EXPECT_EQ(channel.room(), 1u);
  EXPECT_TRUE(channel.try_push(first));
  EXPECT_EQ(channel.room(), 0u);
  EXPECT_FALSE(channel.try_push(second));
  EXPECT_NE(second, nullptr);
}

TEST(BatchChannel, PushOfABatchStopsAtTheCapacity) {
  net::io_context io(1);
  BatchChannel<int> channel(3);
  std::vector<int> items{1, 2, 3, 4, 5};
  EXPECT_EQ(channel.try_push_batch(items), 3u);
  EXPECT_EQ(channel.try_push_batch(items), 0u);
  EXPECT_EQ(run(io, channel.next())->size(), 3u);
}

TEST(BatchChannel, EndsWithAnEmptyBatch) {
  net::io_context io(1);
  BatchChannel<int> channel(8);
  int item = 1;
  channel.try_push(item);
  channel.close();
  EXPECT_FALSE(channel.try_push(item));
  EXPECT_EQ(run(io, channel.next())->size(), 1u);
  EXPECT_TRUE(run(io, channel.next())->empty());
  EXPECT_TRUE(run(io, channel.next())->empty());
}

TEST(BatchChannel, ErrorComesAfterTheItemsBeforeIt) {
  net::io_context io(1);
  BatchChannel<int> channel(8);
  int item = 1;
  channel.try_push(item);
  channel.close(Error(Errc::unavailable, "engine ended"));
  EXPECT_EQ(run(io, channel.next())->size(), 1u);
  const auto end = run(io, channel.next());
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code(), Errc::unavailable);
}

TEST(BatchChannel, AbandonDropsWhatIsQueuedAndClosesForTheProducer) {
  BatchChannel<std::shared_ptr<int>> channel(8);
  auto held = std::make_shared<int>(1);
  auto item = held;
  channel.try_push(item);
  int drained = 0;
  channel.on_drained([&] { ++drained; });
  channel.abandon();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(drained, 1);
  EXPECT_TRUE(channel.closed());
  EXPECT_EQ(channel.room(), 0u);
  item = held;
  EXPECT_FALSE(channel.try_push(item));
}

TEST(BatchChannel, ProducerThatIsHeldBackIsWokenWhenThereIsRoom) {
  net::io_context io(1);
  constexpr int kItems = 5000;
  BatchChannel<int> channel(16);
  std::mutex mutex;
  std::condition_variable room;
  bool drained = false;
  channel.on_drained([&] {
    std::lock_guard lock(mutex);
    drained = true;
    room.notify_one();
  });
  std::thread producer([&] {
    for (int i = 0; i < kItems; ++i) {
      int item = i;
      while (!channel.try_push(item)) {
        std::unique_lock lock(mutex);
        room.wait(lock, [&] { return std::exchange(drained, false); });
      }
    }
    channel.close();
  });
  const auto read_all = [](BatchChannel<int>& from) -> net::awaitable<std::vector<int>> {
    std::vector<int> all;
    for (;;) {
      auto batch = co_await from.next();
      EXPECT_TRUE(batch);
      if (!batch || batch->empty()) break;
      EXPECT_LE(batch->size(), 16u);
      all.insert(all.end(), batch->begin(), batch->end());
    }
    co_return all;
  };
  const auto all = run(io, read_all(channel));
  producer.join();
  ASSERT_EQ(all.size(), static_cast<std::size_t>(kItems));
  for (int i = 0; i < kItems; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace batch_channel_test
}  // namespace dynamo::runtime
