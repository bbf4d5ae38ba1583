// SPDX-License-Identifier: Apache-2.0
#include <dynamo/runtime/acceptor.h>
#include <dynamo/runtime/runtime_metrics.h>
#include <dynamo/runtime/shard.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dynamo::runtime {
namespace acceptor_test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

AcceptorOptions loopback(std::uint16_t port = 0) {
  AcceptorOptions options;
  options.port = port;
  options.pause = 1ms;
  return options;
}

/// Connects to 127.0.0.1; an invalid descriptor when it is refused.
Descriptor connect_to(std::uint16_t port) {
  Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    client.reset();
  return client;
}

/// Collects what shards get.
class Arrivals {
 public:
  void add(Shard& shard, AcceptedSocket socket) {
    std::lock_guard lock(mutex_);
    EXPECT_EQ(Shard::current(), &shard);
    ++per_shard[shard.index()];
    sockets.push_back(std::move(socket));
    changed_.notify_all();
  }
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return sockets.size() >= count; });
  }
  std::vector<AcceptedSocket> sockets;
  std::size_t per_shard[4] = {};

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

TEST(Acceptor, HandsConnectionsToShardsWithNoDelaySet) {
  ShardPool shards(2);
  Arrivals arrivals;
  auto acceptor = Acceptor::open(loopback());
  ASSERT_TRUE(acceptor) << acceptor.error().describe();
  ASSERT_NE((*acceptor)->port(), 0);
  (*acceptor)->start(shards, [&](Shard& s, AcceptedSocket a) { arrivals.add(s, std::move(a)); });
  std::vector<Descriptor> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(connect_to((*acceptor)->port()));
  arrivals.wait_for(4);
  EXPECT_EQ(arrivals.per_shard[0], 2u);  // no shard has a request: round robin
  EXPECT_EQ(arrivals.per_shard[1], 2u);
  for (const auto& accepted : arrivals.sockets) {
    int no_delay = 0;
    socklen_t size = sizeof no_delay;
    ASSERT_EQ(getsockopt(accepted.socket.get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
    EXPECT_NE(no_delay, 0);
    EXPECT_NE(fcntl(accepted.socket.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(fcntl(accepted.socket.get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_FALSE(accepted.ipv6);
    EXPECT_THAT(accepted.peer, testing::StartsWith("127.0.0.1:"));
  }
  EXPECT_EQ((*acceptor)->stats().accepted_total, 4u);
}

TEST(Acceptor, PrefersTheShardWithFewerRequests) {
  ShardPool shards(2);
  shards.at(0).request_started();
  Arrivals arrivals;
  auto acceptor = Acceptor::open(loopback());
  ASSERT_TRUE(acceptor);
  (*acceptor)->start(shards, [&](Shard& s, AcceptedSocket a) { arrivals.add(s, std::move(a)); });
  std::vector<Descriptor> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(connect_to((*acceptor)->port()));
  arrivals.wait_for(3);
  EXPECT_EQ(arrivals.per_shard[1], 3u);
  shards.at(0).request_ended();
}

TEST(Acceptor, BusyPortIsAnErrorThatNamesHostAndPort) {
  const auto first = Acceptor::open(loopback());
  ASSERT_TRUE(first);
  const auto port = (*first)->port();
  for (const char* host : {"127.0.0.1", "0.0.0.0", "localhost"}) {
    auto options = loopback(port);
    options.host = host;
    const auto second = Acceptor::open(options);
    ASSERT_FALSE(second) << host;
    EXPECT_EQ(second.error().code(), Errc::already_exists);
    EXPECT_EQ(second.error().message(), "cannot listen on " + std::string(host) + ":" +
                                            std::to_string(port) + ": address already in use");
  }
}

TEST(Acceptor, AddressThatCannotBeUsedIsAnErrorThatNamesIt) {
  auto options = loopback();
  options.host = "192.0.2.1";  // TEST-NET-1: not ours
  const auto foreign = Acceptor::open(options);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code(), Errc::invalid_argument);
  EXPECT_THAT(foreign.error().message(), HasSubstr("192.0.2.1:0"));
  options.host = "not an address";
  const auto nonsense = Acceptor::open(options);
  ASSERT_FALSE(nonsense);
  EXPECT_EQ(nonsense.error().code(), Errc::invalid_argument);
  EXPECT_THAT(nonsense.error().message(), HasSubstr("not an address:0"));
}

TEST(Acceptor, ListensOnIpv6AndServesIpv4Too) {
  auto options = loopback();
  options.host = "::";
  auto acceptor = Acceptor::open(options);
  if (!acceptor) GTEST_SKIP() << "no IPv6 here: " << acceptor.error().message();
  ShardPool shards(1);
  Arrivals arrivals;
  (*acceptor)->start(shards, [&](Shard& s, AcceptedSocket a) { arrivals.add(s, std::move(a)); });
  const auto client = connect_to((*acceptor)->port());
  ASSERT_TRUE(client);
  arrivals.wait_for(1);
  EXPECT_TRUE(arrivals.sockets[0].ipv6);
  EXPECT_THAT(arrivals.sockets[0].peer, testing::StartsWith("[::ffff:127.0.0.1]:"));
}

TEST(Acceptor, StopRefusesClientsAndFreesThePort) {
  ShardPool shards(1);
  auto acceptor = Acceptor::open(loopback());
  ASSERT_TRUE(acceptor);
  const auto port = (*acceptor)->port();
  (*acceptor)->start(shards, [](Shard&, AcceptedSocket) {});
  EXPECT_TRUE(connect_to(port));
  (*acceptor)->stop();
  (*acceptor)->stop();
  EXPECT_FALSE(connect_to(port));
  EXPECT_TRUE(Acceptor::open(loopback(port)));
}

TEST(Acceptor, PublishesItsCounts) {
  MetricsRegistry registry;
  ShardPool shards(1);
  Arrivals arrivals;
  auto acceptor = Acceptor::open(loopback());
  ASSERT_TRUE(acceptor);
  (*acceptor)->export_metrics(registry);
  (*acceptor)->start(shards, [&](Shard& s, AcceptedSocket a) { arrivals.add(s, std::move(a)); });
  const auto client = connect_to((*acceptor)->port());
  arrivals.wait_for(1);
  EXPECT_THAT(registry.expose(),
              HasSubstr("dynamo_runtime_accepted_connections_total{listener=\"127.0.0.1:" +
                        std::to_string((*acceptor)->port()) + "\"} 1\n"));
}

#if __has_feature(undefined_behavior_sanitizer) || __has_feature(address_sanitizer)
constexpr bool kSanitizerNeedsDescriptors = true;  // UBSan reads objects' types through a pipe
#else
constexpr bool kSanitizerNeedsDescriptors = false;
#endif

/// Lowers the process's limit of descriptors so that none is left, until destroyed.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit now = before_;
    now.rlim_cur = 2;  // of which standard input and output are taken
    setrlimit(RLIMIT_NOFILE, &now);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST(Acceptor, PausesWhenThereIsNoDescriptorLeftAndGoesOn) {
  if (kSanitizerNeedsDescriptors) GTEST_SKIP() << "UBSan does not work without descriptors";
  ShardPool shards(1);
  Arrivals arrivals;
  auto acceptor = Acceptor::open(loopback());
  ASSERT_TRUE(acceptor);
  const auto client = connect_to((*acceptor)->port());  // waits in the kernel
  ASSERT_TRUE(client);
  {
    const NoDescriptors none;
    (*acceptor)->start(shards, [&](Shard& s, AcceptedSocket a) { arrivals.add(s, std::move(a)); });
    while ((*acceptor)->stats().pauses_total < 2) std::this_thread::yield();
    EXPECT_EQ((*acceptor)->stats().accepted_total, 0u);
  }
  arrivals.wait_for(1);
}

TEST(Acceptor, StopEndsAPause) {
  if (kSanitizerNeedsDescriptors) GTEST_SKIP() << "UBSan does not work without descriptors";
  ShardPool shards(1);
  auto options = loopback();
  options.pause = 1h;
  auto acceptor = Acceptor::open(options);
  ASSERT_TRUE(acceptor);
  const auto client = connect_to((*acceptor)->port());
  const NoDescriptors none;
  (*acceptor)->start(shards, [](Shard&, AcceptedSocket) {});
  while ((*acceptor)->stats().pauses_total == 0) std::this_thread::yield();
  (*acceptor)->stop();
}

}  // namespace
}  // namespace acceptor_test
}  // namespace dynamo::runtime
