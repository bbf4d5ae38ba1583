// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/http/exchange.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dynamo::llm::http {

/// A request that cannot be served as HTTP/1: the status to answer and why.
struct RequestDefect {
  int status;
  std::string message;
};

/// Parses one request after the other on a connection: first a whole head, then the body as it
/// arrives. The grammar is Boost.Beast's; this file adds what it leaves open (exactly one Host,
/// no obsolete folding, no transfer coding but chunked, no escaped NUL in the path).
///
/// parse_head() invalidates every view of the previous request.
class RequestParser final : public RequestHead {
 public:
  RequestParser();
  ~RequestParser() override;

  /// `head` runs from the request line to the empty line, inclusive.
  std::optional<RequestDefect> parse_head(std::string_view head);

  enum class Framing : std::uint8_t { none, length, chunked };
  Framing framing() const noexcept { return framing_; }
  /// With Framing::length.
  std::uint64_t content_length() const noexcept { return content_length_; }
  bool is_http11() const noexcept { return http11_; }
  bool keep_alive() const noexcept { return keep_alive_; }
  bool expects_continue() const noexcept { return expects_continue_; }

  /// Takes body bytes from the front of `input` and appends them to `out`, or drops them when it is
  /// null. `limit_bytes` bounds the decoded body. What was not consumed must be at the front again
  /// next time (an incomplete chunk header).
  struct BodyStep {
    std::size_t consumed = 0;
    std::optional<RequestDefect> defect;
  };
  BodyStep parse_body(std::string_view input, std::string* out, std::uint64_t limit_bytes);
  bool body_complete() const noexcept;

  Method method() const noexcept override { return method_; }
  std::string_view method_text() const noexcept override { return method_text_; }
  std::string_view path() const noexcept override { return path_; }
  std::string_view query() const noexcept override { return query_; }
  std::optional<std::string_view> header(std::string_view name) const noexcept override;
  std::vector<std::pair<std::string_view, std::string_view>> headers() const override {
    return fields_;
  }

 private:
  std::optional<RequestDefect> split_target(std::string_view target);

  class Grammar;
  std::unique_ptr<Grammar> grammar_;
  std::string head_;          ///< what the views point into
  std::string decoded_path_;  ///< set when the path had escapes
  std::vector<std::pair<std::string_view, std::string_view>> fields_;
  Method method_ = Method::other;
  std::string_view method_text_;
  std::string_view path_;
  std::string_view query_;
  Framing framing_ = Framing::none;
  std::uint64_t content_length_ = 0;
  bool http11_ = true;
  bool keep_alive_ = false;
  bool expects_continue_ = false;
};

/// Case-insensitive comparison of ASCII field names and tokens.
bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;

}  // namespace dynamo::llm::http
