// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/runtime/descriptor.h>
#include <dynamo/runtime/fwd.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace dynamo::runtime {

struct AcceptorOptions {
  /// An IPv4 or IPv6 address or a name; "::" also serves IPv4.
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0 lets the system choose
  int backlog = 4096;      ///< the system bounds it (net.core.somaxconn)
  /// How long accepting rests when there is no descriptor left.
  std::chrono::milliseconds pause{100};
};

/// A connection as it was accepted: non-blocking, close-on-exec, TCP_NODELAY.
struct AcceptedSocket {
  Descriptor socket;
  bool ipv6 = false;
  std::string peer;  ///< "ip:port", an IPv6 address in brackets
};

/// The process's public listening socket: exclusive (no SO_REUSEPORT, with which a second process
/// would silently share the port), with a thread of its own that hands each connection to the
/// shard with the fewest active requests. It sleeps in the kernel while nobody connects.
///
/// Thread safety: every member from any thread but the accepting one.
class Acceptor {
 public:
  /// Binds and listens; connections queue in the kernel until start(). Errors name host and port:
  /// already_exists (address already in use), permission_denied, invalid_argument (unknown host
  /// or an address that is not this machine's), internal.
  static Result<std::unique_ptr<Acceptor>> open(const AcceptorOptions& options);
  ~Acceptor();  ///< stops
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  const std::string& host() const noexcept;
  std::uint16_t port() const noexcept;

  /// Begins accepting, once. `on_accept` runs on the shard it names, which must outlive the
  /// acceptor; it must not throw.
  void start(ShardPool& shards, std::function<void(Shard&, AcceptedSocket)> on_accept);
  /// Closes the listening socket, so that clients are refused, and waits for the accepting thread.
  /// Connections that were handed to a shard still reach it. Idempotent.
  void stop();

  struct Stats {
    std::uint64_t accepted_total;
    std::uint64_t pauses_total;  ///< times that descriptors had run out
  };
  Stats stats() const noexcept;
  /// Publishes kAcceptedConnections and kAcceptPauses (runtime_metrics.h), labelled "host:port".
  /// Once; the registry outlives the acceptor.
  void export_metrics(MetricsRegistry& registry);

 private:
  struct Impl;
  explicit Acceptor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::runtime
