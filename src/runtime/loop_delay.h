// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/runtime/metrics.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace dynamo::runtime {

/// Measures how late an event loop runs what is due, with a timer that exists only while the loop
/// has work: an idle process is not woken.
///
/// Confined to the loop's thread.
class LoopDelay {
 public:
  static constexpr std::chrono::milliseconds kPeriod{10};  ///< the reference's canary
  static constexpr std::chrono::milliseconds kStall{5};    ///< counted as a stall above this
  /// A stall this long is logged, at most once a second per loop.
  static constexpr std::chrono::milliseconds kLogged{100};

  explicit LoopDelay(boost::asio::io_context::executor_type executor);

  void report_to(Histogram delay, Counter stalls, std::size_t shard) noexcept;
  /// Measures every kPeriod until `busy` says no; nothing when it already does.
  void watch(std::function<bool()> busy);
  bool watching() const noexcept { return static_cast<bool>(busy_); }

 private:
  void arm();
  void observe(std::chrono::nanoseconds late);

  boost::asio::steady_timer timer_;
  std::function<bool()> busy_;
  Histogram delay_;
  Counter stalls_;
  std::size_t shard_ = 0;
  base::SteadyTime logged_{};
  std::uint64_t unlogged_ = 0;
};

}  // namespace dynamo::runtime
