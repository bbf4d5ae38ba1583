// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include <malloc.h>

namespace dynamo::kv_router::detail {

/// malloc() that knows what it has given out, as the allocator itself counts it: usable bytes plus
/// the header of each chunk. Keeps some of the pieces that came back, by size, because a node is
/// soon followed by one like it, and they need not pass through the allocator's own lists, which
/// stand in the neighbours' memory; kept pieces count as given out. Confined to the writer's
/// thread.
class CountedHeap {
 public:
  CountedHeap() = default;
  CountedHeap(const CountedHeap&) = delete;
  CountedHeap& operator=(const CountedHeap&) = delete;
  ~CountedHeap() { trim(); }

  void* allocate(std::size_t bytes) {
    const std::size_t size_class = class_of(bytes + kChunkHeaderBytes);
    if (size_class < kClasses && kept_[size_class].count != 0) {
      void* memory = kept_[size_class].pieces[--kept_[size_class].count];
      kept_bytes_ -= size_class * kGranule;
      return memory;
    }
    void* memory = std::malloc(bytes);
    if (memory == nullptr) throw std::bad_alloc();
    bytes_ += chunk_bytes(memory);
    return memory;
  }
  /// Zeroed, and beginning at a cache line.
  void* allocate_zeroed_lines(std::size_t bytes) {
    constexpr std::size_t kLine = 64;
    void* memory = std::aligned_alloc(kLine, (bytes + kLine - 1) / kLine * kLine);
    if (memory == nullptr) throw std::bad_alloc();
    std::memset(memory, 0, bytes);
    bytes_ += chunk_bytes(memory);
    return memory;
  }
  void release(void* memory) noexcept {
    if (memory == nullptr) return;
    const std::size_t size = chunk_bytes(memory);
    // A chunk serves every request that malloc would have rounded up to its size.
    const std::size_t size_class = size / kGranule;
    if (kRecycles && size % kGranule == 0 && size_class < kClasses &&
        kept_[size_class].count < kKeptPerClass && kept_bytes_ + size <= bytes_ / kKeptShare) {
      kept_[size_class].pieces[kept_[size_class].count++] = memory;
      kept_bytes_ += size;
      return;
    }
    bytes_ -= size;
    std::free(memory);
  }
  /// Gives back what is kept.
  void trim() noexcept {
    for (Kept& kept : kept_) {
      while (kept.count != 0) {
        void* memory = kept.pieces[--kept.count];
        bytes_ -= chunk_bytes(memory);
        std::free(memory);
      }
    }
    kept_bytes_ = 0;
  }
  std::size_t bytes() const noexcept { return bytes_; }
  std::size_t kept_bytes() const noexcept { return kept_bytes_; }

  static std::size_t chunk_bytes(void* memory) noexcept {
    return malloc_usable_size(memory) + kChunkHeaderBytes;
  }

 private:
  static constexpr std::size_t kChunkHeaderBytes = 8;
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
  static constexpr bool kRecycles = false;  // what is read after its release shall be noticed
#else
  static constexpr bool kRecycles = true;
#endif
  static constexpr std::size_t kGranule = 16;
  static constexpr std::size_t kClasses = 64;
  static constexpr std::size_t kKeptPerClass = 128;
  static constexpr std::size_t kKeptShare = 64;
  struct Kept {
    std::uint32_t count = 0;
    std::array<void*, kKeptPerClass> pieces;
  };
  static std::size_t class_of(std::size_t chunk) noexcept {
    return (chunk + kGranule - 1) / kGranule;
  }

  std::size_t bytes_ = 0;
  std::size_t kept_bytes_ = 0;
  std::array<Kept, kClasses> kept_;
};

}  // namespace dynamo::kv_router::detail
