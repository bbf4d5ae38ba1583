// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "parsers/json_scanner.h"

namespace dynamo::parsers::detail {

/// Arguments that should be JSON and are passed on even when they are not: valid JSON is compacted
/// on its way; from the first defect on, the text goes out as it is. White space around is left
/// out.
class ArgumentText {
 public:
  void begin();
  /// What the next piece adds to the arguments. Valid until the next call.
  const std::string& feed(std::string_view piece);
  bool empty() const noexcept { return !raw_ && !scanner_.started(); }
  bool is_complete_json() const noexcept { return !raw_ && scanner_.complete_at_end(); }

 private:
  JsonScanner scanner_{JsonScanner::Options{.compact = true}};
  bool raw_ = false;
  std::string space_;  // behind the arguments, unless more follows
  std::string out_;
};

}  // namespace dynamo::parsers::detail
