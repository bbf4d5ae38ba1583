// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dynamo::llm::http {

/// Bounds on a request head; each answers with its own status (414, 431).
struct HeadLimits {
  std::size_t head_bytes;
  std::size_t request_line_bytes;
  std::size_t header_fields;
};

/// Finds the end of an HTTP/1 request head in bytes that arrive in pieces, and refuses a head that
/// cannot become valid as early as that is known. Each byte is looked at once.
///
/// Empty lines before the request line are skipped (RFC 9112 section 2.2); a line feed without a
/// carriage return is malformed, because peers disagree on it and that is how requests are
/// smuggled.
class HeadScanner {
 public:
  enum class Status : std::uint8_t {
    incomplete,
    complete,
    malformed,        ///< 400
    line_too_long,    ///< 414
    head_too_large,   ///< 431
    too_many_fields,  ///< 431
  };

  explicit HeadScanner(const HeadLimits& limits) noexcept : limits_(limits) {}

  /// `buffered` holds everything since the last reset(), with new bytes behind what was there.
  Status scan(std::string_view buffered) noexcept;
  /// When complete: where the request line begins and where the head ends.
  std::size_t head_begin() const noexcept { return begin_; }
  std::size_t head_end() const noexcept { return position_; }
  void reset() noexcept;

 private:
  Status end_line(std::string_view buffered, std::size_t newline) noexcept;
  HeadLimits limits_;
  std::size_t begin_ = 0;       ///< first byte of the request line
  std::size_t line_begin_ = 0;  ///< first byte of the line being read
  std::size_t position_ = 0;    ///< everything before it was looked at
  std::size_t lines_ = 0;       ///< complete lines so far
};

}  // namespace dynamo::llm::http
