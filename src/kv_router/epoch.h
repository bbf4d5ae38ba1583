// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>

namespace dynamo::kv_router::detail {

/// Tells a writer when no reader can still see what it has unlinked.
///
/// A reader announces the epoch in which it entered; the writer stamps what it unlinks with the
/// epoch and may reuse it once every reader inside entered later. Both sides use read-modify-write
/// operations on the reader's seat: either the writer's look comes first, and then the reader's
/// entry synchronizes with it and sees everything unlinked before, or the writer sees the reader.
class EpochDomain {
 public:
  struct alignas(64) Seat {
    std::atomic<std::uint64_t> entered{0};  ///< 0: outside
    bool taken = false;
  };

  /// Seats are kept until the domain dies; taking and leaving one locks, reading does not.
  Seat* take_seat();
  void leave_seat(Seat* seat) noexcept;

  void enter(Seat& seat) const noexcept {
    seat.entered.exchange(epoch_.load(std::memory_order_acquire), std::memory_order_acq_rel);
  }
  static void exit(Seat& seat) noexcept { seat.entered.store(0, std::memory_order_release); }

  /// The stamp of what is unlinked now.
  std::uint64_t now() const noexcept { return epoch_.load(std::memory_order_relaxed); }
  /// Begins a new epoch; what carries a stamp below the result can be reused.
  std::uint64_t advance() noexcept;

 private:
  std::atomic<std::uint64_t> epoch_{1};
  std::mutex seats_mutex_;
  std::deque<Seat> seats_;  // addresses are stable
};

}  // namespace dynamo::kv_router::detail
