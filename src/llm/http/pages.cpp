// SPDX-License-Identifier: Apache-2.0
#include "llm/http/pages.h"

#include <dynamo/base/clock.h>
#include <dynamo/base/json.h>
#include <dynamo/openai/models.h>
#include <dynamo/runtime/shutdown.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <limits>
#include <utility>
#include <vector>

#include "llm/http/error_response.h"

namespace dynamo::llm::http {
namespace {

namespace net = boost::asio;
using Stage = runtime::Shutdown::Stage;

std::time_t now_seconds() {
  return std::chrono::system_clock::to_time_t(Clock::system().system_now());
}

/// "2026-11-23T01:17:24Z"
std::string rfc3339(std::time_t time) {
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return {text, size};
}

openai::Model describe(const ServiceSettings& settings, std::string_view id,
                       const ServedModel& model) {
  openai::Model entry;
  entry.id = id;
  entry.created = static_cast<std::uint32_t>(now_seconds());
  const std::uint64_t window = settings.context_window.value_or(model.context_length());
  if (window > 0 && window <= std::numeric_limits<std::uint32_t>::max())
    entry.context_window = static_cast<std::uint32_t>(window);
  entry.max_output_tokens = settings.max_output_tokens;
  return entry;
}

std::string anthropic_list(const std::vector<openai::Model>& models) {
  std::string text;
  JsonWriter out(text);
  out.begin_object().key("data").begin_array();
  for (const auto& model : models) {
    out.begin_object()
        .member("id", model.id)
        .member("display_name", model.id)
        .member("type", "model");
    out.member("created_at", rfc3339(model.created));
    out.member_if("max_input_tokens", model.context_window);
    out.member_if("max_tokens", model.max_output_tokens).end_object();
  }
  out.end_array().member("has_more", false);
  out.key("first_id");
  models.empty() ? out.null() : out.value(models.front().id);
  out.key("last_id");
  models.empty() ? out.null() : out.value(models.back().id);
  out.end_object();
  return text;
}

std::string healthy(FleetHealth fleet) {
  std::ranges::sort(fleet.endpoints);
  std::string text;
  JsonWriter out(text);
  out.begin_object().member("status", "healthy").key("endpoints").begin_array();
  for (const auto& endpoint : fleet.endpoints) out.value(endpoint);
  out.end_array().key("instances").begin_array();
  for (const auto& instance : fleet.instances) out.value(instance);
  out.end_array().end_object();
  return text;
}

std::string readiness(std::string_view id, const ServedModel& model) {
  std::string text;
  JsonWriter out(text);
  out.begin_object().member("model", id).member("ready", model.ready);
  if (!model.ready)
    out.member("reason", model.reason.empty() ? std::string_view("starting")
                                              : std::string_view(model.reason));
  // An engine in this process is no worker of a namespace.
  out.key("namespaces").begin_object().end_object().end_object();
  return text;
}

}  // namespace

net::awaitable<void> serve_models(RouteCall call) {
  std::vector<openai::Model> models;
  const auto snapshot = call.parts.models.snapshot();
  for (const auto& [name, model] : snapshot->names())
    if (model->ready) models.push_back(describe(call.parts.settings, name, *model));
  const bool anthropic = call.exchange.head().header("anthropic-version").has_value();
  std::string body = anthropic ? anthropic_list(models) : openai::models_body(models);
  static_cast<void>(co_await call.exchange.respond(200, kJsonType, std::move(body)));
}

net::awaitable<void> serve_model(RouteCall call, std::string_view id) {
  const auto snapshot = call.parts.models.snapshot();
  std::string body;
  if (const auto model = snapshot->find(id)) {
    if (!model->ready) {
      co_await answer_error(call, not_ready(*model));
      co_return;
    }
    JsonWriter out(body);
    openai::write_json(out, describe(call.parts.settings, id, *model));
  } else if (id.ends_with("/ready")) {
    id.remove_suffix(std::string_view("/ready").size());
    if (const auto asked = snapshot->find(id)) body = readiness(id, *asked);
  }
  if (body.empty())
    co_await answer_error(call, model_not_found());
  else
    static_cast<void>(co_await call.exchange.respond(200, kJsonType, std::move(body)));
}

net::awaitable<void> serve_health(RouteCall call) {
  const Stage stage = call.parts.shutdown.stage();
  if (stage == Stage::running) {
    FleetHealth fleet = call.parts.fleet ? call.parts.fleet() : FleetHealth{};
    static_cast<void>(co_await call.exchange.respond(200, kJsonType, healthy(std::move(fleet))));
    co_return;
  }
  std::string body = R"({"status":"not_ready","stage":")";
  body += stage == Stage::draining ? "draining" : "stopping";
  body += R"(","message":"Service is not ready"})";
  static_cast<void>(
      co_await call.exchange.respond(503, kJsonType, std::move(body), {{"retry-after", "1"}}));
}

net::awaitable<void> serve_live(RouteCall call) {
  const Stage stage = call.parts.shutdown.stage();
  const bool live = stage == Stage::running || stage == Stage::draining;
  static_cast<void>(co_await call.exchange.respond(
      live ? 200 : 503, kJsonType,
      live ? R"({"status":"live","message":"Service is live"})"
           : R"({"status":"shutting_down","message":"Service is shutting down"})"));
}

}  // namespace dynamo::llm::http
