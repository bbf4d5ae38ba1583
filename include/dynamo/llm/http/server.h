// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/base/error.h>
#include <dynamo/base/limits.h>
#include <dynamo/llm/http/exchange.h>
#include <dynamo/runtime/fwd.h>
#include <dynamo/runtime/metrics.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>

namespace dynamo::llm::http {

/// PEM files; both or neither.
struct TlsFiles {
  std::filesystem::path certificate;  ///< the chain, leaf first
  std::filesystem::path key;
};

/// What a client may cost. Every wait for a client has an end.
struct ServerLimits {
  std::size_t head_bytes = base::limits::kHttpHeadBytes;
  std::size_t request_line_bytes =
      std::size_t{8} * 1024;  ///< RFC 9112 section 3 recommends 8000 at least
  std::size_t header_fields = base::limits::kHttpHeaderFields;
  std::size_t connections = std::size_t{16} * 1024;  ///< more are answered 503 and closed
  /// Kernel buffer of one connection's unsent bytes (the kernel keeps up to twice as much); with
  /// automatic sizing one reader that stops could cost 4 MiB.
  std::size_t send_buffer_bytes = std::size_t{256} * 1024;

  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds head{10'000};        ///< from a head's first byte to its last
  std::chrono::milliseconds body_stall{30'000};  ///< without a byte of the body
  std::size_t body_bytes_per_second = 1024;  ///< average that a body must reach after body_stall
  std::chrono::milliseconds idle{75'000};    ///< between requests (nginx's keepalive_timeout)
  std::chrono::milliseconds write_stall{60'000};  ///< peer takes nothing (nginx's send_timeout)
  std::chrono::milliseconds linger{5'000};        ///< discarding what a refused client still sends
};

struct ServerOptions {
  std::string host = "127.0.0.1";  ///< an address, or a name that resolves to one
  std::uint16_t port = 0;          ///< 0: any free one
  std::optional<TlsFiles> tls;
  ServerLimits limits;
};

/// Serves one exchange; must end it (see Exchange). An exception becomes a 500.
using Handler = std::function<boost::asio::awaitable<void>(Exchange&)>;

inline const runtime::MetricFamily kOpenConnections{.name = "dynamo_http_open_connections",
                                                    .help = "Client connections that are open",
                                                    .type = runtime::MetricType::gauge,
                                                    .labels = {"listener"},
                                                    .buckets = {}};

/// An HTTP/1.1 server: keep-alive and pipelining, content-length and chunked bodies, limits and
/// timeouts for every wait, TLS. Each connection belongs to one shard; requests on it run one after
/// the other. A client that closes its writing half while its request is served counts as gone, as
/// in the reference (hyper).
///
/// Thread safety: start() and stop() from one thread that is no shard; the handler is called on
/// shards concurrently.
class HttpServer {
 public:
  HttpServer(ServerOptions options, runtime::ShardPool& shards, Handler handler);
  ~HttpServer();  ///< asserts that it was stopped
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Binds, listens, and serves from now on. Errors: invalid_argument (host, TLS files),
  /// already_exists when the port is taken (the message suggests --http-port).
  Result<void> start();
  /// The port in use, after start().
  std::uint16_t port() const noexcept;
  std::size_t connections() const noexcept;

  /// Publishes the acceptor's families and kOpenConnections, labelled "host:port". Once, after
  /// start(); the registry outlives the server.
  void export_metrics(runtime::MetricsRegistry& registry);

  /// From now on every response closes its connection, so that clients go elsewhere. Any thread.
  void begin_drain() noexcept;
  /// Stops accepting, closes idle connections, lets running exchanges finish for `grace`, then cuts
  /// them off. Returns when nothing runs any more; idempotent.
  void stop(std::chrono::milliseconds grace);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::llm::http
