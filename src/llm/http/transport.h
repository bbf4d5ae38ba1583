// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>

namespace dynamo::llm::http {

/// Told when a write has to wait for the peer and when it goes on, so that a stalled peer can be
/// cut off without a timer per write.
class StallWatch {
 public:
  virtual ~StallWatch() = default;
  virtual void write_blocked() noexcept = 0;
  virtual void write_resumed() noexcept = 0;
};

/// The byte stream below one connection. Confined to its shard. One reader and one writer at a
/// time; both may be waiting together.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Completes the opening (TLS handshake).
  virtual boost::asio::awaitable<boost::system::error_code> open() = 0;

  /// Calls `ready` once, never before it returns, when read_some() will make progress: bytes, the
  /// end or an error. close() makes it ready too. One wait at a time.
  virtual void when_readable(std::move_only_function<void()> ready) = 0;
  /// Takes what is there without waiting. Errors: would_block, eof, or why the stream is broken.
  virtual std::size_t read_some(std::span<char> into, boost::system::error_code& ec) = 0;

  /// Writes all parts in order, as few system calls as the peer's window allows.
  virtual boost::asio::awaitable<boost::system::error_code> write(
      std::span<const std::string_view> parts, StallWatch* watch) = 0;

  /// Asks the kernel whether the peer has closed, without reading: for a connection whose input
  /// is full.
  virtual bool peer_has_closed() noexcept = 0;
  /// Whether bytes of the peer can still be read after shutdown_send().
  virtual bool half_closes() const noexcept = 0;
  /// Ends our half of the stream.
  virtual boost::asio::awaitable<void> shutdown_send(StallWatch* watch) = 0;
  /// Ends both; waits become ready. Idempotent.
  virtual void close() noexcept = 0;
};

std::unique_ptr<Transport> make_plain_transport(boost::asio::ip::tcp::socket socket);
std::unique_ptr<Transport> make_tls_transport(boost::asio::ip::tcp::socket socket,
                                              boost::asio::ssl::context& context);

}  // namespace dynamo::llm::http
