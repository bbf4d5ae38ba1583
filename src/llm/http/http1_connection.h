// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/llm/http/server.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "llm/http/connection_io.h"
#include "llm/http/head_scanner.h"
#include "llm/http/request_parser.h"

namespace dynamo::llm::http {

/// What all connections of a server share.
struct ServerShared {
  ServerLimits limits;
  Handler handler;
  std::atomic<bool> draining{false};
  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> active{0};    ///< requests in progress
  std::atomic<std::uint64_t> served{0};  ///< requests begun since the start
};

/// One client connection: reads heads, hands exchanges to the handler, keeps alive or closes.
/// Confined to its shard.
class Http1Connection {
 public:
  /// `load` is told when a request begins and ends; null in tests without shards.
  Http1Connection(std::unique_ptr<Transport> transport, ServerShared& shared, ShardTicker& ticker,
                  runtime::Shard* load, std::string peer);

  /// Serves until the connection is over. Does not throw.
  boost::asio::awaitable<void> run();

  void on_tick(base::SteadyTime now) { io_.on_tick(now); }
  /// Closes now when no request is in progress, else after it.
  void close_when_idle();
  /// Closes now; the request in progress is killed.
  void abort() noexcept { io_.abort(); }

 private:
  enum class Next : std::uint8_t { request, close, closed };
  boost::asio::awaitable<Next> read_head();
  boost::asio::awaitable<bool> serve_request();
  boost::asio::awaitable<void> refuse(RequestDefect defect);
  boost::asio::awaitable<void> linger();

  ServerShared& shared_;
  runtime::Shard* load_;
  const std::string peer_;
  HeadScanner scanner_;
  RequestParser parser_;
  ConnectionIo io_;
  bool idle_ = false;      ///< waits for the first byte of a request
  bool stopping_ = false;  ///< no further request
};

}  // namespace dynamo::llm::http
