// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/base/log.h>
#include <dynamo/llm/http/server.h>
#include <dynamo/runtime/acceptor.h>
#include <dynamo/runtime/shard.h>
#include <dynamo/runtime/task_scope.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <list>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include "llm/http/http1_connection.h"
#include "llm/http/idle_trim.h"
#include "llm/http/response_head.h"
#include "llm/http/tls_context.h"
#include "llm/http/transport.h"

namespace dynamo::llm::http {
namespace {

namespace net = boost::asio;
using boost::system::error_code;
using net::ip::tcp;
constexpr auto kUseTuple = net::as_tuple(net::use_awaitable);

constexpr std::string_view kTooManyConnections =
    "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\nconnection: "
    "close\r\n\r\n";

/// Often enough for the shortest limit, seldom enough to cost nothing.
std::chrono::milliseconds tick_period(const ServerLimits& limits) {
  const auto shortest = std::min({limits.handshake, limits.head, limits.body_stall, limits.idle,
                                  limits.write_stall, limits.linger});
  return std::clamp(shortest / 4, std::chrono::milliseconds(10), std::chrono::milliseconds(1000));
}

/// The server's part of one shard: its connections and the tick that drives their deadlines.
class ShardServer {
 public:
  ShardServer(runtime::Shard& shard, ServerShared& shared, net::ssl::context* tls)
      : shard_(shard),
        shared_(shared),
        tls_(tls),
        timer_(shard.executor()),
        scope_(shard.executor()) {}

  runtime::Shard& shard() noexcept { return shard_; }
  runtime::TaskScope& scope() noexcept { return scope_; }

  // On the shard's thread from here on.
  void start_ticking();
  void add(runtime::AcceptedSocket accepted);
  void close_idle();
  void abort_all();

 private:
  using Connections = std::list<Http1Connection*>;
  net::awaitable<void> serve(Http1Connection* connection);
  net::awaitable<void> tick();
  void advance_time();

  runtime::Shard& shard_;
  ServerShared& shared_;
  net::ssl::context* tls_;
  ShardTicker ticker_;
  Connections connections_;
  net::steady_timer timer_;
  IdleTrim trim_;
  bool ticking_ = false;
  bool stopping_ = false;
  runtime::TaskScope scope_;  // last: its tasks touch every member above
};

void ShardServer::advance_time() {
  const Clock& clock = Clock::system();
  ticker_.now = clock.now();
  ticker_.date = http_date(clock.system_now());
}

void ShardServer::start_ticking() {
  if (std::exchange(ticking_, true)) return;
  advance_time();
  scope_.spawn([this] { return tick(); });
}

void ShardServer::add(runtime::AcceptedSocket accepted) {
  if (stopping_) return;
  tcp::socket socket(shard_.executor());
  error_code failed;
  socket.assign(accepted.ipv6 ? tcp::v6() : tcp::v4(), accepted.socket.get(), failed);
  if (failed) return;
  static_cast<void>(accepted.socket.release());
  error_code ignored;
  if (shared_.limits.send_buffer_bytes > 0)
    socket.set_option(
        tcp::socket::send_buffer_size(static_cast<int>(shared_.limits.send_buffer_bytes)), ignored);
  if (shared_.connections.load(std::memory_order_relaxed) >= shared_.limits.connections) {
    socket.non_blocking(true, ignored);
    if (tls_ == nullptr) socket.write_some(net::buffer(kTooManyConnections), ignored);
    return;
  }
  start_ticking();
  auto transport = tls_ != nullptr ? make_tls_transport(std::move(socket), *tls_)
                                   : make_plain_transport(std::move(socket));
  auto connection = std::make_unique<Http1Connection>(std::move(transport), shared_, ticker_,
                                                      &shard_, std::move(accepted.peer));
  shared_.connections.fetch_add(1, std::memory_order_relaxed);
  scope_.spawn([this, owned = std::move(connection)] { return serve(owned.get()); });
}

net::awaitable<void> ShardServer::serve(Http1Connection* connection) {
  const auto place = connections_.insert(connections_.end(), connection);
  co_await connection->run();
  connections_.erase(place);
  shared_.connections.fetch_sub(1, std::memory_order_relaxed);
  if (connections_.empty() && stopping_) timer_.cancel();
}

net::awaitable<void> ShardServer::tick() {
  co_await net::this_coro::throw_if_cancelled(false);
  const auto period = tick_period(shared_.limits);
  // The first shard's tick never rests, because the process's memory is its business.
  const bool trims = shard_.index() == 0;
  while (!connections_.empty() || (trims && !stopping_)) {
    timer_.expires_after(period);
    co_await timer_.async_wait(kUseTuple);
    advance_time();
    // A connection that is told may end and leave the list; the others stay where they are.
    for (auto next = connections_.begin(); next != connections_.end();)
      (*next++)->on_tick(ticker_.now);
    if (trims)
      trim_.on_tick(ticker_.now, shared_.active.load(std::memory_order_relaxed),
                    shared_.served.load(std::memory_order_relaxed));
  }
  ticking_ = false;
}

void ShardServer::close_idle() {
  stopping_ = true;
  for (auto next = connections_.begin(); next != connections_.end();) (*next++)->close_when_idle();
  timer_.cancel();
}

void ShardServer::abort_all() {
  for (auto next = connections_.begin(); next != connections_.end();) (*next++)->abort();
  scope_.cancel();
}

/// What to do about a port that is taken or not allowed.
Error with_advice(Error error) {
  const bool port = error.code() == Errc::already_exists || error.code() == Errc::permission_denied;
  if (!port) return error;
  return {error.code(), error.message() + "; choose another port with --http-port"};
}

}  // namespace

struct HttpServer::Impl {
  Impl(ServerOptions o, runtime::ShardPool& pool, Handler handler)
      : options(std::move(o)), shards(pool) {
    shared.limits = options.limits;
    shared.handler = std::move(handler);
  }

  /// "host:port", as the acceptor labels its series.
  std::string listener() const {
    const std::string& host = acceptor->host();
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(acceptor->port());
  }
  /// Runs `work` on each shard's thread and waits for all of them.
  void on_each_shard(void (ShardServer::*work)());

  ServerOptions options;
  runtime::ShardPool& shards;
  ServerShared shared;
  std::unique_ptr<net::ssl::context> tls;
  std::vector<std::unique_ptr<ShardServer>> servers;
  std::unique_ptr<runtime::Acceptor> acceptor;
  runtime::MetricsRegistry* exported_to = nullptr;
  bool running = false;
};

void HttpServer::Impl::on_each_shard(void (ShardServer::*work)()) {
  std::vector<std::future<void>> done;
  for (auto& server : servers) {
    std::promise<void> promise;
    done.push_back(promise.get_future());
    server->shard().post([&server = *server, work, p = std::move(promise)]() mutable {
      (server.*work)();
      p.set_value();
    });
  }
  for (auto& future : done) future.wait();
}

HttpServer::HttpServer(ServerOptions options, runtime::ShardPool& shards, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), shards, std::move(handler))) {}

HttpServer::~HttpServer() {
  DYN_ASSERT(!impl_->running);
}

Result<void> HttpServer::start() {
  if (impl_->options.tls) {
    DYN_TRY(impl_->tls, make_tls_context(*impl_->options.tls));
  }
  runtime::AcceptorOptions listen;
  listen.host = impl_->options.host;
  listen.port = impl_->options.port;
  auto acceptor = runtime::Acceptor::open(listen);
  if (!acceptor) return fail(with_advice(std::move(acceptor).error()));
  impl_->acceptor = *std::move(acceptor);
  for (std::size_t i = 0; i < impl_->shards.size(); ++i)
    impl_->servers.push_back(
        std::make_unique<ShardServer>(impl_->shards.at(i), impl_->shared, impl_->tls.get()));
  impl_->running = true;
  impl_->shards.at(0).post([&first = *impl_->servers.front()] { first.start_ticking(); });
  impl_->acceptor->start(
      impl_->shards,
      [&servers = impl_->servers](runtime::Shard& shard, runtime::AcceptedSocket accepted) {
        servers[shard.index()]->add(std::move(accepted));
      });
  return {};
}

std::uint16_t HttpServer::port() const noexcept {
  return impl_->acceptor ? impl_->acceptor->port() : 0;
}

std::size_t HttpServer::connections() const noexcept {
  return impl_->shared.connections.load(std::memory_order_relaxed);
}

void HttpServer::export_metrics(runtime::MetricsRegistry& registry) {
  DYN_ASSERT(impl_->exported_to == nullptr && impl_->acceptor != nullptr);
  impl_->exported_to = &registry;
  impl_->acceptor->export_metrics(registry);
  registry.gauge_function(kOpenConnections, {impl_->listener()},
                          [this] { return static_cast<double>(connections()); });
}

void HttpServer::begin_drain() noexcept {
  impl_->shared.draining.store(true, std::memory_order_relaxed);
}

void HttpServer::stop(std::chrono::milliseconds grace) {
  if (!std::exchange(impl_->running, false)) return;
  begin_drain();
  const auto deadline = std::chrono::steady_clock::now() + grace;
  impl_->acceptor->stop();
  impl_->on_each_shard(&ShardServer::close_idle);
  std::vector<std::future<void>> ended;
  for (auto& server : impl_->servers)
    ended.push_back(
        net::co_spawn(server->shard().executor(), server->scope().join(), net::use_future));
  bool quiet = true;
  for (auto& future : ended)
    quiet = future.wait_until(deadline) == std::future_status::ready && quiet;
  if (!quiet) {
    DYN_LOG_WARN("llm::http", "grace_period_over",
                 {{"connections", static_cast<std::uint64_t>(connections())}});
    impl_->on_each_shard(&ShardServer::abort_all);
  }
  for (auto& future : ended) future.wait();
  impl_->servers.clear();
}

}  // namespace dynamo::llm::http
