// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/base/clock.h>
#include <dynamo/base/log.h>
#include <dynamo/runtime/acceptor.h>
#include <dynamo/runtime/runtime_metrics.h>
#include <dynamo/runtime/shard.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dynamo::runtime {
namespace {

std::string text_of(int error) {
  return std::generic_category().message(error);
}

std::string join_host_port(std::string_view host, std::uint16_t port) {
  std::string text(host);
  if (host.find(':') != std::string_view::npos) text = "[" + text + "]";
  return text + ":" + std::to_string(port);
}

std::string address_text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return join_host_port(text, ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
  inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
  return join_host_port(text, ntohs(v4.sin_port));
}

std::uint16_t local_port(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

/// The address got from a name, the first that the resolver gives.
struct Resolved {
  sockaddr_storage address{};
  socklen_t size = 0;
};

Result<Resolved> resolve(const AcceptorOptions& options, const std::string& where) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(options.port);
  if (const int error = getaddrinfo(options.host.c_str(), port.c_str(), &hints, &found);
      error != 0) {
    return fail(Errc::invalid_argument,
                "cannot listen on " + where + ": " + std::string(gai_strerror(error)));
  }
  Resolved first;
  std::memcpy(&first.address, found->ai_addr, found->ai_addrlen);
  first.size = found->ai_addrlen;
  freeaddrinfo(found);
  return first;
}

Error listen_error(int error, const std::string& where) {
  const std::string what = "cannot listen on " + where + ": ";
  switch (error) {
    case EADDRINUSE:
      return {Errc::already_exists, what + "address already in use"};
    case EACCES:
      return {Errc::permission_denied, what + "permission denied"};
    case EADDRNOTAVAIL:
      return {Errc::invalid_argument, what + "this machine has no such address"};
    default:
      return {Errc::internal, what + text_of(error)};
  }
}

Result<Descriptor> listening_socket(const AcceptorOptions& options, const std::string& where) {
  DYN_TRY(const Resolved at, resolve(options, where));
  Descriptor listener(
      ::socket(at.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!listener) return fail(listen_error(errno, where));
  const int on = 1;
  const int off = 0;
  // On Linux this lets a restarted server take the port over connections in TIME_WAIT; a port that
  // somebody listens on is refused all the same.
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (at.address.ss_family == AF_INET6)
    setsockopt(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&at.address), at.size) != 0 ||
      ::listen(listener.get(), options.backlog) != 0)
    return fail(listen_error(errno, where));
  return listener;
}

/// Why accept() gave nothing, and what to do.
enum class Next : std::uint8_t { again, wait, pause, end };

Next after_failure(int error) {
  switch (error) {
    case EAGAIN:
      return Next::wait;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return Next::pause;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
      return Next::end;
    default:
      return Next::again;  // EINTR, ECONNABORTED, or an error of that one connection
  }
}

}  // namespace

void Descriptor::reset() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

struct Acceptor::Impl {
  AcceptorOptions options;
  std::string where;  ///< "host:port"
  std::uint16_t port = 0;
  Descriptor listener;
  Descriptor stop_event;

  ShardPool* shards = nullptr;
  /// Shared with what is posted to shards: it may run after the acceptor is gone.
  std::shared_ptr<std::function<void(Shard&, AcceptedSocket)>> on_accept;
  std::atomic<std::uint64_t> accepted_total{0};
  std::atomic<std::uint64_t> pauses_total{0};
  MetricsRegistry* exported_to = nullptr;
  std::optional<base::SteadyTime> pause_logged;  // of the accepting thread

  std::mutex mutex;  // of start() and stop()
  bool stopped = false;
  std::thread thread;

  void run();
  Next accept_one();
  void hand_over(AcceptedSocket accepted);
  void log_pause();
  /// False when stop() was called. A negative limit waits for a connection.
  bool sleep(int limit_ms);
};

void Acceptor::Impl::run() {
  for (;;) {
    switch (accept_one()) {
      case Next::again:
        break;
      case Next::wait:
        if (!sleep(-1)) return;
        break;
      case Next::pause:
        pauses_total.fetch_add(1, std::memory_order_relaxed);
        log_pause();
        if (!sleep(static_cast<int>(options.pause.count()))) return;
        break;
      case Next::end:
        DYN_LOG_ERROR("runtime::acceptor", "listening socket failed", {{"listener", where}});
        return;
    }
  }
}

void Acceptor::Impl::log_pause() {
  const auto now = std::chrono::steady_clock::now();
  if (pause_logged && now - *pause_logged < std::chrono::seconds{10}) return;
  pause_logged = now;
  DYN_LOG_WARN("runtime::acceptor", "no descriptor left, accepting pauses",
               {{"listener", where},
                {"pause_ms", std::int64_t{options.pause.count()}},
                {"pauses", pauses_total.load(std::memory_order_relaxed)}});
}

bool Acceptor::Impl::sleep(int limit_ms) {
  pollfd events[2] = {{stop_event.get(), POLLIN, 0}, {listener.get(), POLLIN, 0}};
  // While it pauses only stop() wakes it: the connections that wait would make it spin.
  const nfds_t count = limit_ms < 0 ? 2 : 1;
  if (::poll(events, count, limit_ms) < 0 && errno != EINTR)
    std::this_thread::sleep_for(options.pause);  // out of memory: no reason to spin
  return (events[0].revents & POLLIN) == 0;
}

Next Acceptor::Impl::accept_one() {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  Descriptor socket(::accept4(listener.get(), reinterpret_cast<sockaddr*>(&peer), &size,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) return after_failure(errno);
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  accepted_total.fetch_add(1, std::memory_order_relaxed);
  hand_over({std::move(socket), peer.ss_family == AF_INET6, address_text(peer)});
  return Next::again;
}

void Acceptor::Impl::hand_over(AcceptedSocket accepted) {
  Shard& shard = shards->least_loaded();
  shard.post([&shard, handler = on_accept, accepted = std::move(accepted)]() mutable {
    (*handler)(shard, std::move(accepted));
  });
}

Result<std::unique_ptr<Acceptor>> Acceptor::open(const AcceptorOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  DYN_TRY(impl->listener, listening_socket(options, join_host_port(options.host, options.port)));
  impl->port = local_port(impl->listener.get());
  impl->where = join_host_port(options.host, impl->port);
  impl->stop_event = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!impl->stop_event) return fail(listen_error(errno, impl->where));
  return std::unique_ptr<Acceptor>(new Acceptor(std::move(impl)));
}

Acceptor::Acceptor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Acceptor::~Acceptor() {
  stop();
  if (impl_->exported_to != nullptr) {
    impl_->exported_to->remove(kAcceptedConnections, {impl_->where});
    impl_->exported_to->remove(kAcceptPauses, {impl_->where});
  }
}

const std::string& Acceptor::host() const noexcept {
  return impl_->options.host;
}
std::uint16_t Acceptor::port() const noexcept {
  return impl_->port;
}

void Acceptor::start(ShardPool& shards, std::function<void(Shard&, AcceptedSocket)> on_accept) {
  std::lock_guard lock(impl_->mutex);
  DYN_ASSERT(impl_->shards == nullptr);
  if (impl_->stopped) return;
  impl_->shards = &shards;
  impl_->on_accept =
      std::make_shared<std::function<void(Shard&, AcceptedSocket)>>(std::move(on_accept));
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
  pthread_setname_np(impl_->thread.native_handle(), "acceptor");
}

void Acceptor::stop() {
  std::lock_guard lock(impl_->mutex);
  if (std::exchange(impl_->stopped, true)) return;
  eventfd_write(impl_->stop_event.get(), 1);
  if (impl_->thread.joinable()) impl_->thread.join();
  impl_->listener.reset();
}

Acceptor::Stats Acceptor::stats() const noexcept {
  return {.accepted_total = impl_->accepted_total.load(std::memory_order_relaxed),
          .pauses_total = impl_->pauses_total.load(std::memory_order_relaxed)};
}

void Acceptor::export_metrics(MetricsRegistry& registry) {
  DYN_ASSERT(impl_->exported_to == nullptr);
  impl_->exported_to = &registry;
  registry.gauge_function(kAcceptedConnections, {impl_->where}, [impl = impl_.get()] {
    return static_cast<double>(impl->accepted_total.load(std::memory_order_relaxed));
  });
  registry.gauge_function(kAcceptPauses, {impl_->where}, [impl = impl_.get()] {
    return static_cast<double>(impl->pauses_total.load(std::memory_order_relaxed));
  });
}

}  // namespace dynamo::runtime
