// SPDX-License-Identifier: Apache-2.0
#include "llm/http/frontend_metrics.h"

#include <dynamo/base/log.h>
#include <dynamo/config/configuration.h>
#include <dynamo/runtime/shard.h>

#include <algorithm>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

namespace dynamo::llm::http {
namespace {

using runtime::MetricFamily;
using runtime::MetricsRegistry;
using runtime::MetricType;

constexpr std::size_t kShardsMax = 256;  // ShardPool's bound
constexpr std::string_view kLiteralPrefix = "dynamo_frontend_";

struct BucketRange {
  double min, max;
  std::uint64_t count;
};

/// The range that the environment asks for, when it makes sense.
template <class Min, class Max, class Count>
std::vector<double> buckets(BucketRange range, Min min, Max max, Count count,
                            std::string_view what) {
  const BucketRange asked{config::get(min).value_or(range.min),
                          config::get(max).value_or(range.max),
                          config::get(count).value_or(range.count)};
  if (asked.min > 0 && asked.max > asked.min)
    range = asked;
  else
    DYN_LOG_WARN("llm::http", "histogram_buckets_ignored",
                 {{"histogram", what}, {"min", asked.min}, {"max", asked.max}});
  return MetricsRegistry::log_buckets(range.min, range.max, range.count);
}

}  // namespace

std::string_view to_string(Endpoint endpoint) noexcept {
  return endpoint == Endpoint::chat_completions ? "chat_completions" : "completions";
}

std::string_view to_string(RequestType type) noexcept {
  return type == RequestType::unary ? "unary" : "stream";
}

std::string_view to_string(ErrorType type) noexcept {
  switch (type) {
    case ErrorType::none:
      return "";
    case ErrorType::validation:
      return "validation";
    case ErrorType::not_found:
      return "not_found";
    case ErrorType::overload:
      return "overload";
    case ErrorType::unavailable:
      return "unavailable";
    case ErrorType::cancelled:
      return "cancelled";
    case ErrorType::response_timeout:
      return "response_timeout";
    case ErrorType::not_implemented:
      return "not_implemented";
    case ErrorType::internal:
      break;
  }
  return "internal";
}

FrontendFamilies::FrontendFamilies(std::string_view asked_prefix) {
  namespace var = config::var;
  const std::string prefix = MetricsRegistry::sanitize(asked_prefix) + "_";
  const auto family = [](std::string_view begin, std::string_view name, std::string_view help,
                         MetricType type, std::vector<std::string> labels,
                         std::vector<double> bounds = {}) {
    return MetricFamily{std::string(begin) + std::string(name), std::string(help), type,
                        std::move(labels), std::move(bounds)};
  };
  const std::vector<std::string> model{"model"};
  const auto counter = [&](std::string_view name, std::string_view help,
                           std::vector<std::string> labels) {
    return family(prefix, name, help, MetricType::counter, std::move(labels));
  };
  const auto gauge = [&](std::string_view name, std::string_view help,
                         std::vector<std::string> labels) {
    return family(prefix, name, help, MetricType::gauge, std::move(labels));
  };
  const auto histogram = [&](std::string_view name, std::string_view help,
                             std::vector<double> bounds) {
    return family(prefix, name, help, MetricType::histogram, model, std::move(bounds));
  };

  requests = counter("requests_total", "Finished requests",
                     {"model", "endpoint", "request_type", "status", "error_type"});
  requests_started =
      counter("requests_started_total", "Accepted requests", {"model", "endpoint", "request_type"});
  inflight = gauge("inflight_requests", "Requests in progress", model);
  active =
      gauge("active_requests",
            "Requests that the service works on, from arrival to the end of the response", model);
  queued = gauge("queued_requests", "Requests that wait for their first token", model);
  disconnected =
      gauge("disconnected_clients", "Clients that left before their response was complete", {});
  cancellations =
      counter("model_cancellation_total", "Requests cancelled because their client left",
              {"model", "endpoint", "request_type"});
  rejections =
      counter("model_rejection_total", "Requests refused under overload", {"model", "endpoint"});
  duration = histogram("request_duration_seconds", "From arrival to the end of the response",
                       buckets({1, 512, 10}, var::buckets_duration_min, var::buckets_duration_max,
                               var::buckets_duration_count, "request_duration_seconds"));
  const auto isl_buckets = buckets({50, 128000, 12}, var::buckets_isl_min, var::buckets_isl_max,
                                   var::buckets_isl_count, "input_sequence_tokens");
  input_tokens = histogram("input_sequence_tokens", "Tokens of the prompt", isl_buckets);
  cached_tokens =
      histogram("cached_tokens", "Tokens of the prompt that were found in a cache", isl_buckets);
  output_tokens = histogram("output_sequence_tokens", "Tokens of the answer",
                            buckets({50, 32000, 10}, var::buckets_osl_min, var::buckets_osl_max,
                                    var::buckets_osl_count, "output_sequence_tokens"));
  output_tokens_total =
      counter("output_tokens_total", "Tokens generated, counted as they come", model);
  first_token = histogram("time_to_first_token_seconds", "From arrival to the first token",
                          buckets({0.001, 480, 18}, var::buckets_ttft_min, var::buckets_ttft_max,
                                  var::buckets_ttft_count, "time_to_first_token_seconds"));
  inter_token = histogram("inter_token_latency_seconds", "Time between tokens",
                          buckets({0.001, 2, 13}, var::buckets_itl_min, var::buckets_itl_max,
                                  var::buckets_itl_count, "inter_token_latency_seconds"));
  // Source of these buckets: spec llm-service 8.3.
  tokenizer_latency =
      family(prefix, "tokenizer_latency_ms",
             "Milliseconds that the tokenizer needed for a prompt or an answer",
             MetricType::histogram, {"operation"}, {0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512});
  const std::vector<double> media{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 40, 50, 100};
  images = histogram("images_per_request", "Images of a chat request", media);
  videos = histogram("videos_per_request", "Videos of a chat request", media);
  audios = histogram("audio_per_request", "Audio clips of a chat request", media);
  model_ready = gauge("model_ready", "1 while requests for the model can be served", model);
  total_kv_blocks = gauge("model_total_kv_blocks", "KV-cache blocks of the engine", model);
  max_num_seqs = gauge("model_max_num_seqs", "Sequences that the engine runs at once", model);
  max_num_batched_tokens =
      gauge("model_max_num_batched_tokens", "Tokens that the engine batches at once", model);
  context_length = gauge("model_context_length", "Tokens of prompt and answer together", model);
  kv_block_size = gauge("model_kv_cache_block_size", "Tokens per KV-cache block", model);
  migration_limit =
      gauge("model_migration_limit", "Times that a request may move to another worker", model);

  stage_duration = family(kLiteralPrefix, "stage_duration_seconds",
                          "Duration of a stage of a request", MetricType::histogram, {"stage"},
                          {.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 2.5, 5});
  stage_requests = family(kLiteralPrefix, "stage_requests", "Requests in a stage",
                          MetricType::gauge, {"stage", "phase"});
  template_seconds =
      family(kLiteralPrefix, "template_seconds", "Time in the chat template, once per prompt",
             MetricType::histogram, {}, {.00001, .00005, .0001, .0005, .001, .005, .01, .05});
  tokenize_seconds =
      family(kLiteralPrefix, "tokenize_seconds", "Time in the tokenizer, once per prompt",
             MetricType::histogram, {}, {.0001, .0005, .001, .005, .01, .05, .1, .5, 1});
  tokenizer_cache_hits = family(kLiteralPrefix, "tokenizer_cache_hits_total",
                                "Prompts that begin with a prefix whose tokens were remembered",
                                MetricType::counter, {});
  tokenizer_cache_misses = family(kLiteralPrefix, "tokenizer_cache_misses_total",
                                  "Prompts that do not", MetricType::counter, {});
  tokenizer_cache_cached_tokens =
      family(kLiteralPrefix, "tokenizer_cache_cached_tokens_total",
             "Tokens of prompts that were remembered", MetricType::counter, model);
  tokenizer_cache_uncached_tokens =
      family(kLiteralPrefix, "tokenizer_cache_uncached_tokens_total",
             "Tokens of prompts that had to be computed", MetricType::counter, model);
  detokenize_us = family(kLiteralPrefix, "detokenize_total_us",
                         "Microseconds spent in turning tokens into text", MetricType::counter, {});
  detokenized_tokens = family(kLiteralPrefix, "detokenize_token_count",
                              "Tokens that were turned into text", MetricType::counter, {});
}

std::vector<const MetricFamily*> FrontendFamilies::all() const {
  return {&requests,
          &requests_started,
          &inflight,
          &active,
          &queued,
          &disconnected,
          &cancellations,
          &rejections,
          &duration,
          &input_tokens,
          &output_tokens,
          &output_tokens_total,
          &first_token,
          &inter_token,
          &cached_tokens,
          &tokenizer_latency,
          &images,
          &videos,
          &audios,
          &model_ready,
          &total_kv_blocks,
          &max_num_seqs,
          &max_num_batched_tokens,
          &context_length,
          &kv_block_size,
          &migration_limit,
          &stage_duration,
          &stage_requests,
          &template_seconds,
          &tokenize_seconds,
          &tokenizer_cache_hits,
          &tokenizer_cache_misses,
          &tokenizer_cache_cached_tokens,
          &tokenizer_cache_uncached_tokens,
          &detokenize_us,
          &detokenized_tokens};
}

struct FrontendMetrics::Tables {
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  using Table =
      std::unordered_map<std::string, std::unique_ptr<ModelSeries>, Hash, std::equal_to<>>;
  std::array<Table, kShardsMax> per_shard;
  std::mutex mutex;
  Table elsewhere;  ///< under the mutex
};

FrontendMetrics::FrontendMetrics(MetricsRegistry& registry, std::string_view prefix)
    : registry_(registry),
      families_(prefix),
      disconnected_(registry.gauge(families_.disconnected)),
      preprocess_seconds_(registry.histogram(families_.stage_duration, {"preprocess"})),
      dispatch_seconds_(registry.histogram(families_.stage_duration, {"dispatch"})),
      template_seconds_(registry.histogram(families_.template_seconds)),
      tokenize_seconds_(registry.histogram(families_.tokenize_seconds)),
      tokenize_ms_(registry.histogram(families_.tokenizer_latency, {"tokenize"})),
      detokenize_ms_(registry.histogram(families_.tokenizer_latency, {"detokenize"})),
      tokenizer_cache_hits_(registry.counter(families_.tokenizer_cache_hits)),
      tokenizer_cache_misses_(registry.counter(families_.tokenizer_cache_misses)),
      detokenize_us_(registry.counter(families_.detokenize_us)),
      detokenized_tokens_(registry.counter(families_.detokenized_tokens)),
      preprocessing_(registry.gauge(families_.stage_requests, {"preprocess", ""})),
      dispatching_(registry.gauge(families_.stage_requests, {"dispatch", "aggregated"})),
      tables_(std::make_unique<Tables>()) {
  for (const MetricFamily* family : families_.all()) registry.declare(*family);
}

FrontendMetrics::~FrontendMetrics() = default;

ModelSeries FrontendMetrics::make_series(std::string_view model) {
  ModelSeries series;
  series.inflight = registry_.gauge(families_.inflight, {model});
  series.active = registry_.gauge(families_.active, {model});
  series.queued = registry_.gauge(families_.queued, {model});
  series.duration = registry_.histogram(families_.duration, {model});
  series.input_tokens = registry_.histogram(families_.input_tokens, {model});
  series.output_tokens = registry_.histogram(families_.output_tokens, {model});
  series.first_token = registry_.histogram(families_.first_token, {model});
  series.inter_token = registry_.histogram(families_.inter_token, {model});
  series.cached_tokens = registry_.histogram(families_.cached_tokens, {model});
  series.images = registry_.histogram(families_.images, {model});
  series.videos = registry_.histogram(families_.videos, {model});
  series.audios = registry_.histogram(families_.audios, {model});
  series.output_tokens_total = registry_.counter(families_.output_tokens_total, {model});
  series.tokenizer_cached_tokens =
      registry_.counter(families_.tokenizer_cache_cached_tokens, {model});
  series.tokenizer_uncached_tokens =
      registry_.counter(families_.tokenizer_cache_uncached_tokens, {model});
  for (const Endpoint endpoint : {Endpoint::chat_completions, Endpoint::completions}) {
    for (const RequestType type : {RequestType::unary, RequestType::stream}) {
      auto& entry =
          series.by_type[static_cast<std::size_t>(endpoint)][static_cast<std::size_t>(type)];
      entry.started = registry_.counter(families_.requests_started,
                                        {model, to_string(endpoint), to_string(type)});
      entry.succeeded = registry_.counter(
          families_.requests, {model, to_string(endpoint), to_string(type), "success", ""});
    }
  }
  return series;
}

ModelSeries& FrontendMetrics::series(std::string_view model) {
  const auto find = [&](Tables::Table& table) -> ModelSeries& {
    if (const auto found = table.find(model); found != table.end()) return *found->second;
    return *table.emplace(std::string(model), std::make_unique<ModelSeries>(make_series(model)))
                .first->second;
  };
  const runtime::Shard* shard = runtime::Shard::current();
  if (shard != nullptr && shard->index() < kShardsMax)
    return find(tables_->per_shard[shard->index()]);
  std::lock_guard lock(tables_->mutex);
  return find(tables_->elsewhere);
}

void FrontendMetrics::failed(std::string_view model, Endpoint endpoint, RequestType type,
                             ErrorType error) {
  registry_
      .counter(families_.requests,
               {model, to_string(endpoint), to_string(type), "error", to_string(error)})
      .add();
}

void FrontendMetrics::preprocessed(ModelSeries& model, const Preprocessed& prompt) {
  const std::chrono::duration<double> in_template = prompt.template_time;
  const std::chrono::duration<double> in_tokenizer = prompt.tokenize_time;
  if (in_template.count() > 0) template_seconds_.observe(in_template.count());
  if (in_tokenizer.count() > 0) {
    tokenize_seconds_.observe(in_tokenizer.count());
    tokenize_ms_.observe(in_tokenizer.count() * 1e3);
  }
  if (!prompt.tokenizer_cache) return;
  const TokenizerCacheUse& cache = *prompt.tokenizer_cache;
  (cache.cached_tokens != 0 ? tokenizer_cache_hits_ : tokenizer_cache_misses_).add();
  model.tokenizer_cached_tokens.add(cache.cached_tokens);
  model.tokenizer_uncached_tokens.add(cache.uncached_tokens);
}

void FrontendMetrics::detokenized(std::uint32_t tokens, std::chrono::nanoseconds took) {
  if (tokens == 0) return;
  detokenize_ms_.observe(std::chrono::duration<double, std::milli>(took).count());
  detokenize_us_.add(std::chrono::duration<double, std::micro>(took).count());
  detokenized_tokens_.add(tokens);
}

void FrontendMetrics::client_left(std::string_view model, Endpoint endpoint, RequestType type) {
  disconnected_.add(1);
  registry_.counter(families_.cancellations, {model, to_string(endpoint), to_string(type)}).add();
}

void FrontendMetrics::rejected(std::string_view model, Endpoint endpoint) {
  registry_.counter(families_.rejections, {model, to_string(endpoint)}).add();
}

void FrontendMetrics::show_models(const ModelSnapshot& models) {
  for (const auto& name : shown_) {
    if (models.models().contains(name)) continue;
    for (const MetricFamily* family :
         {&families_.model_ready, &families_.total_kv_blocks, &families_.max_num_seqs,
          &families_.max_num_batched_tokens, &families_.context_length, &families_.kv_block_size,
          &families_.migration_limit})
      registry_.remove(*family, {name});
  }
  shown_.clear();
  for (const auto& [name, model] : models.models()) {
    shown_.push_back(name);
    const auto& info = model->engine_info;
    const auto show = [&](const MetricFamily& family, double value) {
      registry_.gauge(family, {name}).set(value);
    };
    show(families_.model_ready, model->ready ? 1 : 0);
    show(families_.total_kv_blocks, static_cast<double>(info.kv_blocks_total));
    show(families_.max_num_seqs, info.max_num_seqs);
    show(families_.max_num_batched_tokens, info.max_num_batched_tokens);
    show(families_.context_length, model->context_length());
    show(families_.kv_block_size, info.kv_block_size_tokens);
    show(families_.migration_limit, model->card ? model->card->migration_limit : 0);
  }
}

}  // namespace dynamo::llm::http
