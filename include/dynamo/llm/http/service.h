// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/llm/http/model_manager.h>
#include <dynamo/llm/http/server.h>
#include <dynamo/runtime/fwd.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dynamo::llm::http {

/// What requests get when they leave it open (`--request-template`).
struct RequestTemplate {
  std::string model;  ///< for requests whose model is ""
  std::optional<float> temperature;
  std::optional<std::uint32_t> max_completion_tokens;  ///< for requests with none, or 0

  /// From the file's JSON. Errors: invalid_argument naming the member.
  static Result<RequestTemplate> from_json(const Json& json);
};

/// The workers behind a service, as /health shows them.
struct FleetHealth {
  std::vector<std::string> endpoints;  ///< "dyn://namespace.component.endpoint"; shown sorted
  std::vector<Json> instances;         ///< as discovery knows them
};

/// What the caller decides; everything else comes from the process's configuration (the variables
/// that docs/configuration.md lists for llm/http), read once in the constructor.
struct HttpServiceOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8000;  ///< 0: any free one
  std::optional<TlsFiles> tls;
  ServerLimits limits;
  /// Bearer tokens that are accepted, beside DYN_HTTP_API_KEYS; none at all: everyone is served.
  std::vector<std::string> api_keys;
  RequestTemplate request_template;
  /// What /health tells beside the service's own state; empty: engines in this process, which have
  /// no endpoints or instances. Called on any shard.
  std::function<FleetHealth()> fleet;
};

/// The OpenAI-compatible service: chat and legacy completions, models, tokenization, health,
/// metrics and documentation, over HttpServer.
///
/// While `shutdown` drains, requests that run go on and are waited for; new ones get 503 and
/// /health says not_ready. What is passed by reference must outlive the service.
/// Thread safety: start() and stop() from one thread that is no shard.
class HttpService {
 public:
  HttpService(HttpServiceOptions options, runtime::ShardPool& shards, runtime::ComputePool& compute,
              runtime::MetricsRegistry& metrics, runtime::Shutdown& shutdown, ModelManager& models);
  ~HttpService();  ///< stops
  HttpService(const HttpService&) = delete;
  HttpService& operator=(const HttpService&) = delete;

  /// Errors: as HttpServer::start().
  Result<void> start();
  std::uint16_t port() const noexcept;
  /// Ends what still runs after `grace`; the default is for after Shutdown::wait(), which has
  /// already waited. Idempotent.
  void stop(std::chrono::milliseconds grace = std::chrono::milliseconds(500));

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::llm::http
