// SPDX-License-Identifier: Apache-2.0
#include "engines/echo/metronome.h"

#include <memory>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

namespace dynamo::engines::echo {
namespace metronome_test {
namespace {

namespace net = boost::asio;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Slept {
  bool over = false;
  bool undisturbed = false;
  Clock::time_point at;
};

net::awaitable<void> sleep(std::shared_ptr<Sleeper> sleeper, Clock::time_point due,
                           std::shared_ptr<Slept> to) {
  to->undisturbed = co_await sleeper->sleep_until(due);
  to->at = Clock::now();
  to->over = true;
}

std::shared_ptr<Slept> spawn(net::io_context& io, Clock::time_point due) {
  auto slept = std::make_shared<Slept>();
  net::co_spawn(io, sleep(std::make_shared<Sleeper>(io.get_executor()), due, slept), net::detached);
  return slept;
}

TEST(Metronome, NobodyWakesBeforeHisTimeAndAllOfABeatWakeTogether) {
  net::io_context io;
  const auto now = Clock::now();
  std::vector<std::shared_ptr<Slept>> all;
  // Later ones first: the timer has to be set to an earlier beat.
  for (int i = 300; i > 0; --i) all.push_back(spawn(io, now + i * 50us));
  // 300 sleepers within 15 ms are 16 beats; each beat is one timer, each turn wakes 64 at most.
  const std::size_t handlers = io.run();
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_TRUE(all[i]->over && all[i]->undisturbed);
    EXPECT_GE(all[i]->at, now + (300 - i) * 50us);
  }
  EXPECT_LT(handlers, 300U + 60U);  // the start of each, and few beats
}

TEST(Metronome, WakingIsEarlyAndNotCancelled) {
  net::io_context io;
  const auto sleeper = std::make_shared<Sleeper>(io.get_executor());
  const auto slept = std::make_shared<Slept>();
  net::co_spawn(io, sleep(sleeper, Clock::now() + 1h, slept), net::detached);
  io.poll();
  EXPECT_FALSE(slept->over);
  sleeper->wake_soon();
  sleeper->wake_soon();  // the second finds nobody asleep
  io.restart();
  io.poll();
  EXPECT_TRUE(slept->over && slept->undisturbed);
}

TEST(Metronome, CancellingTheCoroutineEndsItsSleep) {
  net::io_context io;
  const auto slept = std::make_shared<Slept>();
  net::cancellation_signal signal;
  net::co_spawn(io, sleep(std::make_shared<Sleeper>(io.get_executor()), Clock::now() + 1h, slept),
                net::bind_cancellation_slot(signal.slot(), net::detached));
  io.poll();
  signal.emit(net::cancellation_type::terminal);
  io.restart();
  io.poll();
  EXPECT_TRUE(slept->over);
  EXPECT_FALSE(slept->undisturbed);
}

TEST(Metronome, AnEventLoopThatEndsFreesWhoIsAsleep) {
  const auto slept = std::make_shared<Slept>();
  {
    net::io_context io;
    net::co_spawn(io, sleep(std::make_shared<Sleeper>(io.get_executor()), Clock::now() + 1h, slept),
                  net::detached);
    io.poll();
  }
  EXPECT_FALSE(slept->over);
  EXPECT_EQ(slept.use_count(), 1);
}

}  // namespace
}  // namespace metronome_test
}  // namespace dynamo::engines::echo
