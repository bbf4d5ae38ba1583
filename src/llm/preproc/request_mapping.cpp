// SPDX-License-Identifier: Apache-2.0
#include "llm/preproc/request_mapping.h"

#include <algorithm>
#include <charconv>

namespace dynamo::llm::detail {
namespace {

void add_missing(std::vector<TokenId>& to, const std::vector<TokenId>& ids) {
  for (const TokenId id : ids) {
    if (std::ranges::find(to, id) == to.end()) to.push_back(id);
  }
}

template <class T>
void set_if(Json& object, std::string_view name, const std::optional<std::vector<T>>& list) {
  if (!list) return;
  Json values = Json::array();
  for (const T& value : *list) values.push_back(Json(value));
  object[name] = std::move(values);
}

}  // namespace

StopConditions stop_conditions(const openai::GenerationRequest& request, const ModelCard& card,
                               std::optional<std::uint32_t> max_tokens) {
  StopConditions stop;
  stop.max_tokens = max_tokens;
  stop.min_tokens = request.min_tokens;
  stop.ignore_eos = request.ignore_eos;
  if (request.nvext) stop.max_thinking_tokens = request.nvext->max_thinking_tokens;
  if (request.ignore_eos.value_or(false)) return stop;
  if (!request.stop.empty()) stop.stop = request.stop;
  stop.stop_token_ids = request.stop_token_ids;
  if (!card.eos_token_ids.empty()) {
    stop.stop_token_ids_hidden.emplace();
    add_missing(*stop.stop_token_ids_hidden, card.eos_token_ids);
  }
  return stop;
}

SamplingOptions sampling_options(const openai::GenerationRequest& request) {
  SamplingOptions sampling;
  sampling.n = request.n;
  sampling.presence_penalty = request.presence_penalty;
  sampling.frequency_penalty = request.frequency_penalty;
  sampling.repetition_penalty = request.repetition_penalty;
  const bool greedy = request.nvext && request.nvext->greed_sampling.value_or(false);
  if (!greedy) {
    sampling.temperature = request.temperature;
    sampling.top_p = request.top_p;
  }
  sampling.top_k = request.top_k == 0 ? std::optional<std::int32_t>(-1) : request.top_k;
  sampling.min_p = request.min_p;
  sampling.seed = request.seed;
  sampling.include_stop_str_in_output = request.include_stop_str_in_output;
  return sampling;
}

void apply_defaults(SamplingOptions& sampling, const GenerationDefaults& defaults) {
  const auto fill = [](auto& value, const auto& recommended) {
    if (!value) value = recommended;
  };
  fill(sampling.temperature, defaults.temperature);
  fill(sampling.top_p, defaults.top_p);
  fill(sampling.top_k, defaults.top_k);
  fill(sampling.min_p, defaults.min_p);
  fill(sampling.repetition_penalty, defaults.repetition_penalty);
}

std::optional<GuidedDecoding> guided_decoding(const openai::GenerationRequest& request) {
  const bool has_choice = request.guided_choice && !request.guided_choice->empty();
  if (!request.guided_json && !request.guided_regex && !has_choice && !request.guided_grammar &&
      !request.guided_whitespace_pattern) {
    return std::nullopt;
  }
  GuidedDecoding guided;
  guided.json = request.guided_json;
  guided.regex = request.guided_regex;
  if (has_choice) guided.choice = request.guided_choice;
  guided.grammar = request.guided_grammar;
  guided.backend = request.guided_decoding_backend;
  guided.whitespace_pattern = request.guided_whitespace_pattern;
  return guided;
}

RoutingHints routing_hints(const openai::GenerationRequest& request) {
  RoutingHints routing;
  routing.cache_salt = request.cache_salt;
  if (!request.nvext) return routing;
  const openai::NvExt& nvext = *request.nvext;
  routing.backend_instance_id = nvext.backend_instance_id;
  routing.prefill_worker_id = nvext.prefill_worker_id;
  routing.decode_worker_id = nvext.decode_worker_id;
  routing.dp_rank = nvext.dp_rank;
  routing.prefill_dp_rank = nvext.prefill_dp_rank;
  if (nvext.cache_salt) routing.cache_salt = nvext.cache_salt;
  routing.routing_constraints = nvext.routing_constraints;
  if (nvext.agent_hints) {
    routing.expected_output_tokens = nvext.agent_hints->osl;
    routing.priority = nvext.agent_hints->priority;
    routing.strict_priority = nvext.agent_hints->strict_priority;
    if (routing.priority) routing.priority_jump = static_cast<double>(*routing.priority);
  }
  return routing;
}

std::optional<Json> extra_args(const openai::GenerationRequest& request) {
  Json args = Json::object();
  Json nvext = Json::object();
  if (request.nvext) {
    set_if(nvext, "extra_fields", request.nvext->extra_fields);
    if (request.nvext->metadata_upload) nvext["metadata_upload"] = *request.nvext->metadata_upload;
    if (request.nvext->token_data) nvext["token_in"] = Json(true);
  }
  const auto& salt =
      request.nvext && request.nvext->cache_salt ? request.nvext->cache_salt : request.cache_salt;
  if (salt) nvext["cache_salt"] = Json(*salt);
  if (!nvext.if_object()->empty()) args["nvext"] = std::move(nvext);

  Json sampling = Json::object();
  if (request.detokenize) sampling["detokenize"] = Json(*request.detokenize);
  set_if(sampling, "allowed_token_ids", request.allowed_token_ids);
  if (request.bad_words_token_ids) sampling["bad_words_token_ids"] = *request.bad_words_token_ids;
  set_if(sampling, "logprob_token_ids", request.logprob_token_ids);
  if (!sampling.if_object()->empty()) args["sampling_options"] = std::move(sampling);

  return args.if_object()->empty() ? std::nullopt : std::optional<Json>(std::move(args));
}

PreprocessedRequest map_request(const openai::GenerationRequest& request, const ModelCard& card,
                                std::optional<std::uint32_t> max_tokens) {
  PreprocessedRequest mapped;
  mapped.model = request.model;
  mapped.stop_conditions = stop_conditions(request, card, max_tokens);
  mapped.sampling_options = sampling_options(request);
  mapped.sampling_options.guided_decoding = guided_decoding(request);
  mapped.output_options.prompt_logprobs = request.prompt_logprobs;
  mapped.output_options.skip_special_tokens = request.skip_special_tokens;
  mapped.output_options.return_tokens_as_token_ids = request.return_tokens_as_token_ids;
  if (!request.ignore_eos.value_or(false)) mapped.eos_token_ids = card.eos_token_ids;
  if (!card.mdc_sum.empty()) mapped.mdc_sum = card.mdc_sum;
  mapped.routing = routing_hints(request);
  mapped.extra_args = extra_args(request);
  for (const auto& [text, bias] : request.logit_bias) {
    TokenId token = 0;
    std::from_chars(text.data(), text.data() + text.size(), token);  // validated as a token id
    mapped.logit_bias[token] = static_cast<float>(bias);
  }
  if (request.nvext) {
    mapped.annotations = request.nvext->annotations;
    mapped.router = request.nvext->router;
    mapped.request_timestamp_ms = request.nvext->request_timestamp_ms;
  }
  return mapped;
}

}  // namespace dynamo::llm::detail
