// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/http/model_manager.h>
#include <dynamo/llm/preproc/preprocessor.h>
#include <dynamo/runtime/metrics.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace dynamo::llm::http {

/// Label values. Source: lib/llm/src/http/service/metrics.rs (v1.5).
enum class Endpoint : std::uint8_t { chat_completions, completions };
inline constexpr std::size_t kEndpoints = 2;
enum class RequestType : std::uint8_t { unary, stream };
enum class ErrorType : std::uint8_t {
  none,
  validation,
  not_found,
  overload,
  unavailable,
  cancelled,
  response_timeout,
  internal,
  not_implemented,
};
std::string_view to_string(Endpoint endpoint) noexcept;
std::string_view to_string(RequestType type) noexcept;
/// Empty for `none`.
std::string_view to_string(ErrorType type) noexcept;

/// The model label of requests for models that are not served, so that clients cannot make labels.
inline constexpr std::string_view kUnknownModel = "unknown_model";

/// The families of the request metrics, declared in one place: names, labels and buckets are the
/// reference's.
struct FrontendFamilies {
  /// `prefix` is made valid first. Buckets honour DYN_HISTOGRAM_DYN_METRICS_*; values that make no
  /// sense are logged and ignored.
  explicit FrontendFamilies(std::string_view prefix);

  runtime::MetricFamily requests, requests_started, inflight, active, queued, disconnected,
      cancellations, rejections, duration, input_tokens, output_tokens, output_tokens_total,
      first_token, inter_token, cached_tokens, tokenizer_latency, images, videos, audios,
      model_ready, total_kv_blocks, max_num_seqs, max_num_batched_tokens, context_length,
      kv_block_size, migration_limit;
  /// All of them.
  std::vector<const runtime::MetricFamily*> all() const;

  // These keep the literal prefix dynamo_frontend_ (spec llm-service 8.1).
  runtime::MetricFamily stage_duration, stage_requests, template_seconds, tokenize_seconds,
      tokenizer_cache_hits, tokenizer_cache_misses, tokenizer_cache_cached_tokens,
      tokenizer_cache_uncached_tokens, detokenize_us, detokenized_tokens;
};

/// The series of one model, resolved once, so that a request looks nothing up.
struct ModelSeries {
  runtime::Gauge inflight, active, queued;
  runtime::Histogram duration, input_tokens, output_tokens, first_token, inter_token, cached_tokens,
      images, videos, audios;
  runtime::Counter output_tokens_total, tokenizer_cached_tokens, tokenizer_uncached_tokens;
  struct ByType {
    runtime::Counter started, succeeded;
  };
  std::array<std::array<ByType, 2>, kEndpoints> by_type;  ///< [Endpoint][RequestType]
};

/// All request metrics of the service.
///
/// Thread safety: any thread; series() keeps one table per shard and takes no lock there.
class FrontendMetrics {
 public:
  FrontendMetrics(runtime::MetricsRegistry& registry, std::string_view prefix);
  ~FrontendMetrics();

  /// Of a served model's name or kUnknownModel. Valid as long as this.
  ModelSeries& series(std::string_view model);
  void failed(std::string_view model, Endpoint endpoint, RequestType type, ErrorType error);
  void client_left(std::string_view model, Endpoint endpoint, RequestType type);
  void rejected(std::string_view model, Endpoint endpoint);
  /// One prompt of `model` was rendered and tokenized; what was not done took no time.
  void preprocessed(ModelSeries& model, const Preprocessed& prompt);
  /// The tokens of one answer became text. Once for each request.
  void detokenized(std::uint32_t tokens, std::chrono::nanoseconds took);
  runtime::Histogram& preprocess_seconds() noexcept { return preprocess_seconds_; }
  runtime::Histogram& dispatch_seconds() noexcept { return dispatch_seconds_; }
  runtime::Gauge& preprocessing() noexcept { return preprocessing_; }
  runtime::Gauge& dispatching() noexcept { return dispatching_; }

  /// Sets the gauges that describe models and drops those of models that are gone.
  void show_models(const ModelSnapshot& models);

  const FrontendFamilies& families() const noexcept { return families_; }

 private:
  ModelSeries make_series(std::string_view model);

  runtime::MetricsRegistry& registry_;
  const FrontendFamilies families_;
  runtime::Gauge disconnected_;
  runtime::Histogram preprocess_seconds_, dispatch_seconds_, template_seconds_, tokenize_seconds_,
      tokenize_ms_, detokenize_ms_;
  runtime::Counter tokenizer_cache_hits_, tokenizer_cache_misses_, detokenize_us_,
      detokenized_tokens_;
  runtime::Gauge preprocessing_, dispatching_;
  std::vector<std::string> shown_;  ///< models whose gauges stand
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

}  // namespace dynamo::llm::http
