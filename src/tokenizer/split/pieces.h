// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/model/model.h"

namespace dynamo::tokenizer::detail {

/// A growing list of ranges whose push costs a compare and a store.
class RangeList {
 public:
  void clear() noexcept { size_ = 0; }
  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  void push(std::uint32_t begin, std::uint32_t end) {
    if (size_ == capacity_) [[unlikely]]
      grow();
    data_[size_++] = {begin, end};
  }
  /// Room for `count` more; what is written there counts after commit().
  Range* reserve(std::size_t count) {
    while (capacity_ - size_ < count) grow();
    return data_.get() + size_;
  }
  void commit(std::size_t count) noexcept { size_ += count; }
  std::span<Range> ranges() noexcept { return {data_.get(), size_}; }
  std::span<const Range> ranges() const noexcept { return {data_.get(), size_}; }
  void swap(RangeList& other) noexcept {
    data_.swap(other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }
  /// Gives back memory over `limit` ranges.
  void trim(std::size_t limit) noexcept {
    if (capacity_ <= limit) return;
    data_.reset();
    size_ = capacity_ = 0;
  }

 private:
  void grow() {
    const std::size_t capacity = capacity_ < 512 ? 1024 : capacity_ * 2;
    auto data = std::make_unique_for_overwrite<Range[]>(capacity);
    std::copy(data_.get(), data_.get() + size_, data.get());
    data_ = std::move(data);
    capacity_ = capacity;
  }
  std::unique_ptr<Range[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// A text being cut into pieces. Pieces are non-empty, in order, and do not overlap.
struct Pieces {
  std::string_view text;
  RangeList list;
  /// Whether the text's first byte stems from the first byte of the original input.
  bool at_origin = true;
  std::string storage;  ///< of `text`, when a step has rewritten it

  RangeList spare;  ///< the list under construction
  std::string spare_storage;

  /// One piece: the whole text.
  void reset(std::string_view whole, bool origin) {
    text = whole;
    at_origin = origin;
    list.clear();
    if (!whole.empty()) list.push(0, static_cast<std::uint32_t>(whole.size()));
  }
};

}  // namespace dynamo::tokenizer::detail
