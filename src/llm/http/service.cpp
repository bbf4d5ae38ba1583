// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/json.h>
#include <dynamo/base/log.h>
#include <dynamo/base/utf8.h>
#include <dynamo/config/configuration.h>
#include <dynamo/llm/http/service.h>
#include <dynamo/runtime/metrics.h>
#include <dynamo/runtime/shard.h>
#include <dynamo/runtime/shutdown.h>

#include <algorithm>
#include <utility>

#include "llm/http/api_schemas.h"
#include "llm/http/busy_threshold.h"
#include "llm/http/error_response.h"
#include "llm/http/frontend_metrics.h"
#include "llm/http/generation.h"
#include "llm/http/pages.h"
#include "llm/http/request_headers.h"
#include "llm/http/router.h"
#include "llm/http/service_settings.h"
#include "llm/http/tokenization.h"

namespace dynamo::llm::http {
namespace {

namespace net = boost::asio;

constexpr std::string_view kHtmlType = "text/html; charset=utf-8";
constexpr std::string_view kApiVersion = "1.5.0";  // of the reference whose API this is

/// Compares without telling by its duration where the texts differ.
bool equals_in_constant_time(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

net::awaitable<void> respond_page(RouteCall call, std::string_view type, std::string text) {
  static_cast<void>(co_await call.exchange.respond(200, type, std::move(text)));
}

}  // namespace

Result<RequestTemplate> RequestTemplate::from_json(const Json& json) {
  if (!json.is_object())
    return fail(Errc::invalid_argument, "a request template must be a JSON object");
  RequestTemplate out;
  if (const Json* model = json.find("model")) {
    const std::string* text = model->if_string();
    if (text == nullptr)
      return fail(Errc::invalid_argument, "'model' of a request template must be a string");
    out.model = *text;
  }
  if (const Json* temperature = json.find("temperature");
      temperature != nullptr && !temperature->is_null()) {
    const auto value = temperature->as_double();
    if (!value || *value < 0 || *value > 2)
      return fail(Errc::invalid_argument,
                  "'temperature' of a request template must be a number from 0 to 2");
    out.temperature = static_cast<float>(*value);
  }
  if (const Json* tokens = json.find("max_completion_tokens");
      tokens != nullptr && !tokens->is_null()) {
    const auto value = tokens->as_uint64();
    if (!value || *value == 0 || *value > 1048576)
      return fail(
          Errc::invalid_argument,
          "'max_completion_tokens' of a request template must be an integer from 1 to 1048576");
    out.max_completion_tokens = static_cast<std::uint32_t>(*value);
  }
  return out;
}

struct HttpService::Impl {
  Impl(HttpServiceOptions given, runtime::ShardPool& shards, runtime::ComputePool& compute,
       runtime::MetricsRegistry& metrics_registry, runtime::Shutdown& shutdown,
       ModelManager& models)
      : options(std::move(given)),
        settings(config::process()),
        registry(metrics_registry),
        metrics(std::make_shared<FrontendMetrics>(metrics_registry, settings.metrics_prefix)),
        router(std::make_shared<Router>()),
        parts{.settings = settings,
              .request_template = options.request_template,
              .compute = compute,
              .shutdown = shutdown,
              .models = models,
              .metrics = *metrics,
              .fleet = options.fleet},
        server({.host = options.host,
                .port = options.port,
                .tls = options.tls,
                .limits = options.limits},
               shards, [this](Exchange& exchange) { return dispatch(exchange); }) {
    keys = options.api_keys;
    keys.insert(keys.end(), settings.api_keys.begin(), settings.api_keys.end());
    std::erase(keys, std::string());
    add_routes();
    // The callback outlives the service when the models do, so it owns what it touches.
    models.on_change([routes = router, shown = metrics](const ModelSnapshot& now) {
      shown->show_models(now);
      const auto any = [&](auto member) {
        return std::any_of(now.models().begin(), now.models().end(),
                           [&](const auto& entry) { return (*entry.second).*member; });
      };
      routes->open(Gate::chat, any(&ServedModel::serves_chat));
      routes->open(Gate::completions, any(&ServedModel::serves_completions));
    });
  }

  void add_routes();
  net::awaitable<void> dispatch(Exchange& exchange);
  net::awaitable<void> refuse_route(RouteCall call, const Router::Match& match) const;
  bool authorized(const RequestHead& head) const noexcept;

  HttpServiceOptions options;
  ServiceSettings settings;
  runtime::MetricsRegistry& registry;
  std::shared_ptr<FrontendMetrics> metrics;  // shared with the callback in ModelManager
  std::shared_ptr<Router> router;            // shared with the callback in ModelManager
  ServiceParts parts;
  std::vector<std::string> keys;
  HttpServer server;
};

void HttpService::Impl::add_routes() {
  const auto page = [this](std::string_view type, auto text) {
    return [this, type, text](Exchange& exchange, std::string_view) {
      return respond_page({parts, exchange}, type, text());
    };
  };
  const auto of = [this](net::awaitable<void> (*serve)(RouteCall)) {
    return [this, serve](Exchange& exchange, std::string_view) { return serve({parts, exchange}); };
  };
  router->add({Method::post,
               settings.chat_path,
               Gate::chat,
               Access::key,
               of(serve_chat),
               {"Chat completions, streamed or not", "inference", "ChatCompletionRequest"}});
  router->add({Method::post,
               settings.completions_path,
               Gate::completions,
               Access::key,
               of(serve_completions),
               {"Legacy completions, streamed or not", "inference", "CompletionRequest"}});
  router->add({Method::post,
               "/tokenize",
               Gate::always,
               Access::key,
               of(serve_tokenize),
               {"Token ids of a prompt or a conversation", "tokens", "TokenizeRequest"}});
  router->add({Method::post,
               "/detokenize",
               Gate::always,
               Access::key,
               of(serve_detokenize),
               {"Text of token ids", "tokens", "DetokenizeRequest"}});
  router->add({Method::get,
               settings.models_path,
               Gate::always,
               Access::key,
               of(serve_models),
               {"Models that are served", "models", {}}});
  router->add({Method::get,
               settings.models_path + "/{*id}",
               Gate::always,
               Access::key,
               [this](Exchange& exchange, std::string_view id) {
                 return serve_model({parts, exchange}, id);
               },
               {"One model; with /ready behind its id, whether it is ready", "models", {}}});
  router->add({Method::get,
               settings.health_path,
               Gate::always,
               Access::everyone,
               of(serve_health),
               {"Whether new requests are served", "operation", {}}});
  router->add({Method::get,
               settings.live_path,
               Gate::always,
               Access::everyone,
               of(serve_live),
               {"Whether the process is alive", "operation", {}}});
  router->add({Method::get,
               settings.metrics_path,
               Gate::always,
               Access::everyone,
               page(runtime::MetricsRegistry::kContentType, [this] { return registry.expose(); }),
               {"Metrics in Prometheus' text format", "operation", {}}});
  if (!settings.disable_admin_api) {
    router->add({Method::get,
                 "/busy_threshold",
                 Gate::always,
                 Access::key,
                 of(serve_busy_thresholds),
                 {"From when on workers are too busy, by model", "operation", {}}});
    router->add(
        {Method::post,
         "/busy_threshold",
         Gate::always,
         Access::key,
         of(serve_busy_threshold),
         {"Sets or reads the thresholds of one model, for routers", "operation", "BusyThreshold"}});
  }
  router->add({Method::get,
               "/openapi.json",
               Gate::always,
               Access::everyone,
               page(kJsonType, [this] { return router->openapi("Dynamo", kApiVersion); }),
               {"This document", "operation", {}}});
  for (const auto* path : {"/docs", "/docs/"})
    router->add({Method::get,
                 path,
                 Gate::always,
                 Access::everyone,
                 page(kHtmlType, [] { return std::string(kDocsPage); }),
                 {"The API as a page", "operation", {}}});
}

bool HttpService::Impl::authorized(const RequestHead& head) const noexcept {
  if (keys.empty()) return true;
  const auto token = bearer_token(head);
  bool known = false;
  for (const auto& key : keys) known |= token && equals_in_constant_time(*token, key);
  return known;
}

net::awaitable<void> HttpService::Impl::dispatch(Exchange& exchange) {
  const RequestHead& head = exchange.head();
  const RouteCall call{parts, exchange};
  if (parts.shutdown.stage() != runtime::Shutdown::Stage::running) server.begin_drain();
  const auto match = router->match(head.method(), head.path());
  if (match.route == nullptr) return refuse_route(call, match);
  if (match.route->access == Access::key && !authorized(head)) {
    const bool given = head.header("authorization").has_value();
    Error error(Errc::unauthenticated,
                given ? "Incorrect API key provided"
                      : "No API key provided; send it as 'Authorization: Bearer KEY'");
    return answer_error(call, std::move(error).with_reason("invalid_api_key"),
                        {{"www-authenticate", "Bearer"}});
  }
  return match.route->handler(exchange, match.rest);
}

/// Why there is no route for a request.
net::awaitable<void> HttpService::Impl::refuse_route(RouteCall call,
                                                     const Router::Match& match) const {
  const RequestHead& head = call.exchange.head();
  const std::string method(head.method_text());
  if (!match.allow.empty()) {
    Error error(Errc::method_not_allowed, method + " is not allowed here, only " + match.allow);
    return answer_error(call, std::move(error), {{"allow", match.allow}});
  }
  if (router->gated(head.method(), head.path())) return answer_error(call, model_not_found());
  return answer_error(call, Error(Errc::not_found, "Route not found: " + method + " " +
                                                       base::to_valid_utf8(head.path())));
}

HttpService::HttpService(HttpServiceOptions options, runtime::ShardPool& shards,
                         runtime::ComputePool& compute, runtime::MetricsRegistry& metrics,
                         runtime::Shutdown& shutdown, ModelManager& models)
    : impl_(
          std::make_unique<Impl>(std::move(options), shards, compute, metrics, shutdown, models)) {}

HttpService::~HttpService() {
  stop();
}

Result<void> HttpService::start() {
  DYN_CHECK(impl_->server.start());
  impl_->server.export_metrics(impl_->registry);
  const auto& options = impl_->options;
  DYN_LOG_INFO(
      "llm::http", "listening",
      {{"host", options.host}, {"port", std::uint64_t{port()}}, {"tls", options.tls.has_value()}});
  const bool local =
      options.host == "127.0.0.1" || options.host == "::1" || options.host == "localhost";
  if (impl_->keys.empty() && !local)
    DYN_LOG_WARN("llm::http", "no_api_key",
                 {{"host", options.host}, {"advice", "set --api-key or DYN_HTTP_API_KEYS"}});
  return {};
}

std::uint16_t HttpService::port() const noexcept {
  return impl_->server.port();
}

void HttpService::stop(std::chrono::milliseconds grace) {
  impl_->server.stop(grace);
}

}  // namespace dynamo::llm::http
