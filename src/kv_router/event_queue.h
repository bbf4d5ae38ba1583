// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace dynamo::kv_router::detail {

/// A bounded queue of pointers: any number of producers, one consumer, no locks; the consumer
/// sleeps while it is empty. Producers reserve() room first, in several queues if need be, and
/// undo that or push(), which then cannot fail. Source: D. Vyukov's bounded MPMC queue.
template <class T>
class EventQueue {
 public:
  explicit EventQueue(std::size_t capacity)
      : capacity_(capacity),
        mask_(std::bit_ceil(capacity) - 1),
        cells_(std::make_unique<Cell[]>(mask_ + 1)) {
    for (std::size_t i = 0; i <= mask_; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
  }

  bool reserve() noexcept {
    if (reserved_.fetch_add(1, std::memory_order_acquire) < capacity_) return true;
    undo();
    return false;
  }
  void undo() noexcept { reserved_.fetch_sub(1, std::memory_order_relaxed); }
  /// Waits while there is no room.
  void reserve_or_wait() noexcept {
    while (!reserve()) {
      const std::uint64_t taken = taken_.load(std::memory_order_acquire);
      if (reserved_.load(std::memory_order_acquire) >= capacity_)
        taken_.wait(taken, std::memory_order_acquire);
    }
  }

  void push(T* item) noexcept {
    const std::uint64_t at = tail_.fetch_add(1, std::memory_order_relaxed);
    Cell& cell = cells_[at & mask_];
    // Room was reserved, so the consumer has emptied the cell or is about to say so.
    while (cell.turn.load(std::memory_order_acquire) != at) {
    }
    cell.item = item;
    cell.turn.store(at + 1, std::memory_order_release);
    pushed_.fetch_add(1, std::memory_order_release);
    pushed_.notify_one();
  }

  /// The next item, or null when there is none.
  T* try_pop() noexcept {
    Cell& cell = cells_[head_ & mask_];
    if (cell.turn.load(std::memory_order_acquire) != head_ + 1) return nullptr;
    T* item = cell.item;
    cell.turn.store(head_ + mask_ + 1, std::memory_order_release);
    ++head_;
    return item;
  }
  /// Sleeps until something was pushed after `seen` (see pushed()) or wake() was called.
  void wait(std::uint32_t seen) const noexcept { pushed_.wait(seen, std::memory_order_acquire); }
  std::uint32_t pushed() const noexcept { return pushed_.load(std::memory_order_acquire); }
  void wake() noexcept {
    pushed_.fetch_add(1, std::memory_order_release);
    pushed_.notify_all();
  }
  /// The consumer is done with an item: its room is free.
  void done() noexcept {
    reserved_.fetch_sub(1, std::memory_order_release);
    taken_.fetch_add(1, std::memory_order_release);
    taken_.notify_all();
  }
  std::uint64_t done_count() const noexcept { return taken_.load(std::memory_order_acquire); }
  std::uint64_t pushed_count() const noexcept { return tail_.load(std::memory_order_acquire); }
  void wait_until_done(std::uint64_t count) const noexcept {
    for (std::uint64_t now = done_count(); now < count; now = done_count())
      taken_.wait(now, std::memory_order_acquire);
  }
  std::size_t size() const noexcept { return reserved_.load(std::memory_order_relaxed); }

 private:
  struct Cell {
    std::atomic<std::uint64_t> turn{0};
    T* item = nullptr;
  };
  const std::size_t capacity_;
  const std::size_t mask_;
  std::unique_ptr<Cell[]> cells_;
  alignas(64) std::atomic<std::size_t> reserved_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  alignas(64) std::atomic<std::uint32_t> pushed_{0};
  alignas(64) std::atomic<std::uint64_t> taken_{0};
  std::uint64_t head_ = 0;  // the consumer's
};

}  // namespace dynamo::kv_router::detail
