// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/runtime/fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace dynamo::llm::http {

enum class Method : std::uint8_t { get, head, post, put, del, patch, options, other };
std::string_view to_string(Method method) noexcept;

/// The request line and header fields. Views are valid as long as the exchange.
class RequestHead {
 public:
  virtual ~RequestHead() = default;
  virtual Method method() const noexcept = 0;
  virtual std::string_view method_text() const noexcept = 0;
  virtual std::string_view path() const noexcept = 0;   ///< percent-decoded, without the query
  virtual std::string_view query() const noexcept = 0;  ///< as sent, without '?'
  /// First field of that name (case-insensitive), or none.
  virtual std::optional<std::string_view> header(std::string_view name) const noexcept = 0;
  /// Every field in order.
  virtual std::vector<std::pair<std::string_view, std::string_view>> headers() const = 0;
};

using HeaderList = std::vector<std::pair<std::string, std::string>>;

/// One request and its response, whatever the protocol version below. Handlers see only this, so
/// HTTP/2 can join without touching them. Confined to its shard.
///
/// Exactly one of respond(), or start_stream() … finish_stream(), or abort() ends it; an exchange
/// dropped before that answers 500. Every response echoes the client's x-request-id.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const RequestHead& head() const noexcept = 0;

  /// The whole body, once. A body that announces more than `limit_bytes` is refused unread. After
  /// an error the exchange can still be answered; the connection closes then. Errors:
  /// payload_too_large (413), invalid_argument (malformed chunking), disconnected,
  /// deadline_exceeded (client too slow: 408).
  virtual boost::asio::awaitable<Result<std::string>> read_body(std::size_t limit_bytes) = 0;

  /// A complete response; sets content-length.
  virtual boost::asio::awaitable<Result<void>> respond(int status, std::string_view content_type,
                                                       std::string body,
                                                       HeaderList headers = {}) = 0;

  /// Begins a response of unknown length (chunked in HTTP/1.1). The head leaves together with the
  /// first write().
  virtual boost::asio::awaitable<Result<void>> start_stream(int status,
                                                            std::string_view content_type,
                                                            HeaderList headers = {}) = 0;
  /// One gathered write of everything in `bytes`; returns when the socket took it, so a slow
  /// reader slows the caller. Errors: disconnected, cancelled.
  virtual boost::asio::awaitable<Result<void>> write(std::string_view bytes) = 0;
  /// Ends the stream; `last` leaves in the same write.
  virtual boost::asio::awaitable<Result<void>> finish_stream(std::string_view last = {}) = 0;
  /// Closes the connection without a proper end, so the client sees that the answer is cut.
  virtual void abort() noexcept = 0;

  /// Kills `context` as soon as the peer closes the connection (also its writing half), while this
  /// exchange lasts. One context at a time.
  virtual void kill_on_disconnect(runtime::ContextPtr context) = 0;
  /// Whether the peer was seen to leave.
  virtual bool disconnected() const noexcept = 0;
  /// "ip:port" of the peer, for logs.
  virtual std::string_view peer() const noexcept = 0;
};

}  // namespace dynamo::llm::http
