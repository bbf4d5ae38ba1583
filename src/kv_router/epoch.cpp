// SPDX-License-Identifier: Apache-2.0
#include "kv_router/epoch.h"

#include <algorithm>

namespace dynamo::kv_router::detail {

EpochDomain::Seat* EpochDomain::take_seat() {
  const std::lock_guard lock(seats_mutex_);
  for (Seat& seat : seats_) {
    if (seat.taken) continue;
    seat.taken = true;
    return &seat;
  }
  Seat& seat = seats_.emplace_back();
  seat.taken = true;
  return &seat;
}

void EpochDomain::leave_seat(Seat* seat) noexcept {
  const std::lock_guard lock(seats_mutex_);
  seat->taken = false;
}

std::uint64_t EpochDomain::advance() noexcept {
  const std::uint64_t next = epoch_.fetch_add(1, std::memory_order_acq_rel) + 1;
  std::uint64_t safe = next;
  const std::lock_guard lock(seats_mutex_);
  for (Seat& seat : seats_) {
    const std::uint64_t entered = seat.entered.fetch_or(0, std::memory_order_acq_rel);
    if (entered != 0) safe = std::min(safe, entered);
  }
  return safe;
}

}  // namespace dynamo::kv_router::detail
