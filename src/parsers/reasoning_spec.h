// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/parsers/output_parser.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::parsers::detail {

/// Facts about one way to mark thoughts. A value type; the registry holds one per parser.
struct ReasoningSpec {
  std::vector<std::string> openers;
  std::vector<std::string> closers;
  /// Markup that ends a thought without its closer; it is read again as text.
  std::vector<std::string> exits;
  /// The output begins inside a thought unless the request says otherwise.
  bool starts_inside = false;
  /// A second opener inside a thought stays in it (granite, whose openers are sentences); all
  /// others delete it.
  bool keeps_inner_openers = false;
  /// Without a given starting state, text before the first boundary may be thought or answer.
  bool first_boundary_decides = false;
  /// What follows an exit is text, whatever it holds (batch convention).
  bool exits_for_good = false;
  /// The thought is delivered at its end, not as it comes.
  bool whole_thoughts = false;
  /// Removed from the start of each thought.
  std::string label;
  /// Written before the first text (minimax_append_think).
  std::string prefix;

  bool active() const noexcept { return !openers.empty() || !closers.empty(); }
};

}  // namespace dynamo::parsers::detail
