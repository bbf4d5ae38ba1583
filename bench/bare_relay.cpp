// SPDX-License-Identifier: Apache-2.0
// The floor for paced streaming: one epoll thread that does nothing but receive a token's bytes on
// one socket and send them on another. `bare_relay PORT DELAY_MS TOKENS` listens on loopback; each
// request on a connection is answered by TOKENS chunks of 200 bytes, one every DELAY_MS, which a
// second thread (whose CPU time is not the relay's) writes into a socket pair.
// On SIGTERM it prints the relay thread's CPU time and the requests it served, as JSON.

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <queue>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kChunkBytes = 200;
volatile sig_atomic_t stop_requested = 0;

// Writes the tokens of every stream at its pace.
class Source {
 public:
  Source(std::chrono::milliseconds delay, int tokens)
      : delay_(delay), tokens_(tokens), thread_([this] { run(); }) {}
  ~Source() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  void start(int fd) {
    {
      const std::lock_guard lock(mutex_);
      due_.push({SteadyClock::now() + delay_, fd, tokens_});
    }
    wake_.notify_one();
  }

 private:
  struct Due {
    SteadyClock::time_point when;
    int fd;
    int left;
    bool operator<(const Due& other) const { return when > other.when; }
  };
  void run() {
    std::string chunk(kChunkBytes - 7, 'x');
    chunk = "c1\r\n" + chunk.substr(0, 193) + "\r\n";
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (due_.empty()) {
        wake_.wait(lock);
        continue;
      }
      Due next = due_.top();
      if (next.when > SteadyClock::now()) {
        wake_.wait_until(lock, next.when);
        continue;
      }
      due_.pop();
      lock.unlock();
      std::string bytes = chunk;
      if (--next.left == 0) bytes += "0\r\n\r\n";
      const bool sent = ::send(next.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0;
      lock.lock();
      if (sent && next.left > 0) {
        next.when += delay_;
        due_.push(next);
      }
    }
  }

  const std::chrono::milliseconds delay_;
  const int tokens_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::priority_queue<Due> due_;
  bool stopping_ = false;
  std::thread thread_;
};

struct Peer {
  int other = -1;   // where bytes of this descriptor go
  int source = -1;  // the far end of a client's pair; -1 for the pair's near end
  std::string request;
};

// The length of a complete request at the front of `text`, or 0.
std::size_t request_length(std::string_view text) {
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  std::size_t body = 0;
  for (const std::string_view key : {"Content-Length: ", "content-length: "}) {
    const std::size_t at = text.find(key);
    if (at < end) body = std::strtoul(text.data() + at + key.size(), nullptr, 10);
  }
  const std::size_t total = end + 4 + body;
  return text.size() >= total ? total : 0;
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bare_relay PORT DELAY_MS TOKENS\n");
    return 2;
  }
  struct sigaction action{};
  action.sa_handler = [](int) { stop_requested = 1; };
  ::sigaction(SIGTERM, &action, nullptr);

  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, 512) != 0) {
    std::perror("bare_relay: listen");
    return 1;
  }
  Source source(std::chrono::milliseconds(std::atoi(argv[2])), std::atoi(argv[3]));
  const int epoll = ::epoll_create1(0);
  watch(epoll, listener);
  std::unordered_map<int, Peer> peers;
  std::array<char, 65536> buffer;
  std::array<epoll_event, 256> events;
  unsigned long long requests = 0;

  while (stop_requested == 0) {
    const int ready = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 500);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        const int client = ::accept(listener, nullptr, nullptr);
        std::array<int, 2> pair{};
        if (client < 0 || ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) != 0) continue;
        ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        peers[client] = {pair[0], pair[1], {}};
        peers[pair[0]] = {client, -1, {}};
        watch(epoll, client);
        watch(epoll, pair[0]);
        continue;
      }
      const auto found = peers.find(fd);
      if (found == peers.end()) continue;
      Peer& peer = found->second;
      const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
      if (peer.source < 0) {  // a token: receive, send
        if (got > 0) ::send(peer.other, buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL);
        continue;
      }
      if (got <= 0) {
        ::close(fd);
        ::close(peer.other);
        ::close(peer.source);
        peers.erase(peer.other);
        peers.erase(fd);
        continue;
      }
      peer.request.append(buffer.data(), static_cast<std::size_t>(got));
      while (const std::size_t length = request_length(peer.request)) {
        peer.request.erase(0, length);
        constexpr std::string_view kHead =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: "
            "chunked\r\n\r\n";
        ::send(fd, kHead.data(), kHead.size(), MSG_NOSIGNAL);
        source.start(peer.source);
        ++requests;
      }
    }
  }
  timespec cpu{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
  std::printf("{\"cpu_ms\":%.3f,\"requests\":%llu}\n",
              static_cast<double>(cpu.tv_sec) * 1e3 + static_cast<double>(cpu.tv_nsec) / 1e6,
              requests);
  return 0;
}
