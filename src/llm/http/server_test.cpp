// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/uuid.h>
#include <dynamo/llm/http/server.h>
#include <dynamo/runtime/context.h>
#include <dynamo/runtime/shard.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace dynamo::llm::http {
namespace server_test {
namespace {

namespace net = boost::asio;
using net::ip::tcp;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";

net::awaitable<void> hello(Exchange& exchange) {
  static_cast<void>(
      co_await exchange.respond(200, "text/plain", "hello " + std::string(exchange.head().path())));
}

/// A blocking client on loopback.
class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(context_) {
    socket_.connect({net::ip::address_v4::loopback(), port});
  }
  void send(std::string_view bytes) { net::write(socket_, net::buffer(bytes)); }
  std::string read_all() {
    std::string all;
    boost::system::error_code ec;
    net::read(socket_, net::dynamic_buffer(all), ec);
    return all;
  }
  tcp::socket& socket() { return socket_; }

 private:
  net::io_context context_;
  tcp::socket socket_;
};

template <class Predicate>
bool eventually(Predicate predicate) {
  for (int i = 0; i < 400; ++i) {
    if (predicate()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

TEST(HttpServer, ServesOverTcpFromSeveralShards) {
  runtime::ShardPool shards(2);
  HttpServer server({}, shards, hello);
  ASSERT_TRUE(server.start());
  for (int i = 0; i < 8; ++i) {
    Client client(server.port());
    client.send(kGet);
    const std::string answer = client.read_all();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\n\r\nhello /a"));
  }
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
  server.stop(std::chrono::seconds(1));
  shards.stop();
}

TEST(HttpServer, NamesABusyPort) {
  runtime::ShardPool shards(1);
  HttpServer first({}, shards, hello);
  ASSERT_TRUE(first.start());
  ServerOptions options;
  options.port = first.port();
  HttpServer second(options, shards, hello);
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), Errc::already_exists);
  EXPECT_THAT(started.error().message(), HasSubstr(std::to_string(first.port())));
  EXPECT_THAT(started.error().message(), HasSubstr("--http-port"));
  first.stop(std::chrono::seconds(1));
  shards.stop();
}

TEST(HttpServer, OneReaderThatStopsDelaysNobodyAndCostsLittle) {
  runtime::ShardPool shards(1);
  std::atomic<std::size_t> produced{0};
  HttpServer server({}, shards, [&](Exchange& exchange) -> net::awaitable<void> {
    if (exchange.head().path() != "/flood") {
      co_await hello(exchange);
      co_return;
    }
    const std::string block(16 * 1024, 'x');
    static_cast<void>(co_await exchange.start_stream(200, "text/plain"));
    while (co_await exchange.write(block)) produced += block.size();
    exchange.abort();
  });
  ASSERT_TRUE(server.start());
  Client slow(server.port());
  slow.socket().set_option(tcp::socket::receive_buffer_size(64 * 1024));
  slow.send("GET /flood HTTP/1.1\r\nhost: h\r\n\r\n");
  std::size_t last = 1;
  EXPECT_TRUE(eventually(
      [&] { return std::exchange(last, produced.load()) == produced.load() && produced > 0; }));
  Client quick(server.port());
  quick.send(kGet);
  EXPECT_THAT(quick.read_all(), HasSubstr("hello"));
  EXPECT_LT(produced.load(), std::size_t{8} << 20);  // most of it is in the client's own window
  server.stop(std::chrono::milliseconds(20));        // the flood is cut off
  shards.stop();
}

TEST(HttpServer, LetsRunningExchangesFinishWhenStopped) {
  runtime::ShardPool shards(1);
  std::atomic<bool> reading{false};
  HttpServer server({}, shards, [&](Exchange& exchange) -> net::awaitable<void> {
    reading = true;
    auto body = co_await exchange.read_body(100);
    static_cast<void>(co_await exchange.respond(200, "text/plain", body ? *body : "?"));
  });
  ASSERT_TRUE(server.start());
  Client busy(server.port());
  Client idle(server.port());
  busy.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return reading && server.connections() == 2; }));
  std::thread stopper([&] { server.stop(std::chrono::seconds(5)); });
  EXPECT_EQ(idle.read_all(), "");
  busy.send("done");
  const std::string answer = busy.read_all();
  EXPECT_THAT(answer, HasSubstr("connection: close"));
  EXPECT_THAT(answer, HasSubstr("done"));
  stopper.join();
  shards.stop();
}

TEST(HttpServer, RefusesConnectionsOverTheLimit) {
  runtime::ShardPool shards(1);
  ServerOptions options;
  options.limits.connections = 1;
  HttpServer server(options, shards, hello);
  ASSERT_TRUE(server.start());
  Client first(server.port());
  ASSERT_TRUE(eventually([&] { return server.connections() == 1; }));
  Client second(server.port());
  EXPECT_THAT(second.read_all(), StartsWith("HTTP/1.1 503 "));
  server.stop(std::chrono::milliseconds(10));
  shards.stop();
}

TEST(HttpServer, KillsTheContextOfAClientThatHangsUp) {
  runtime::ShardPool shards(1);
  auto context = runtime::Context::create("id");
  HttpServer server({}, shards, [&](Exchange& exchange) -> net::awaitable<void> {
    exchange.kill_on_disconnect(context);
    static_cast<void>(co_await exchange.start_stream(200, "text/plain"));
    static_cast<void>(co_await exchange.write("x"));
    net::steady_timer pause(co_await net::this_coro::executor);
    while (!context->is_killed()) {
      pause.expires_after(std::chrono::milliseconds(1));
      co_await pause.async_wait(net::use_awaitable);
    }
    exchange.abort();
  });
  ASSERT_TRUE(server.start());
  {
    Client client(server.port());
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n");
    char byte = 0;
    net::read(client.socket(), net::buffer(&byte, 1));
    EXPECT_FALSE(context->is_killed());
  }
  EXPECT_TRUE(eventually([&] { return context->is_killed(); }));
  server.stop(std::chrono::seconds(1));
  shards.stop();
}

/// A self-signed certificate, valid for an hour, in two files.
class Certificate {
 public:
  Certificate()
      : folder_(std::filesystem::temp_directory_path() /
                ("dynamo-tls-" + base::Uuid::random().to_string())) {
    std::filesystem::create_directories(folder_);
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_sign(certificate, key, EVP_sha256());
    std::FILE* file = std::fopen(files().certificate.c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen(files().key.c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  ~Certificate() { std::filesystem::remove_all(folder_); }
  TlsFiles files() const { return {folder_ / "cert.pem", folder_ / "key.pem"}; }

 private:
  std::filesystem::path folder_;
};

TEST(HttpServerTls, ServesRequestsAndStreams) {
  const Certificate certificate;
  runtime::ShardPool shards(1);
  ServerOptions options;
  options.tls = certificate.files();
  HttpServer server(options, shards, [](Exchange& exchange) -> net::awaitable<void> {
    auto body = co_await exchange.read_body(1 << 20);
    static_cast<void>(co_await exchange.start_stream(200, "text/plain"));
    static_cast<void>(co_await exchange.write("got " + std::to_string(body->size())));
    static_cast<void>(co_await exchange.finish_stream(" end"));
  });
  ASSERT_TRUE(server.start());
  net::io_context context;
  net::ssl::context trust(net::ssl::context::tls_client);
  trust.load_verify_file(certificate.files().certificate.string());
  trust.set_verify_mode(net::ssl::verify_peer);
  net::ssl::stream<tcp::socket> client(context, trust);
  client.next_layer().connect({net::ip::address_v4::loopback(), server.port()});
  client.handshake(net::ssl::stream_base::client);
  for (int i = 0; i < 2; ++i) {  // keep-alive works
    const std::string body(100'000, 'x');
    net::write(client,
               net::buffer("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 100000\r\n\r\n" + body));
    std::string answer;
    net::read_until(client, net::dynamic_buffer(answer), "0\r\n\r\n");
    EXPECT_THAT(answer, HasSubstr("A\r\ngot 100000\r\n4\r\n end\r\n0\r\n\r\n"));
  }
  net::write(client, net::buffer("GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"));
  std::string rest;
  boost::system::error_code ec;
  net::read(client, net::dynamic_buffer(rest), ec);
  EXPECT_EQ(ec, net::error::eof);  // a proper close_notify, not a truncation
  server.stop(std::chrono::seconds(1));
  shards.stop();
}

TEST(HttpServerTls, NamesWhatIsWrongWithItsFiles) {
  const Certificate one;
  const Certificate other;
  runtime::ShardPool shards(1);
  const auto start = [&](TlsFiles files) {
    ServerOptions options;
    options.tls = std::move(files);
    HttpServer server(options, shards, hello);
    const auto started = server.start();
    return started ? std::string() : started.error().message();
  };
  EXPECT_THAT(start({one.files().certificate, {}}), HasSubstr("must be provided together"));
  EXPECT_THAT(start({"/nonexistent.pem", one.files().key}), HasSubstr("/nonexistent.pem"));
  EXPECT_THAT(start({one.files().certificate, other.files().key}), HasSubstr("key"));
  shards.stop();
}

}  // namespace
}  // namespace server_test
}  // namespace dynamo::llm::http
