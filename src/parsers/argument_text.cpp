// SPDX-License-Identifier: Apache-2.0
#include "parsers/argument_text.h"

#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {

void ArgumentText::begin() {
  scanner_.reset();
  raw_ = false;
  space_.clear();
}

const std::string& ArgumentText::feed(std::string_view piece) {
  out_.clear();
  std::size_t consumed = 0;
  if (!raw_) {
    const auto status = scanner_.feed(piece, consumed, out_);
    if (status == JsonScanner::Status::invalid) raw_ = true;
  }
  for (std::string_view rest = piece.substr(consumed); !rest.empty();) {
    if (const std::size_t n = leading_space(rest)) {
      space_ += rest.substr(0, n);
      rest.remove_prefix(n);
      continue;
    }
    raw_ = true;
    out_ += space_;
    space_.clear();
    std::size_t end = 1;
    while (end < rest.size() && leading_space(rest.substr(end)) == 0) ++end;
    out_ += rest.substr(0, end);
    rest.remove_prefix(end);
  }
  return out_;
}

}  // namespace dynamo::parsers::detail
