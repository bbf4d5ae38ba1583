// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "llm/http/socket_state.h"
#include "llm/http/transport.h"

namespace dynamo::llm::http {
namespace {

namespace net = boost::asio;
using boost::system::error_code;
constexpr auto kUseTuple = net::as_tuple(net::use_awaitable);

/// TCP. Bytes are sent and received by direct non-blocking calls; Asio is asked only when the
/// kernel says "not now", so a write that fits the send buffer costs one system call and no hop.
class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(net::ip::tcp::socket socket) : socket_(std::move(socket)) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
  }

  net::awaitable<error_code> open() override { co_return error_code(); }

  void when_readable(std::move_only_function<void()> ready) override {
    socket_.async_wait(net::ip::tcp::socket::wait_read,
                       [ready = std::move(ready)](const error_code&) mutable { ready(); });
  }

  std::size_t read_some(std::span<char> into, error_code& ec) override {
    return socket_.read_some(net::buffer(into.data(), into.size()), ec);
  }

  net::awaitable<error_code> write(std::span<const std::string_view> parts,
                                   StallWatch* watch) override {
    std::array<net::const_buffer, kPartsMax> buffers;
    std::size_t count = 0;
    for (const auto part : parts)
      if (!part.empty()) buffers[count++] = net::buffer(part.data(), part.size());
    std::size_t first = 0;
    while (first < count) {
      error_code ec;
      std::size_t sent = socket_.write_some(
          std::span<const net::const_buffer>(buffers).subspan(first, count - first), ec);
      if (ec == net::error::would_block) {
        watch->write_blocked();
        const auto [wait_error] =
            co_await socket_.async_wait(net::ip::tcp::socket::wait_write, kUseTuple);
        watch->write_resumed();
        if (wait_error) co_return wait_error;
        continue;
      }
      if (ec) co_return ec;
      while (first < count && sent >= buffers[first].size()) sent -= buffers[first++].size();
      if (first < count) buffers[first] += sent;
    }
    co_return error_code();
  }

  bool peer_has_closed() noexcept override { return tcp_peer_has_closed(socket_); }

  bool half_closes() const noexcept override { return true; }

  net::awaitable<void> shutdown_send(StallWatch*) override {
    error_code ignored;
    socket_.shutdown(net::ip::tcp::socket::shutdown_send, ignored);
    co_return;
  }

  void close() noexcept override {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  static constexpr std::size_t kPartsMax = 8;
  net::ip::tcp::socket socket_;
};

}  // namespace

std::unique_ptr<Transport> make_plain_transport(net::ip::tcp::socket socket) {
  return std::make_unique<PlainTransport>(std::move(socket));
}

}  // namespace dynamo::llm::http
