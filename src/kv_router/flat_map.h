// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>

#include "kv_router/counted_heap.h"

namespace dynamo::kv_router::detail {

/// A map in one array: open addressing, linear probing, erasure without tombstones. `Entry` is
/// trivially copyable, compares its keys by `same_key(const Entry&)`, spreads them by `hash()`, and
/// is empty when value-initialized, as `empty()` says. Confined to the writer's thread.
template <class Entry>
class FlatMap {
 public:
  explicit FlatMap(CountedHeap& heap) noexcept : heap_(heap) {}
  ~FlatMap() { heap_.release(cells_); }
  FlatMap(const FlatMap&) = delete;
  FlatMap& operator=(const FlatMap&) = delete;

  const Entry* find(const Entry& key) const noexcept {
    if (size_ == 0) return nullptr;
    for (std::size_t i = key.hash() & mask(); !cells_[i].empty(); i = (i + 1) & mask())
      if (cells_[i].same_key(key)) return &cells_[i];
    return nullptr;
  }
  /// The key must not be there yet.
  void insert(const Entry& entry) {
    if ((size_ + 1) * 4 > capacity_ * 3) resize(capacity_ == 0 ? 16 : capacity_ * 2);
    place(entry);
    ++size_;
  }
  void erase(const Entry& key) noexcept {
    const Entry* found = find(key);
    if (found == nullptr) return;
    std::size_t hole = static_cast<std::size_t>(found - cells_);
    for (std::size_t at = (hole + 1) & mask(); !cells_[at].empty(); at = (at + 1) & mask()) {
      const std::size_t wanted = cells_[at].hash() & mask();
      if (((at - wanted) & mask()) < ((at - hole) & mask())) continue;
      cells_[hole] = cells_[at];
      hole = at;
    }
    cells_[hole] = Entry{};
    if (--size_ == 0) {
      heap_.release(cells_);
      cells_ = nullptr;
      capacity_ = 0;
    }
  }
  std::size_t size() const noexcept { return size_; }
  /// What `more` entries may cost: a larger array beside the old one.
  std::size_t growth_bytes(std::size_t more) const noexcept {
    return (size_ + more) * 4 > capacity_ * 3 ? std::bit_ceil((size_ + more) * 2) * sizeof(Entry)
                                              : 0;
  }

 private:
  std::size_t mask() const noexcept { return capacity_ - 1; }
  void place(const Entry& entry) noexcept {
    std::size_t i = entry.hash() & mask();
    while (!cells_[i].empty()) i = (i + 1) & mask();
    cells_[i] = entry;
  }
  void resize(std::size_t capacity) {
    Entry* old = cells_;
    const std::size_t old_capacity = capacity_;
    cells_ = static_cast<Entry*>(heap_.allocate(capacity * sizeof(Entry)));
    for (std::size_t i = 0; i < capacity; ++i) new (&cells_[i]) Entry{};
    capacity_ = capacity;
    for (std::size_t i = 0; i < old_capacity; ++i)
      if (!old[i].empty()) place(old[i]);
    heap_.release(old);
  }

  CountedHeap& heap_;
  Entry* cells_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
};

}  // namespace dynamo::kv_router::detail
