// SPDX-License-Identifier: Apache-2.0
#include "llm/http/http1_connection.h"

#include <dynamo/base/log.h>
#include <dynamo/runtime/shard.h>

#include <array>
#include <exception>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "llm/http/error_response.h"
#include "llm/http/http1_exchange.h"

namespace dynamo::llm::http {
namespace {

namespace net = boost::asio;
using Fill = ConnectionIo::Fill;

// After so many requests that were served without waiting, others on the shard get their turn.
constexpr std::uint32_t kRequestsPerTurn = 16;
// What a refused client may still send while it has not seen the refusal.
constexpr std::size_t kLingerBytes = std::size_t{256} << 20;

RequestDefect defect_of(HeadScanner::Status status) {
  switch (status) {
    case HeadScanner::Status::line_too_long:
      return {414, "The request line is too long"};
    case HeadScanner::Status::head_too_large:
      return {431, "Request header fields are too large"};
    case HeadScanner::Status::too_many_fields:
      return {431, "Too many request header fields"};
    default:
      return {400, "Malformed request head"};
  }
}

/// Counts a request while it is worked on: on its shard for the acceptor, on the server for the
/// return of memory.
class LoadGuard {
 public:
  LoadGuard(runtime::Shard* shard, ServerShared& server) noexcept : shard_(shard), server_(server) {
    if (shard_ != nullptr) shard_->request_started();
    server_.active.fetch_add(1, std::memory_order_relaxed);
    server_.served.fetch_add(1, std::memory_order_relaxed);
  }
  ~LoadGuard() {
    if (shard_ != nullptr) shard_->request_ended();
    server_.active.fetch_sub(1, std::memory_order_relaxed);
  }
  LoadGuard(const LoadGuard&) = delete;
  LoadGuard& operator=(const LoadGuard&) = delete;

 private:
  runtime::Shard* shard_;
  ServerShared& server_;
};

}  // namespace

Http1Connection::Http1Connection(std::unique_ptr<Transport> transport, ServerShared& shared,
                                 ShardTicker& ticker, runtime::Shard* load, std::string peer)
    : shared_(shared),
      load_(load),
      peer_(std::move(peer)),
      scanner_({.head_bytes = shared.limits.head_bytes,
                .request_line_bytes = shared.limits.request_line_bytes,
                .header_fields = shared.limits.header_fields}),
      io_(std::move(transport), ticker, shared.limits.write_stall) {}

void Http1Connection::close_when_idle() {
  stopping_ = true;
  if (idle_) io_.wake();
}

net::awaitable<Http1Connection::Next> Http1Connection::read_head() {
  scanner_.reset();
  base::SteadyTime deadline = base::SteadyTime::max();
  for (;;) {
    const auto status = scanner_.scan(io_.input());
    if (status == HeadScanner::Status::complete) {
      auto defect = parser_.parse_head(
          io_.input().substr(scanner_.head_begin(), scanner_.head_end() - scanner_.head_begin()));
      io_.consume(scanner_.head_end());
      if (!defect) co_return Next::request;
      co_await refuse(std::move(*defect));
      co_return Next::close;
    }
    if (status != HeadScanner::Status::incomplete) {
      co_await refuse(defect_of(status));
      co_return Next::close;
    }
    const bool nothing_yet = io_.input().empty();
    if (nothing_yet && stopping_) co_return Next::closed;
    if (nothing_yet) {
      io_.release_memory();
      deadline = io_.ticker().now + shared_.limits.idle;
    } else if (idle_ || deadline == base::SteadyTime::max()) {
      deadline = io_.ticker().now + shared_.limits.head;
    }
    idle_ = nothing_yet;
    const Fill fill = co_await io_.fill(deadline);
    if (fill == Fill::end) co_return Next::closed;
    if (fill == Fill::timeout) {
      if (nothing_yet) co_return Next::closed;
      co_await refuse({408, "The request head did not arrive in time"});
      co_return Next::close;
    }
  }
}

net::awaitable<bool> Http1Connection::serve_request() {
  const LoadGuard load(load_, shared_);
  Http1Exchange exchange(io_, parser_, shared_.limits, peer_, shared_.draining);
  try {
    co_await shared_.handler(exchange);
  } catch (const std::exception& failure) {
    DYN_LOG_ERROR("llm::http", "handler_failed",
                  {{"path", exchange.head().path()}, {"what", failure.what()}});
  }
  io_.unwatch();
  if (!exchange.begun()) {
    static_cast<void>(co_await exchange.respond(
        500, kJsonType, plain_error_body(500, "Internal server error"), {}));
  } else if (!exchange.ended()) {
    exchange.abort();
  }
  if (exchange.must_close()) {
    if (exchange.body_pending()) co_await linger();
    co_return false;
  }
  co_return exchange.body_pending() ? co_await exchange.skip_body() : true;
}

net::awaitable<void> Http1Connection::refuse(RequestDefect defect) {
  std::string body = plain_error_body(defect.status, defect.message);
  std::string head;
  const HeaderList no_headers;
  append_head(head, {.status = defect.status,
                     .content_type = kJsonType,
                     .headers = no_headers,
                     .framing = {BodyFraming::Kind::length, body.size()},
                     .date = io_.ticker().date,
                     .connection = "close",
                     .request_id = {}});
  const std::array<std::string_view, 2> parts{head, body};
  if (co_await io_.write(parts)) co_await linger();
}

/// Lets the client read the refusal: closing while its bytes are still coming would make the
/// kernel send a reset, which throws the response away.
net::awaitable<void> Http1Connection::linger() {
  const base::SteadyTime deadline = io_.ticker().now + shared_.limits.linger;
  if (io_.half_closes()) co_await io_.shutdown_send();
  for (std::size_t dropped = 0; dropped < kLingerBytes;) {
    dropped += io_.input().size();
    io_.consume(io_.input().size());
    if (co_await io_.fill(deadline) != Fill::data) break;
  }
}

net::awaitable<void> Http1Connection::run() {
  // A stopped server ends its connections by abort(); cancellation of the task only reaches the
  // handler's waits and must not turn ours into exceptions.
  co_await net::this_coro::throw_if_cancelled(false);
  const auto executor = co_await net::this_coro::executor;
  if (!co_await io_.open(io_.ticker().now + shared_.limits.handshake)) {
    std::uint32_t served = 0;
    while (co_await read_head() == Next::request) {
      idle_ = false;
      if (!co_await serve_request()) break;
      if (++served % kRequestsPerTurn == 0) co_await net::post(executor, net::use_awaitable);
    }
    if (!io_.peer_gone()) co_await io_.shutdown_send();
  }
  co_await io_.close();
}

}  // namespace dynamo::llm::http
