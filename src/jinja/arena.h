// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace dynamo::jinja::detail {

/// Memory that lives until its owner does: one per compiled template (code, constants) and one per
/// render (values). Holds trivially destructible objects only, so that dropping it is a few frees.
class Arena {
 public:
  /// `limit_bytes` bounds what allocate hands out; beyond it a Failure of kind limit is thrown.
  explicit Arena(std::size_t limit_bytes) noexcept : limit_(limit_bytes) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void* allocate(std::size_t bytes) {
    bytes = (bytes + 7) & ~std::size_t{7};
    if (bytes > static_cast<std::size_t>(end_ - next_)) [[unlikely]]
      grow(bytes);
    char* at = next_;
    next_ += bytes;
    return at;
  }

  template <class T, class... Args>
  T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 8);
    return new (allocate(sizeof(T))) T{std::forward<Args>(args)...};
  }

  /// Uninitialised room for n objects.
  template <class T>
  T* array(std::size_t n) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 8);
    // T may be a pointer.  NOLINTNEXTLINE(bugprone-sizeof-expression)
    return static_cast<T*>(allocate(n * sizeof(T)));
  }

  char* text(std::size_t bytes) { return static_cast<char*>(allocate(bytes)); }

  /// A copy of the text that lives as long as the arena.
  std::string_view copy(std::string_view text) {
    char* at = static_cast<char*>(allocate(text.size()));
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    return {at, text.size()};
  }

  std::size_t used_bytes() const noexcept {
    return reserved_ - static_cast<std::size_t>(end_ - next_);
  }

 private:
  void grow(std::size_t bytes);

  std::size_t limit_;
  std::size_t reserved_ = 0;
  char* next_ = nullptr;
  char* end_ = nullptr;
  std::vector<std::unique_ptr<char[]>> blocks_;
};

}  // namespace dynamo::jinja::detail
