// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/llm/http/exchange.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dynamo::llm::http {

/// The canonical reason phrase of a status; "Unknown" for codes without one.
std::string_view reason_phrase(int status) noexcept;

/// "Mon, 23 Nov 2026 01:17:24 GMT" (RFC 9110 section 5.6.7).
std::string http_date(base::SystemTime time);

/// How the end of a response body is told.
struct BodyFraming {
  enum class Kind : std::uint8_t { length, chunked, until_close, none };
  Kind kind = Kind::none;
  std::size_t length = 0;
};

struct ResponseHead {
  int status;
  std::string_view content_type;  ///< empty: none is written
  const HeaderList& headers;
  BodyFraming framing;
  std::string_view date;
  /// Value of the connection field; empty leaves it out.
  std::string_view connection;
  /// The client's x-request-id, echoed; empty: it sent none.
  std::string_view request_id;
};

/// Appends status line, fields and the empty line. Fields in the order of the reference:
/// content-type, the handler's, framing, date. A field of `headers` with a control character is
/// left out, so that no value can begin a field of its own.
void append_head(std::string& out, const ResponseHead& head);

/// The line before a chunk: upper-case hexadecimal size and CR LF.
class ChunkPrefix {
 public:
  explicit ChunkPrefix(std::size_t size) noexcept;
  std::string_view text() const noexcept { return {text_.data() + begin_, text_.size() - begin_}; }

 private:
  std::array<char, 18> text_;
  std::size_t begin_;
};

}  // namespace dynamo::llm::http
