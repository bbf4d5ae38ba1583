// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

#include <malloc.h>

namespace dynamo::kv_router::detail {

/// malloc() that knows what it has given out, as the allocator itself counts it: usable bytes plus
/// the header of each chunk. Confined to the writer's thread.
class CountedHeap {
 public:
  void* allocate(std::size_t bytes) {
    void* memory = std::malloc(bytes);
    if (memory == nullptr) throw std::bad_alloc();
    bytes_ += chunk_bytes(memory);
    return memory;
  }
  void* allocate_zeroed(std::size_t bytes) {
    void* memory = std::calloc(bytes, 1);
    if (memory == nullptr) throw std::bad_alloc();
    bytes_ += chunk_bytes(memory);
    return memory;
  }
  void release(void* memory) noexcept {
    if (memory == nullptr) return;
    bytes_ -= chunk_bytes(memory);
    std::free(memory);
  }
  std::size_t bytes() const noexcept { return bytes_; }

  static std::size_t chunk_bytes(void* memory) noexcept {
    return malloc_usable_size(memory) + kChunkHeaderBytes;
  }

 private:
  static constexpr std::size_t kChunkHeaderBytes = 8;
  std::size_t bytes_ = 0;
};

}  // namespace dynamo::kv_router::detail
