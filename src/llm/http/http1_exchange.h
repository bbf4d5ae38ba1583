// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/http/exchange.h>
#include <dynamo/llm/http/server.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "llm/http/connection_io.h"
#include "llm/http/request_parser.h"
#include "llm/http/response_head.h"

namespace dynamo::llm::http {

/// One request and response on an HTTP/1 connection. Lives in the connection's coroutine.
class Http1Exchange final : public Exchange {
 public:
  /// While `draining`, responses close the connection whatever the client wants.
  Http1Exchange(ConnectionIo& io, RequestParser& parser, const ServerLimits& limits,
                std::string_view peer, const std::atomic<bool>& draining) noexcept;

  const RequestHead& head() const noexcept override { return parser_; }
  boost::asio::awaitable<Result<std::string>> read_body(std::size_t limit_bytes) override;
  boost::asio::awaitable<Result<void>> respond(int status, std::string_view content_type,
                                               std::string body, HeaderList headers) override;
  boost::asio::awaitable<Result<void>> start_stream(int status, std::string_view content_type,
                                                    HeaderList headers) override;
  boost::asio::awaitable<Result<void>> write(std::string_view bytes) override;
  boost::asio::awaitable<Result<void>> finish_stream(std::string_view last) override;
  void abort() noexcept override;
  void kill_on_disconnect(runtime::ContextPtr context) override { io_.watch(std::move(context)); }
  bool disconnected() const noexcept override { return io_.peer_gone(); }
  std::string_view peer() const noexcept override { return peer_; }

  /// Whether the handler ended the exchange.
  bool ended() const noexcept { return state_ == State::ended; }
  bool begun() const noexcept { return state_ != State::fresh; }
  /// The connection cannot carry another request.
  bool must_close() const noexcept { return close_; }
  /// Part of the request is still to come although the response is complete.
  bool body_pending() const noexcept;
  /// After a response on a connection that stays open: reads what is left of the body and drops it.
  /// False when the connection must be closed after all.
  boost::asio::awaitable<bool> skip_body();

 private:
  enum class State : std::uint8_t { fresh, streaming, ended };
  boost::asio::awaitable<Result<void>> send(std::span<const std::string_view> parts);
  void decide_close();
  void append_response_head(int status, std::string_view content_type, const HeaderList& headers,
                            BodyFraming framing);
  /// Whether chunks are framed: not for HTTP/1.0, and nothing at all is sent after a HEAD.
  bool sends_body() const noexcept { return parser_.method() != Method::head; }

  ConnectionIo& io_;
  RequestParser& parser_;
  const ServerLimits& limits_;
  const std::string_view peer_;
  const std::atomic<bool>& draining_;
  std::string head_;  ///< of a stream, until the first write takes it along
  State state_ = State::fresh;
  bool close_;
  bool continue_sent_ = false;
  bool body_failed_ = false;
};

}  // namespace dynamo::llm::http
