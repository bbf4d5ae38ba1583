// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kv_router/counted_heap.h"

namespace dynamo::kv_router::detail {

/// Numbers in one array, in no order: what leaves is replaced by the last one. Its owner releases
/// it. Confined to the writer's thread.
class IdList {
 public:
  std::uint32_t size() const noexcept { return size_; }
  std::uint32_t operator[](std::uint32_t at) const noexcept { return ids_[at]; }
  std::uint32_t back() const noexcept { return ids_[size_ - 1]; }

  /// Returns the place.
  std::uint32_t push(CountedHeap& heap, std::uint32_t id) {
    if (size_ == capacity_) resize(heap, capacity_ + capacity_ / 2 + 4);
    ids_[size_] = id;
    return size_++;
  }
  /// What one more may cost: a larger array beside the old one.
  std::size_t growth_bytes() const noexcept {
    return size_ == capacity_ ? (capacity_ + capacity_ / 2 + 4) * sizeof(std::uint32_t) : 0;
  }
  /// Returns the number that stands at `at` now, or the removed one.
  std::uint32_t erase(CountedHeap& heap, std::uint32_t at) {
    ids_[at] = ids_[--size_];
    const std::uint32_t moved = ids_[at];
    if (capacity_ > 64 && size_ < capacity_ / 4) resize(heap, capacity_ / 2);
    return moved;
  }
  std::uint32_t pop() noexcept { return ids_[--size_]; }
  void release(CountedHeap& heap) noexcept {
    heap.release(ids_);
    *this = {};
  }

 private:
  void resize(CountedHeap& heap, std::uint32_t capacity) {
    auto* larger = static_cast<std::uint32_t*>(heap.allocate(capacity * sizeof(std::uint32_t)));
    if (size_ != 0) std::memcpy(larger, ids_, size_ * sizeof(std::uint32_t));
    heap.release(ids_);
    ids_ = larger;
    capacity_ = capacity;
  }

  std::uint32_t* ids_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace dynamo::kv_router::detail
