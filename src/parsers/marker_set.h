// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::parsers::detail {

/// A text that means something in some state of a parser. `id` is the state's own.
struct Marker {
  std::string_view text;
  int id = 0;
};

/// The markers watched in one state, and the scanner for them that every parser shares.
///
/// Leftmost marker wins; of several at one place the longest. What cannot be decided yet is held:
/// exactly the longest suffix that is a proper prefix of a watched marker.
/// Work is linear: one table look-up per byte, and at most one comparison per marker at a byte that
/// can begin one.
class MarkerSet {
 public:
  static constexpr int kNone = -1;

  struct Hit {
    std::size_t position = 0;  ///< bytes before it hold no marker and are free to go
    std::size_t length = 0;    ///< of the marker; 0 when none was found
    int id = kNone;            ///< kNone: what starts at `position` is held (or is the end)
  };

  MarkerSet() = default;
  /// Texts are copied. Empty ones are ignored; of two equal ones the first counts.
  explicit MarkerSet(std::span<const Marker> markers);
  MarkerSet(std::initializer_list<Marker> markers)
      : MarkerSet(std::span<const Marker>(markers.begin(), markers.size())) {}

  /// Looks for the first marker. With `at_end` no more text follows: nothing is held.
  Hit scan(std::string_view text, bool at_end) const noexcept;
  /// As scan, for a marker that starts at the first byte; otherwise `id` is kNone, and `length` is
  /// the size of the text when the text may still become one (never with `at_end`), else 0.
  Hit match(std::string_view text, bool at_end) const noexcept;

  /// Leading bytes of `text` that cannot begin a marker.
  std::size_t unmarked(std::string_view text) const noexcept {
    std::size_t size = 0;
    while (size < text.size() && first_index_[static_cast<unsigned char>(text[size])] == 0) ++size;
    return size;
  }

  bool empty() const noexcept { return markers_.empty(); }
  std::size_t longest_bytes() const noexcept { return longest_; }

 private:
  struct Entry {
    std::string text;
    int id;
  };
  std::vector<Entry> markers_;                   // by first byte, then longest first
  std::array<std::uint8_t, 256> first_index_{};  // 1 + index of the first marker of this byte
  std::size_t longest_ = 0;
};

}  // namespace dynamo::parsers::detail
