// SPDX-License-Identifier: Apache-2.0
// Everything that a client can send to the HTTP service. The first byte of an input picks the
// target, the second one how the bytes are cut into pieces.
#include <dynamo/base/assert.h>
#include <dynamo/base/json.h>
#include <dynamo/config/configuration.h>
#include <dynamo/llm/http/model_manager.h>
#include <dynamo/llm/http/service.h>
#include <dynamo/llm/preproc/preprocessor.h>
#include <dynamo/llm/preproc/prompt_formatter.h>
#include <dynamo/runtime/compute_pool.h>
#include <dynamo/runtime/metrics.h>
#include <dynamo/runtime/shutdown.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "llm/http/frontend_metrics.h"
#include "llm/http/generation.h"
#include "llm/http/head_scanner.h"
#include "llm/http/http1_connection.h"
#include "llm/http/memory_transport.h"
#include "llm/http/request_parser.h"
#include "llm/http/scripted_engine.h"
#include "llm/http/service_settings.h"
#include "llm/http/tokenization.h"
#include "llm/test_tokenizer.h"

namespace dynamo::llm::http {
namespace {

namespace net = boost::asio;

constexpr HeadLimits kLimits{.head_bytes = 1024, .request_line_bytes = 256, .header_fields = 16};
constexpr std::uint64_t kBodyLimit = 512;

/// What became of one request, however it was cut.
struct Parsed {
  HeadScanner::Status scan = HeadScanner::Status::incomplete;
  int defect = 0;
  std::string path;
  std::string body;
  bool complete = false;
  std::size_t used = 0;
  bool operator==(const Parsed&) const = default;
};

Parsed parse(std::string_view text, std::size_t piece) {
  Parsed out;
  HeadScanner scanner(kLimits);
  std::size_t seen = 0;
  while (seen < text.size() && out.scan == HeadScanner::Status::incomplete) {
    seen = std::min(text.size(), seen + piece);
    out.scan = scanner.scan(text.substr(0, seen));
  }
  if (out.scan != HeadScanner::Status::complete) return out;
  DYN_ASSERT(scanner.head_end() <= text.size());
  RequestParser parser;
  if (const auto defect = parser.parse_head(
          text.substr(scanner.head_begin(), scanner.head_end() - scanner.head_begin()))) {
    out.defect = defect->status;
    DYN_ASSERT(out.defect >= 400 && out.defect < 600 && !defect->message.empty());
    return out;
  }
  out.path = parser.path();
  out.used = scanner.head_end();
  if (parser.framing() == RequestParser::Framing::none) {
    out.complete = true;
    return out;
  }
  std::string pending;
  for (std::size_t at = out.used; at < text.size() && !parser.body_complete(); at += piece) {
    pending.append(text.substr(at, piece));
    const auto step = parser.parse_body(pending, &out.body, kBodyLimit);
    if (step.defect) {
      out.defect = step.defect->status;
      out.body.clear();  // how much came before depends on the cut
      out.used = 0;
      return out;
    }
    DYN_ASSERT(step.consumed <= pending.size() && out.body.size() <= kBodyLimit);
    out.used += step.consumed;
    pending.erase(0, step.consumed);
  }
  out.complete = parser.body_complete();
  if (!out.complete) out.used = 0;
  return out;
}

// The result does not depend on how the bytes arrive.
void head_and_body(std::string_view text, std::size_t piece) {
  const Parsed whole = parse(text, text.size() + 1);
  const Parsed cut = parse(text, piece);
  // A head that is refused may be refused for another reason when less of it is known.
  if (whole.scan != HeadScanner::Status::complete) {
    DYN_ASSERT(cut.scan != HeadScanner::Status::complete);
    return;
  }
  DYN_ASSERT(whole == cut);
}

/// A service without sockets.
class Service {
 public:
  Service()
      : settings_(config::process()),
        metrics_(registry_, "dynamo_frontend"),
        parts_{settings_, template_, compute_, shutdown_, models_, metrics_, fleet_} {
    auto card = test::byte_card();
    card->formatter = make_plain_formatter();
    card->runtime_config.context_length = 4096;
    engine_ =
        std::make_shared<ScriptedEngine>([](const PreprocessedRequest&) { return spell("ok"); });
    DYN_ASSERT(models_.add(card, engine_).has_value());
    shared_.handler = [this](Exchange& exchange) -> net::awaitable<void> {
      const auto path = exchange.head().path();
      if (path == "/chat") return serve_chat({parts_, exchange});
      if (path == "/completions") return serve_completions({parts_, exchange});
      if (path == "/detokenize") return serve_detokenize({parts_, exchange});
      return serve_tokenize({parts_, exchange});
    };
    ticker_.date = "now";
  }

  /// Sends `bytes` in pieces, then closes; returns what the service sent.
  std::string exchange(std::string_view bytes, std::size_t piece) {
    MemoryPeer peer;
    bool ended = false;
    Http1Connection connection(std::make_unique<MemoryTransport>(io_.get_executor(), peer), shared_,
                               ticker_, nullptr, "fuzz:1");
    net::co_spawn(io_, connection.run(), [&](std::exception_ptr failure) {
      DYN_ASSERT(!failure);
      ended = true;
    });
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      settle();
      peer.send(bytes.substr(at, piece));
    }
    settle();
    peer.close();
    const auto work = net::make_work_guard(io_);
    io_.restart();
    while (!ended) io_.run_one();
    settle();
    DYN_ASSERT(engine_->running() == 0);
    return std::move(peer.from_server);
  }

 private:
  void settle() {
    io_.restart();
    io_.poll();
  }
  runtime::MetricsRegistry registry_;
  runtime::Shutdown shutdown_;
  runtime::ComputePool compute_{runtime::ComputePoolOptions{1, 64, "compute"}};
  ModelManager models_;
  ServiceSettings settings_;
  RequestTemplate template_;
  FrontendMetrics metrics_;
  const std::function<FleetHealth()> fleet_;
  ServiceParts parts_;
  std::shared_ptr<ScriptedEngine> engine_;
  ServerShared shared_;
  ShardTicker ticker_;
  net::io_context io_;
};

Service& service() {
  static Service shared;
  return shared;
}

// Any bytes on a connection: it ends, and what it says is HTTP.
void connection(std::string_view bytes, std::size_t piece) {
  const std::string answer = service().exchange(bytes, piece);
  DYN_ASSERT(answer.empty() || answer.starts_with("HTTP/1.1 "));
}

// Any body for a route: an answer with a status that blames the right side, and a JSON body.
void body(std::string_view path, std::string_view text, std::size_t piece) {
  std::string request = "POST ";
  request.append(path).append(
      " HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-type: application/json\r\n");
  request.append("content-length: ")
      .append(std::to_string(text.size()))
      .append("\r\n\r\n")
      .append(text);
  const std::string answer = service().exchange(request, piece + 64);
  if (answer.empty()) return;  // the client's close was seen first
  DYN_ASSERT(answer.starts_with("HTTP/1.1 "));
  const int status = std::stoi(answer.substr(9, 3));
  DYN_ASSERT(status == 200 || status == 400 || status == 404 || status == 501);
  const std::string_view content = std::string_view(answer).substr(answer.find("\r\n\r\n") + 4);
  if (answer.find("text/event-stream") == std::string::npos)
    DYN_ASSERT(parse_json(content).has_value());
}

}  // namespace
}  // namespace dynamo::llm::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dynamo::llm::http;
  if (size < 2) return 0;
  const std::size_t piece = std::size_t{data[1]} + 1;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  switch (data[0] % 6) {
    case 0:
      head_and_body(text, piece);
      break;
    case 1:
      connection(text, piece);
      break;
    case 2:
      body("/chat", text, piece);
      break;
    case 3:
      body("/completions", text, piece);
      break;
    case 4:
      body("/tokenize", text, piece);
      break;
    default:
      body("/detokenize", text, piece);
      break;
  }
  return 0;
}
