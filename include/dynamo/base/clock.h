// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace dynamo::base {

using SteadyTime = std::chrono::steady_clock::time_point;
using SystemTime = std::chrono::system_clock::time_point;

/// Time as an argument: production code uses Clock::system(), tests a ManualClock.
/// Thread safety: all members may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual SteadyTime now() const noexcept = 0;         ///< monotonic, for durations and deadlines
  virtual SystemTime system_now() const noexcept = 0;  ///< wall clock, for timestamps

  static const Clock& system() noexcept;
};

/// A clock that moves only when told to.
class ManualClock final : public Clock {
 public:
  SteadyTime now() const noexcept override;
  SystemTime system_now() const noexcept override;
  void advance(std::chrono::nanoseconds by) noexcept;
  void set_system(SystemTime to) noexcept;

 private:
  std::atomic<std::int64_t> steady_ns_{1'000'000'000};
  std::atomic<std::int64_t> system_ns_{1'700'000'000'000'000'000};
};

/// The instant by which something must be done; travels with a request, so that no function takes
/// a bare timeout. A value type.
class Deadline {
 public:
  /// No limit.
  constexpr Deadline() noexcept = default;
  static constexpr Deadline never() noexcept { return {}; }
  static Deadline after(std::chrono::nanoseconds wait,
                        const Clock& clock = Clock::system()) noexcept;
  static constexpr Deadline at(SteadyTime when) noexcept { return Deadline(when); }

  constexpr bool is_never() const noexcept { return when_ == SteadyTime::max(); }
  constexpr SteadyTime time() const noexcept { return when_; }
  bool expired(const Clock& clock = Clock::system()) const noexcept { return clock.now() >= when_; }
  /// Zero when expired; nanoseconds::max() when never.
  std::chrono::nanoseconds remaining(const Clock& clock = Clock::system()) const noexcept;
  /// The earlier of the two.
  constexpr Deadline min(Deadline other) const noexcept {
    return when_ < other.when_ ? *this : other;
  }

 private:
  explicit constexpr Deadline(SteadyTime when) noexcept : when_(when) {}
  SteadyTime when_ = SteadyTime::max();
};

}  // namespace dynamo::base

namespace dynamo {
using base::Clock;
using base::Deadline;
using base::ManualClock;
}  // namespace dynamo
