// SPDX-License-Identifier: Apache-2.0
#include "serve.h"

#include <dynamo/base/file.h>
#include <dynamo/base/log.h>
#include <dynamo/config/configuration.h>
#include <dynamo/llm/http/model_manager.h>
#include <dynamo/llm/http/service.h>
#include <dynamo/runtime/compute_pool.h>
#include <dynamo/runtime/metrics.h>
#include <dynamo/runtime/shard.h>
#include <dynamo/runtime/shutdown.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "batch_mode.h"
#include "local_chat.h"
#include "model.h"
#include "text_mode.h"

namespace dynamo::run {
namespace {

constexpr std::string_view kTarget = "dynamo_run";
constexpr std::size_t kTemplateLimitBytes = std::size_t{1} << 20;

int failed(const Error& error) {
  std::fprintf(stderr, "dynamo-run: %s\n", error.message().c_str());
  return 1;
}

Result<llm::http::RequestTemplate> request_template(const Arguments& arguments) {
  if (arguments.request_template.empty()) return llm::http::RequestTemplate{};
  auto text = base::read_file(arguments.request_template, kTemplateLimitBytes);
  if (!text) return fail(std::move(text).error().with("--request-template"));
  auto json = parse_json(*text);
  if (!json) return fail(std::move(json).error().with(arguments.request_template));
  auto parsed = llm::http::RequestTemplate::from_json(*json);
  if (!parsed) return fail(std::move(parsed).error().with(arguments.request_template));
  return parsed;
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

// Serves until a signal. Declared in the order of use: what comes later ends first.
int serve_http(const Arguments& arguments, const LoadedModel& model,
               const llm::http::RequestTemplate& defaults, runtime::ShardPool& shards,
               runtime::ComputePool& pool, runtime::MetricsRegistry& metrics) {
  runtime::Shutdown shutdown;
  if (auto installed = shutdown.install_signal_handlers(); !installed)
    return failed(installed.error());
  llm::http::ModelManager models;
  if (auto added = models.add(model.card, model.engine); !added) return failed(added.error());

  llm::http::HttpServiceOptions options;
  options.host = arguments.http_host;
  options.port = arguments.http_port;
  options.api_keys = arguments.api_keys;
  options.request_template = defaults;
  if (!arguments.tls_cert_path.empty())
    options.tls = {arguments.tls_cert_path, arguments.tls_key_path};
  llm::http::HttpService service(std::move(options), shards, pool, metrics, shutdown, models);
  if (auto started = service.start(); !started) return failed(started.error());

  if (arguments.api_keys.empty() && !is_loopback(arguments.http_host)) {
    DYN_LOG_WARN(kTarget, "everyone_is_served",
                 {{"host", arguments.http_host}, {"fix", "--api-key"}});
  }
  DYN_LOG_INFO(kTarget, "serving",
               {{"model", model.card->name},
                {"host", arguments.http_host},
                {"port", static_cast<std::uint64_t>(service.port())},
                {"tls", !arguments.tls_cert_path.empty()}});
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(std::min(
      config::get(config::var::http_shutdown_timeout), config::get(config::var::shutdown_timeout)));
  const bool drained = shutdown.wait(limit);
  if (!drained)
    DYN_LOG_WARN(kTarget, "requests_were_cut",
                 {{"waited_ms", static_cast<std::int64_t>(limit.count())}});
  service.stop();
  DYN_LOG_INFO(kTarget, "stopped", {{"signal", shutdown.signal()}});
  return drained ? 0 : 1;
}

int talk(const Arguments& arguments, const LoadedModel& model,
         const llm::http::RequestTemplate& given, runtime::ShardPool& shards) {
  LocalChat chat(model.card, model.engine, shards);
  RequestDefaults defaults;
  defaults.model = given.model.empty() ? model.card->name : given.model;
  if (given.temperature) defaults.temperature = static_cast<double>(*given.temperature);
  if (given.max_completion_tokens) defaults.max_completion_tokens = *given.max_completion_tokens;
  // A small model's context may be smaller than the usual budget.
  if (const std::uint32_t context = model.card->context_length(); context > 0) {
    defaults.max_completion_tokens = std::min(defaults.max_completion_tokens, context);
  }
  switch (arguments.input) {
    case Input::batch:
      return run_batch(chat, defaults, arguments.batch_file);
    case Input::stdin_text:
      return run_stdin(chat, defaults);
    default:
      return run_text(chat, defaults);
  }
}

}  // namespace

int run(const Arguments& arguments) {
  if (arguments.configuration) config::install(*arguments.configuration);
  const auto defaults = request_template(arguments);
  if (!defaults) return failed(defaults.error());

  const auto started = std::chrono::steady_clock::now();
  runtime::MetricsRegistry metrics;  // first: what is exported to it asks it to forget at its end
  runtime::ShardPool shards;
  runtime::ComputePool pool;
  shards.export_metrics(metrics);
  pool.export_metrics(metrics);
  auto model = load_model(arguments, pool);
  if (!model) return failed(model.error());
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - started);
  DYN_LOG_INFO(kTarget, "model_loaded",
               {{"model", model->card->name},
                {"engine", model->engine->info().name},
                {"context_length", static_cast<std::uint64_t>(model->card->context_length())},
                {"took_ms", static_cast<std::int64_t>(took.count())}});
  if (!model->card->chat_disabled_reason.empty()) {
    DYN_LOG_WARN(kTarget, "chat_is_off",
                 {{"model", model->card->name}, {"reason", model->card->chat_disabled_reason}});
  }
  if (const std::string device = device_line(arguments); !device.empty())
    DYN_LOG_INFO(kTarget, "device", {{"mode", device}});

  const int status = arguments.input == Input::http
                         ? serve_http(arguments, *model, *defaults, shards, pool, metrics)
                         : talk(arguments, *model, *defaults, shards);
  model->engine.reset();
  shards.stop();
  return status;
}

int print_config(const Arguments& arguments) {
  std::string text;
  JsonWriter(text)
      .begin_object()
      .key("command")
      .raw(arguments_json(arguments))
      .key("settings")
      .raw(arguments.configuration->to_json())
      .end_object();
  std::printf("%s\n", text.c_str());
  return 0;
}

}  // namespace dynamo::run
