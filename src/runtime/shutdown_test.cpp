// SPDX-License-Identifier: Apache-2.0
#include <dynamo/runtime/shutdown.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace dynamo::runtime {
namespace shutdown_test {
namespace {

using namespace std::chrono_literals;
using Stage = Shutdown::Stage;

TEST(Shutdown, GoesThroughItsStagesInOrder) {
  Shutdown shutdown;
  std::vector<std::string> order;
  shutdown.on_draining([&] {
    EXPECT_EQ(shutdown.stage(), Stage::draining);
    order.push_back("refuse");
  });
  shutdown.on_draining([&] { order.push_back("announce"); });
  shutdown.on_stopping([&] {
    EXPECT_EQ(shutdown.stage(), Stage::stopping);
    order.push_back("cancel");
  });
  EXPECT_EQ(shutdown.stage(), Stage::running);
  shutdown.begin();
  shutdown.begin();
  EXPECT_TRUE(shutdown.wait(1h));
  EXPECT_EQ(shutdown.stage(), Stage::stopped);
  EXPECT_EQ(shutdown.signal(), 0);
  EXPECT_EQ(order, (std::vector<std::string>{"refuse", "announce", "cancel"}));
}

TEST(Shutdown, DrainingWaitsForGuards) {
  Shutdown shutdown;
  std::optional<Shutdown::Guard> guard = shutdown.guard();
  EXPECT_EQ(shutdown.guarded(), 1u);
  bool released = false;
  std::thread worker;
  shutdown.on_draining([&] {
    worker = std::thread([&] {
      released = true;
      guard.reset();
    });
  });
  shutdown.begin();
  EXPECT_TRUE(shutdown.wait(1h));
  EXPECT_TRUE(released);
  worker.join();
}

TEST(Shutdown, DrainLimitEndsTheWait) {
  Shutdown shutdown;
  auto guard = shutdown.guard();
  shutdown.begin();
  bool stopping = false;
  shutdown.on_stopping([&] { stopping = true; });
  EXPECT_FALSE(shutdown.wait(1ms));
  EXPECT_TRUE(stopping);
}

TEST(Shutdown, WaitBlocksUntilItBegins) {
  Shutdown shutdown;
  std::thread other([&] { shutdown.begin(); });
  EXPECT_TRUE(shutdown.wait(0ms));
  other.join();
}

TEST(Shutdown, CallbackThatComesLateRunsAtOnce) {
  Shutdown shutdown;
  shutdown.begin();
  bool draining = false;
  shutdown.on_draining([&] { draining = true; });
  EXPECT_TRUE(draining);
  EXPECT_TRUE(shutdown.wait(0ms));
  bool stopping = false;
  shutdown.on_stopping([&] { stopping = true; });
  EXPECT_TRUE(stopping);
}

TEST(Shutdown, MovedGuardCountsOnce) {
  Shutdown shutdown;
  auto first = shutdown.guard();
  auto second = std::move(first);
  Shutdown::Guard third;
  third = std::move(second);
  EXPECT_EQ(shutdown.guarded(), 1u);
  third = Shutdown::Guard();
  EXPECT_EQ(shutdown.guarded(), 0u);
}

TEST(Shutdown, ManyThreadsTakeAndReleaseGuards) {
  Shutdown shutdown;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) const auto guard = shutdown.guard();
    });
  }
  shutdown.begin();
  EXPECT_TRUE(shutdown.wait(1h));
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(shutdown.guarded(), 0u);
}

TEST(Shutdown, OneOfAProcessOwnsTheSignals) {
  Shutdown first;
  ASSERT_TRUE(first.install_signal_handlers());
  Shutdown second;
  const auto refused = second.install_signal_handlers();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::already_exists);
}

TEST(Shutdown, HandlersAreRestoredAtItsEnd) {
  struct sigaction before{};
  sigaction(SIGTERM, nullptr, &before);
  {
    Shutdown shutdown;
    ASSERT_TRUE(shutdown.install_signal_handlers());
  }
  struct sigaction after{};
  sigaction(SIGTERM, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST(ShutdownDeathTest, FirstSignalDrains) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        Shutdown shutdown;
        if (!shutdown.install_signal_handlers()) ::_exit(1);
        ::raise(SIGTERM);
        const bool drained = shutdown.wait(10s);
        ::_exit(drained && shutdown.signal() == SIGTERM ? 42 : 2);
      },
      testing::ExitedWithCode(42), "");
}

TEST(ShutdownDeathTest, SecondSignalEndsAtOnceWithItsNumber) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        Shutdown shutdown;
        auto guard = shutdown.guard();
        if (!shutdown.install_signal_handlers()) ::_exit(1);
        ::raise(SIGTERM);
        ::raise(SIGINT);
        ::_exit(2);
      },
      testing::ExitedWithCode(128 + SIGINT), "");
}

}  // namespace
}  // namespace shutdown_test
}  // namespace dynamo::runtime
