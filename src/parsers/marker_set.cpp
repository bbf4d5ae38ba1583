// SPDX-License-Identifier: Apache-2.0
#include "parsers/marker_set.h"

#include <dynamo/base/assert.h>

#include <algorithm>

namespace dynamo::parsers::detail {

MarkerSet::MarkerSet(std::span<const Marker> markers) {
  for (const Marker& marker : markers) {
    const bool known = std::ranges::any_of(
        markers_, [&](const Entry& entry) { return entry.text == marker.text; });
    if (!marker.text.empty() && !known) markers_.push_back({std::string(marker.text), marker.id});
  }
  DYN_ASSERT(markers_.size() < 255);
  std::ranges::sort(markers_, [](const Entry& a, const Entry& b) {
    const auto first_a = static_cast<unsigned char>(a.text[0]);
    const auto first_b = static_cast<unsigned char>(b.text[0]);
    return first_a != first_b ? first_a < first_b : a.text.size() > b.text.size();
  });
  for (std::size_t i = 0; i < markers_.size(); ++i) {
    auto& index = first_index_[static_cast<unsigned char>(markers_[i].text[0])];
    if (index == 0) index = static_cast<std::uint8_t>(i + 1);
    longest_ = std::max(longest_, markers_[i].text.size());
  }
}

MarkerSet::Hit MarkerSet::match(std::string_view text, bool at_end) const noexcept {
  if (text.empty()) return {};
  const std::uint8_t first = first_index_[static_cast<unsigned char>(text[0])];
  if (first == 0) return {};
  for (std::size_t i = first - 1U; i < markers_.size(); ++i) {
    const Entry& entry = markers_[i];
    if (entry.text[0] != text[0]) break;
    if (text.starts_with(entry.text)) return {0, entry.text.size(), entry.id};
    // Longest first: a longer marker that may still complete is waited for.
    if (!at_end && text.size() < entry.text.size() &&
        std::string_view(entry.text).starts_with(text)) {
      return {0, text.size(), kNone};
    }
  }
  return {};
}

MarkerSet::Hit MarkerSet::scan(std::string_view text, bool at_end) const noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (first_index_[static_cast<unsigned char>(text[i])] == 0) continue;
    const Hit hit = match(text.substr(i), at_end);
    if (hit.id != kNone) return {i, hit.length, hit.id};
    if (hit.length != 0) return {i, 0, kNone};
  }
  return {text.size(), 0, kNone};
}

}  // namespace dynamo::parsers::detail
