// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>

#include <chrono>
#include <cstdint>

namespace dynamo::llm::http {

/// Gives the allocator's free pages back to the system once a burst of requests is over, so that
/// the memory of a busy hour is not kept all night. One shard's ticks drive it.
class IdleTrim {
 public:
  /// `active` requests now, `served` since the start. True when it trimmed.
  bool on_tick(base::SteadyTime now, std::size_t active, std::uint64_t served);

 private:
  static constexpr std::chrono::seconds kQuiet{5};
  std::uint64_t last_served_ = 0;
  std::uint64_t trimmed_at_served_ = 0;
  base::SteadyTime quiet_since_{};
};

}  // namespace dynamo::llm::http
