// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/tokenizer/fwd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

namespace dynamo::tokenizer::detail {

/// Ids under construction: room is made once per batch, so that appending needs no check and a
/// piece of several ids can be stored with one wide write.
class IdBuffer {
 public:
  /// Room behind the ids that are counted, for wide writes through end().
  static constexpr std::size_t kSlack = 24;

  void clear() noexcept { size_ = 0; }
  std::size_t size() const noexcept { return size_; }
  void resize_down(std::size_t size) noexcept { size_ = size; }
  std::span<const TokenId> ids() const noexcept { return {data_.get(), size_}; }
  TokenId* end() noexcept { return data_.get() + size_; }

  /// Makes room for `count` more ids and the slack.
  void ensure(std::size_t count) {
    if (size_ + count + kSlack > capacity_) grow(size_ + count + kSlack);
  }
  void push_unchecked(TokenId id) noexcept { data_[size_++] = id; }
  void advance(std::size_t count) noexcept { size_ += count; }
  void push(TokenId id) {
    ensure(1);
    push_unchecked(id);
  }
  void append(std::span<const TokenId> ids) {
    ensure(ids.size());
    std::copy(ids.begin(), ids.end(), end());
    size_ += ids.size();
  }
  /// Gives back memory over `limit` ids.
  void trim(std::size_t limit) noexcept {
    if (capacity_ <= limit) return;
    data_.reset();
    capacity_ = size_ = 0;
  }

 private:
  void grow(std::size_t wanted) {
    const std::size_t capacity = std::max<std::size_t>(wanted + wanted / 2, 1024);
    auto data = std::make_unique_for_overwrite<TokenId[]>(capacity);
    if (size_ != 0) std::memcpy(data.get(), data_.get(), size_ * sizeof(TokenId));
    data_ = std::move(data);
    capacity_ = capacity;
  }

  std::unique_ptr<TokenId[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace dynamo::tokenizer::detail
