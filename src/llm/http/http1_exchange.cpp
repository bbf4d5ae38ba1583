// SPDX-License-Identifier: Apache-2.0
#include "llm/http/http1_exchange.h"

#include <dynamo/base/assert.h>

#include <algorithm>
#include <array>
#include <utility>

namespace dynamo::llm::http {
namespace {

namespace net = boost::asio;
using Fill = ConnectionIo::Fill;

// A body that the handler did not want is read and dropped up to this size, so that the connection
// can be used again; above it the connection is closed.
constexpr std::uint64_t kSkippedBodyBytes = std::size_t{256} * 1024;
constexpr std::size_t kFirstReserveBytes = std::size_t{64} * 1024;
constexpr std::size_t kRequestIdBytes = 256;

std::string_view echoed_request_id(const RequestHead& head) noexcept {
  const auto id = head.header("x-request-id");
  return id && id->size() <= kRequestIdBytes ? *id : std::string_view();
}

bool has_no_body(int status) noexcept {
  return status == 204 || status == 304;
}

}  // namespace

Http1Exchange::Http1Exchange(ConnectionIo& io, RequestParser& parser, const ServerLimits& limits,
                             std::string_view peer, const std::atomic<bool>& draining) noexcept
    : io_(io),
      parser_(parser),
      limits_(limits),
      peer_(peer),
      draining_(draining),
      close_(!parser.keep_alive()) {}

bool Http1Exchange::body_pending() const noexcept {
  return body_failed_ ||
         (parser_.framing() != RequestParser::Framing::none && !parser_.body_complete());
}

net::awaitable<Result<std::string>> Http1Exchange::read_body(std::size_t limit_bytes) {
  std::string body;
  if (parser_.framing() == RequestParser::Framing::none) co_return body;
  DYN_ASSERT(!parser_.body_complete());  // a body is read once
  const bool too_large =
      parser_.framing() == RequestParser::Framing::length && parser_.content_length() > limit_bytes;
  if (!too_large && parser_.expects_continue() && io_.input().empty()) {
    continue_sent_ = true;
    const std::array<std::string_view, 1> parts{"HTTP/1.1 100 Continue\r\n\r\n"};
    DYN_CO_CHECK(co_await io_.write(parts));
  }
  body.reserve(std::min<std::uint64_t>(parser_.content_length(), kFirstReserveBytes));
  const base::SteadyTime begun = io_.ticker().now;
  for (;;) {
    auto step = parser_.parse_body(io_.input(), &body, limit_bytes);
    io_.consume(step.consumed);
    if (step.defect) {
      body_failed_ = true;
      co_return fail(step.defect->status == 413 ? Errc::payload_too_large : Errc::invalid_argument,
                     std::move(step.defect->message));
    }
    if (parser_.body_complete()) co_return body;
    const base::SteadyTime now = io_.ticker().now;
    const base::SteadyTime slowest =
        begun + limits_.body_stall +
        std::chrono::seconds(body.size() / std::max<std::size_t>(limits_.body_bytes_per_second, 1));
    const Fill fill = co_await io_.fill(std::min(now + limits_.body_stall, slowest));
    if (fill == Fill::data) continue;
    body_failed_ = true;
    if (fill == Fill::timeout)
      co_return fail(Errc::deadline_exceeded, "The request body did not arrive in time");
    co_return fail(Errc::disconnected, "the client closed the connection within the request body");
  }
}

void Http1Exchange::decide_close() {
  if (draining_.load(std::memory_order_relaxed)) close_ = true;
  if (!body_pending() || close_) return;
  // What has come already is dropped now; what is short may still come after the response.
  if (!body_failed_) {
    const auto step = parser_.parse_body(io_.input(), nullptr, kSkippedBodyBytes);
    io_.consume(step.consumed);
    if (step.defect) body_failed_ = true;
    if (!body_pending()) return;
  }
  const bool waits_for_continue = parser_.expects_continue() && !continue_sent_;
  close_ =
      body_failed_ || waits_for_continue || parser_.framing() == RequestParser::Framing::chunked;
}

net::awaitable<bool> Http1Exchange::skip_body() {
  const base::SteadyTime deadline = io_.ticker().now + limits_.linger;
  while (body_pending()) {
    if (body_failed_ || co_await io_.fill(deadline) != Fill::data) co_return false;
    const auto step = parser_.parse_body(io_.input(), nullptr, kSkippedBodyBytes);
    io_.consume(step.consumed);
    if (step.defect) co_return false;
  }
  co_return true;
}

void Http1Exchange::append_response_head(int status, std::string_view content_type,
                                         const HeaderList& headers, BodyFraming framing) {
  decide_close();
  head_.reserve(256);
  append_head(head_, {.status = status,
                      .content_type = content_type,
                      .headers = headers,
                      .framing = framing,
                      .date = io_.ticker().date,
                      .connection = close_ ? "close" : (parser_.is_http11() ? "" : "keep-alive"),
                      .request_id = echoed_request_id(parser_)});
}

net::awaitable<Result<void>> Http1Exchange::send(std::span<const std::string_view> parts) {
  auto sent = co_await io_.write(parts);
  if (!sent) close_ = true;
  co_return sent;
}

net::awaitable<Result<void>> Http1Exchange::respond(int status, std::string_view content_type,
                                                    std::string body, HeaderList headers) {
  DYN_ASSERT(state_ == State::fresh);
  state_ = State::ended;
  const bool empty = has_no_body(status);
  append_response_head(status, content_type, headers,
                       empty ? BodyFraming{} : BodyFraming{BodyFraming::Kind::length, body.size()});
  const std::array<std::string_view, 2> parts{head_,
                                              empty || !sends_body() ? std::string_view() : body};
  co_return co_await send(parts);
}

net::awaitable<Result<void>> Http1Exchange::start_stream(int status, std::string_view content_type,
                                                         HeaderList headers) {
  DYN_ASSERT(state_ == State::fresh);
  state_ = State::streaming;
  if (!parser_.is_http11()) close_ = true;
  append_response_head(
      status, content_type, headers,
      BodyFraming{parser_.is_http11() ? BodyFraming::Kind::chunked : BodyFraming::Kind::until_close,
                  0});
  co_return Result<void>();
}

net::awaitable<Result<void>> Http1Exchange::write(std::string_view bytes) {
  DYN_ASSERT(state_ == State::streaming);
  const bool body = sends_body() && !bytes.empty();
  const bool framed = body && parser_.is_http11();
  const ChunkPrefix prefix(bytes.size());
  const std::array<std::string_view, 4> parts{head_, framed ? prefix.text() : std::string_view(),
                                              body ? bytes : std::string_view(),
                                              framed ? "\r\n" : ""};
  auto sent = co_await send(parts);
  head_.clear();
  co_return sent;
}

net::awaitable<Result<void>> Http1Exchange::finish_stream(std::string_view last) {
  DYN_ASSERT(state_ == State::streaming);
  state_ = State::ended;
  const bool body = sends_body() && !last.empty();
  const bool framed = parser_.is_http11();
  const ChunkPrefix prefix(last.size());
  const std::array<std::string_view, 5> parts{
      head_, framed && body ? prefix.text() : std::string_view(), body ? last : std::string_view(),
      framed && body ? "\r\n" : "", framed && sends_body() ? "0\r\n\r\n" : ""};
  co_return co_await send(parts);
}

void Http1Exchange::abort() noexcept {
  state_ = State::ended;
  close_ = true;
  io_.abort();
}

}  // namespace dynamo::llm::http
