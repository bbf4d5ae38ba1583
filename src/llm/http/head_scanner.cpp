// SPDX-License-Identifier: Apache-2.0
#include "llm/http/head_scanner.h"

#include <algorithm>

namespace dynamo::llm::http {
namespace {

// A client that sends more empty lines than this before its request is not sending a request.
constexpr std::size_t kLeadingBlankBytes = 8;

/// What a method may begin with; anything else (a TLS record, a NUL) is no request line.
bool can_begin_request(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

}  // namespace

void HeadScanner::reset() noexcept {
  begin_ = line_begin_ = position_ = lines_ = 0;
}

HeadScanner::Status HeadScanner::end_line(std::string_view buffered, std::size_t newline) noexcept {
  if (newline == line_begin_ || buffered[newline - 1] != '\r') return Status::malformed;
  const bool empty = newline - line_begin_ == 1;
  line_begin_ = position_ = newline + 1;
  if (!empty) {
    ++lines_;
    return lines_ > limits_.header_fields + 1 ? Status::too_many_fields : Status::incomplete;
  }
  if (lines_ > 0) return Status::complete;
  begin_ = line_begin_;
  return begin_ > kLeadingBlankBytes ? Status::malformed : Status::incomplete;
}

HeadScanner::Status HeadScanner::scan(std::string_view buffered) noexcept {
  while (position_ < buffered.size()) {
    if (lines_ == 0 && position_ == line_begin_) {
      const char first = buffered[position_];
      if (!can_begin_request(first) && first != '\r') return Status::malformed;
    }
    const std::size_t newline = buffered.find('\n', position_);
    if (newline == std::string_view::npos) {
      position_ = buffered.size();
      break;
    }
    if (lines_ == 0 && newline - line_begin_ > limits_.request_line_bytes)
      return Status::line_too_long;
    if (newline + 1 - begin_ > limits_.head_bytes) return Status::head_too_large;
    if (const Status status = end_line(buffered, newline); status != Status::incomplete)
      return status;
  }
  const std::size_t pending = buffered.size() - line_begin_;
  if (lines_ == 0 && pending > limits_.request_line_bytes) return Status::line_too_long;
  if (buffered.size() - begin_ > limits_.head_bytes) return Status::head_too_large;
  return Status::incomplete;
}

}  // namespace dynamo::llm::http
