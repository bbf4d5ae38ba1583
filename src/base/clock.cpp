// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/clock.h>

namespace dynamo::base {
namespace {

class SystemClock final : public Clock {
 public:
  SteadyTime now() const noexcept override { return std::chrono::steady_clock::now(); }
  SystemTime system_now() const noexcept override { return std::chrono::system_clock::now(); }
};

template <class Time>
Time from_ns(std::int64_t ns) noexcept {
  return Time(std::chrono::duration_cast<typename Time::duration>(std::chrono::nanoseconds(ns)));
}

}  // namespace

const Clock& Clock::system() noexcept {
  static const SystemClock clock;
  return clock;
}

SteadyTime ManualClock::now() const noexcept {
  return from_ns<SteadyTime>(steady_ns_.load());
}

SystemTime ManualClock::system_now() const noexcept {
  return from_ns<SystemTime>(system_ns_.load());
}

void ManualClock::advance(std::chrono::nanoseconds by) noexcept {
  steady_ns_.fetch_add(by.count());
  system_ns_.fetch_add(by.count());
}

void ManualClock::set_system(SystemTime to) noexcept {
  system_ns_.store(
      std::chrono::duration_cast<std::chrono::nanoseconds>(to.time_since_epoch()).count());
}

Deadline Deadline::after(std::chrono::nanoseconds wait, const Clock& clock) noexcept {
  const SteadyTime now = clock.now();
  // A wait too long to be represented is no limit.
  if (wait >= SteadyTime::max() - now) return never();
  return at(now + wait);
}

std::chrono::nanoseconds Deadline::remaining(const Clock& clock) const noexcept {
  if (is_never()) return std::chrono::nanoseconds::max();
  const SteadyTime now = clock.now();
  return when_ > now ? when_ - now : std::chrono::nanoseconds::zero();
}

}  // namespace dynamo::base
