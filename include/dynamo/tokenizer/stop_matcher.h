// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::tokenizer {

/// Finds stop strings in streamed text, across any chunking.
///
/// Holds back exactly the longest suffix of the text that could still become a hidden stop string;
/// everything before it is released at once. The first stop string to be complete wins; among those
/// complete at the same byte a hidden one wins over a visible one, then the order of the list.
/// Cost: one table step per byte, and a memchr while nothing is held. A value type.
class StopMatcher {
 public:
  struct StopString {
    std::string text;      ///< empty ones never match
    bool visible = false;  ///< kept in the output (`include_stop_str_in_output`)
  };
  struct Hit {
    std::size_t index = 0;  ///< in the list given to the constructor
    bool visible = false;
  };
  struct Step {
    std::string_view release;  ///< text to pass on, valid until the next call
    std::optional<Hit> hit;    ///< set when a stop string is complete: the stream ends here
  };

  StopMatcher() = default;
  explicit StopMatcher(std::vector<StopString> stops);
  /// All strings hidden, or all visible.
  explicit StopMatcher(std::span<const std::string> stops, bool visible = false);

  /// Whether there is anything to look for; when not, feed() returns its argument.
  bool empty() const noexcept { return nodes_.empty(); }

  /// The next piece of text. After a hit, every further call returns nothing.
  Step feed(std::string_view text);

  /// The end of the stream without a hit: the text held back.
  std::string_view finish();

  /// Length of the text held back.
  std::size_t held_bytes() const noexcept { return held_.size(); }

 private:
  struct Node {
    std::uint32_t first_child = 0;  ///< index of the first child, 0 when none
    std::uint32_t next_sibling = 0;
    std::uint32_t fail = 0;
    std::uint32_t hidden_depth = 0;  ///< longest suffix that is a prefix of a hidden stop string
    std::uint32_t match = 0;         ///< 1 + index of the stop string complete here, or 0
    unsigned char byte = 0;
  };
  std::uint32_t child(std::uint32_t node, unsigned char byte) const noexcept;
  std::uint32_t advance(std::uint32_t node, unsigned char byte) const noexcept;

  std::vector<StopString> stops_;
  std::vector<Node> nodes_;  ///< Aho-Corasick automaton; node 0 is the root
  std::uint32_t state_ = 0;
  bool stopped_ = false;
  std::string held_;
  std::string released_;
};

}  // namespace dynamo::tokenizer
