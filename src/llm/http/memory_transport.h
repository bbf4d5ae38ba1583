// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include "llm/http/local_event.h"
#include "llm/http/transport.h"

namespace dynamo::llm::http {

/// The client's end of a MemoryTransport: what the test sends and sees.
struct MemoryPeer {
  std::string to_server;
  std::string from_server;
  bool closed_by_client = false;
  bool closed_by_server = false;
  bool takes_bytes = true;        ///< false: the peer's window is full
  std::size_t writes = 0;         ///< gathered writes that reached the peer
  std::function<void()> changed;  ///< set by the transport: bytes, end or window have changed

  void send(std::string_view bytes) {
    to_server.append(bytes);
    if (changed) changed();
  }
  void close() {
    closed_by_client = true;
    if (changed) changed();
  }
  void take_again() {
    takes_bytes = true;
    if (changed) changed();
  }
};

/// A connection in memory, so that connections are tested byte by byte without sockets.
class MemoryTransport final : public Transport {
 public:
  MemoryTransport(boost::asio::any_io_executor executor, MemoryPeer& peer)
      : executor_(std::move(executor)), peer_(peer) {
    peer_.changed = [this] { on_change(); };
  }
  ~MemoryTransport() override { peer_.changed = nullptr; }

  boost::asio::awaitable<boost::system::error_code> open() override {
    co_return boost::system::error_code();
  }
  void when_readable(std::move_only_function<void()> ready) override {
    ready_ = std::move(ready);
    on_change();
  }
  std::size_t read_some(std::span<char> into, boost::system::error_code& ec) override {
    ec = {};
    const std::size_t n = std::min(into.size(), peer_.to_server.size());
    if (closed_) {
      ec = boost::asio::error::bad_descriptor;
    } else if (n > 0) {
      std::memcpy(into.data(), peer_.to_server.data(), n);
      peer_.to_server.erase(0, n);
      return n;
    } else {
      ec = peer_.closed_by_client ? boost::system::error_code(boost::asio::error::eof)
                                  : boost::system::error_code(boost::asio::error::would_block);
    }
    return 0;
  }
  boost::asio::awaitable<boost::system::error_code> write(std::span<const std::string_view> parts,
                                                          StallWatch* watch) override {
    while (!peer_.takes_bytes && !closed_) {
      watch->write_blocked();
      co_await window_.wait();
      watch->write_resumed();
    }
    if (closed_) co_return boost::asio::error::bad_descriptor;
    for (const auto part : parts) peer_.from_server.append(part);
    ++peer_.writes;
    co_return boost::system::error_code();
  }
  bool peer_has_closed() noexcept override { return peer_.closed_by_client; }
  bool half_closes() const noexcept override { return true; }
  boost::asio::awaitable<void> shutdown_send(StallWatch*) override {
    peer_.closed_by_server = true;
    co_return;
  }
  void close() noexcept override {
    closed_ = peer_.closed_by_server = true;
    on_change();
  }

 private:
  void on_change() {
    if (ready_ && (closed_ || peer_.closed_by_client || !peer_.to_server.empty()))
      boost::asio::post(executor_, std::exchange(ready_, nullptr));
    if (window_.has_waiter() && (closed_ || peer_.takes_bytes))
      boost::asio::post(executor_, [this] { window_.notify(); });
  }
  boost::asio::any_io_executor executor_;
  MemoryPeer& peer_;
  std::move_only_function<void()> ready_;
  LocalEvent window_;
  bool closed_ = false;
};

}  // namespace dynamo::llm::http
