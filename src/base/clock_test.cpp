// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/clock.h>

#include <gtest/gtest.h>

namespace dynamo::base::clock_test {
namespace {

using namespace std::chrono_literals;

TEST(Clock, SystemTimeIsNowAndMonotonic) {
  const Clock& clock = Clock::system();
  const SteadyTime first = clock.now();
  EXPECT_GE(clock.now(), first);
  const auto difference = clock.system_now() - std::chrono::system_clock::now();
  EXPECT_LT(std::chrono::abs(difference), 1s);
}

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock;
  const SteadyTime steady = clock.now();
  const SystemTime wall = clock.system_now();
  EXPECT_EQ(clock.now(), steady);
  clock.advance(1500ms);
  EXPECT_EQ(clock.now() - steady, 1500ms);
  EXPECT_EQ(clock.system_now() - wall, 1500ms);
  clock.set_system(SystemTime(5s));
  EXPECT_EQ(clock.system_now(), SystemTime(5s));
  EXPECT_EQ(clock.now() - steady, 1500ms);
}

TEST(Deadline, ExpiresAtItsInstant) {
  ManualClock clock;
  const Deadline deadline = Deadline::after(2s, clock);
  EXPECT_FALSE(deadline.expired(clock));
  EXPECT_EQ(deadline.remaining(clock), 2s);
  clock.advance(2s - 1ns);
  EXPECT_FALSE(deadline.expired(clock));
  EXPECT_EQ(deadline.remaining(clock), 1ns);
  clock.advance(1ns);
  EXPECT_TRUE(deadline.expired(clock));
  EXPECT_EQ(deadline.remaining(clock), 0ns);
  clock.advance(1h);
  EXPECT_EQ(deadline.remaining(clock), 0ns);
}

TEST(Deadline, NeverHasNoLimit) {
  ManualClock clock;
  EXPECT_TRUE(Deadline().is_never());
  EXPECT_FALSE(Deadline::never().expired(clock));
  EXPECT_EQ(Deadline::never().remaining(clock), std::chrono::nanoseconds::max());
}

TEST(Deadline, AWaitBeyondTheClockIsNever) {
  ManualClock clock;
  EXPECT_TRUE(Deadline::after(std::chrono::nanoseconds::max(), clock).is_never());
  EXPECT_TRUE(Deadline::after(-1s, clock).expired(clock));
}

TEST(Deadline, MinIsTheEarlier) {
  ManualClock clock;
  const Deadline early = Deadline::after(1s, clock);
  const Deadline late = Deadline::after(2s, clock);
  EXPECT_EQ(early.min(late).time(), early.time());
  EXPECT_EQ(late.min(early).time(), early.time());
  EXPECT_EQ(Deadline::never().min(late).time(), late.time());
  EXPECT_TRUE(Deadline::never().min(Deadline::never()).is_never());
}

}  // namespace
}  // namespace dynamo::base::clock_test
