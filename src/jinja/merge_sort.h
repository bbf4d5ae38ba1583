// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace dynamo::jinja::detail {

/// Sorts, keeping the order of equal items. Unlike the standard algorithms it stays within the
/// vector for any comparison, also one that contradicts itself (NaN) or throws.
template <class T, class Less>
void merge_sort(std::vector<T>& items, Less&& less) {
  std::vector<T> other(items.size());
  for (std::size_t width = 1; width < items.size(); width *= 2) {
    for (std::size_t begin = 0; begin < items.size(); begin += 2 * width) {
      const std::size_t middle = std::min(begin + width, items.size());
      const std::size_t end = std::min(begin + 2 * width, items.size());
      std::size_t left = begin;
      std::size_t right = middle;
      for (std::size_t to = begin; to < end; ++to) {
        const bool take_right = right < end && (left == middle || less(items[right], items[left]));
        other[to] = items[take_right ? right++ : left++];
      }
    }
    std::swap(items, other);
  }
}

}  // namespace dynamo::jinja::detail
