// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "parsers/marker_set.h"

namespace dynamo::parsers::detail {

/// What text passes on its way out: where a marker was taken out, the texts before and
/// behind it must not form another one. `</tool_</tool_call>call>` leaves `</tool_`.
class TextSeam {
 public:
  TextSeam() = default;
  /// What may not be formed.
  explicit TextSeam(MarkerSet markup) : markup_(std::move(markup)) {}

  /// Takes text and returns what of it, and of text before, may go out; valid until the next call.
  /// `closed`: it is known not to end with the beginning of a marker.
  std::string_view text(std::string_view piece, bool closed);
  const MarkerSet& markup() const noexcept { return markup_; }
  /// A marker was taken out here.
  void marker() {
    if (before_.empty()) before_ = tail_;
  }
  /// No more text follows. Returns what is left.
  std::string_view finish();

 private:
  std::string_view behind(std::string_view piece);

  MarkerSet markup_;
  std::string tail_;    // end of the text so far, if it is a proper prefix of a marker
  std::string before_;  // the same at a place where a marker was taken out
  std::string behind_;  // text behind that place that may complete the marker
  std::string shown_;   // backs what was returned
};

}  // namespace dynamo::parsers::detail
