// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstring>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "llm/http/socket_state.h"
#include "llm/http/transport.h"

namespace dynamo::llm::http {
namespace {

namespace net = boost::asio;
using boost::system::error_code;
constexpr auto kUseTuple = net::as_tuple(net::use_awaitable);

/// TLS over TCP. One record is read ahead; a gathered write is flattened once, because Asio would
/// write each of its buffers as a record of its own.
class TlsTransport final : public Transport {
 public:
  TlsTransport(net::ip::tcp::socket socket, net::ssl::context& context)
      : stream_(std::move(socket), context) {
    ::SSL_set_mode(stream_.native_handle(), SSL_MODE_RELEASE_BUFFERS);
  }

  net::awaitable<error_code> open() override {
    const auto [ec] = co_await stream_.async_handshake(net::ssl::stream_base::server, kUseTuple);
    co_return ec;
  }

  void when_readable(std::move_only_function<void()> ready) override {
    if (taken_ < filled_ || read_error_) {
      net::post(stream_.get_executor(), std::move(ready));
      return;
    }
    ahead_.resize(kRecordBytes);
    stream_.async_read_some(net::buffer(ahead_), [this, ready = std::move(ready)](
                                                     error_code ec, std::size_t n) mutable {
      taken_ = 0;
      filled_ = n;
      // A peer that closes without close_notify has closed all the same.
      read_error_ = ec == net::ssl::error::stream_truncated ? error_code(net::error::eof) : ec;
      ready();
    });
  }

  std::size_t read_some(std::span<char> into, error_code& ec) override {
    ec = {};
    const std::size_t n = std::min(into.size(), filled_ - taken_);
    if (n > 0) {
      std::memcpy(into.data(), ahead_.data() + taken_, n);
      taken_ += n;
      if (taken_ == filled_) std::vector<char>().swap(ahead_);
      return n;
    }
    ec = read_error_ ? read_error_ : error_code(net::error::would_block);
    return 0;
  }

  net::awaitable<error_code> write(std::span<const std::string_view> parts,
                                   StallWatch* watch) override {
    std::size_t total = 0;
    for (const auto part : parts) total += part.size();
    flat_.clear();
    flat_.reserve(total);
    for (const auto part : parts) flat_.append(part);
    std::size_t sent = 0;
    while (sent < flat_.size()) {
      watch->write_blocked();
      const auto [ec, n] = co_await stream_.async_write_some(
          net::buffer(flat_.data() + sent, flat_.size() - sent), kUseTuple);
      watch->write_resumed();
      if (ec) co_return ec;
      sent += n;
    }
    if (flat_.capacity() > kKeptBytes) std::string().swap(flat_);
    co_return error_code();
  }

  bool peer_has_closed() noexcept override { return tcp_peer_has_closed(stream_.next_layer()); }

  bool half_closes() const noexcept override { return false; }

  /// Sends close_notify. The peer's own is not waited for (RFC 8446 section 6.1 allows that):
  /// OpenSSL is told that it has come, so the operation ends when ours is written.
  net::awaitable<void> shutdown_send(StallWatch* watch) override {
    ::SSL_set_shutdown(stream_.native_handle(), SSL_RECEIVED_SHUTDOWN);
    watch->write_blocked();
    static_cast<void>(co_await stream_.async_shutdown(kUseTuple));
    watch->write_resumed();
  }

  void close() noexcept override {
    error_code ignored;
    stream_.next_layer().close(ignored);
  }

 private:
  static constexpr std::size_t kRecordBytes = std::size_t{16} * 1024;
  static constexpr std::size_t kKeptBytes = std::size_t{4} * 1024;
  net::ssl::stream<net::ip::tcp::socket> stream_;
  std::vector<char> ahead_;
  std::size_t taken_ = 0;
  std::size_t filled_ = 0;
  error_code read_error_;
  std::string flat_;
};

}  // namespace

std::unique_ptr<Transport> make_tls_transport(net::ip::tcp::socket socket,
                                              net::ssl::context& context) {
  return std::make_unique<TlsTransport>(std::move(socket), context);
}

}  // namespace dynamo::llm::http
