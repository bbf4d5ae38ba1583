// SPDX-License-Identifier: Apache-2.0
#include "parsers/text_seam.h"

#include <algorithm>
#include <utility>

namespace dynamo::parsers::detail {

std::string_view TextSeam::text(std::string_view piece, bool closed) {
  if (piece.empty()) return {};
  const std::string_view shown = before_.empty() ? piece : behind(piece);
  if (closed) {
    tail_.clear();
    return shown;
  }
  tail_ += piece.substr(piece.size() - std::min(piece.size(), markup_.longest_bytes()));
  const MarkerSet::Hit hit = markup_.scan(tail_, false);
  tail_.erase(0, hit.id == MarkerSet::kNone ? hit.position : tail_.size());
  return shown;
}

std::string_view TextSeam::behind(std::string_view piece) {
  behind_ += piece;
  while (true) {
    const std::string joined = before_ + behind_;
    const MarkerSet::Hit hit = markup_.scan(joined, false);
    if (hit.position >= before_.size()) break;
    if (hit.id == MarkerSet::kNone) return {};  // may still be completed
    behind_.erase(0, hit.position + hit.length - before_.size());
    if (behind_.empty()) return {};
  }
  before_.clear();
  return finish();
}

std::string_view TextSeam::finish() {
  shown_ = std::exchange(behind_, {});
  return shown_;
}

}  // namespace dynamo::parsers::detail
