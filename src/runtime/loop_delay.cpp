// SPDX-License-Identifier: Apache-2.0
#include "runtime/loop_delay.h"

#include <dynamo/base/log.h>

#include <algorithm>
#include <utility>

namespace dynamo::runtime {

LoopDelay::LoopDelay(boost::asio::io_context::executor_type executor) : timer_(executor) {}

void LoopDelay::report_to(Histogram delay, Counter stalls, std::size_t shard) noexcept {
  delay_ = delay;
  stalls_ = stalls;
  shard_ = shard;
}

void LoopDelay::watch(std::function<bool()> busy) {
  if (watching()) return;
  busy_ = std::move(busy);
  arm();
}

void LoopDelay::arm() {
  timer_.expires_after(kPeriod);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    observe(std::max(std::chrono::nanoseconds{0},
                     std::chrono::nanoseconds(std::chrono::steady_clock::now() - timer_.expiry())));
    if (busy_()) {
      arm();
    } else {
      busy_ = nullptr;
    }
  });
}

void LoopDelay::observe(std::chrono::nanoseconds late) {
  delay_.observe(std::chrono::duration<double>(late).count());
  if (late <= kStall) return;
  stalls_.add();
  if (late <= kLogged) return;
  ++unlogged_;
  const auto now = std::chrono::steady_clock::now();
  if (now - logged_ < std::chrono::seconds{1}) return;
  logged_ = now;
  DYN_LOG_WARN("runtime::shard", "event loop stalled",
               {{"shard", std::uint64_t{shard_}},
                {"late_ms", std::chrono::duration<double, std::milli>(late).count()},
                {"stalls", std::exchange(unlogged_, 0)}});
}

}  // namespace dynamo::runtime
