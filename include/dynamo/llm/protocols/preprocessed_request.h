// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// What the frontend sends to a worker, and an engine receives. The JSON forms are the request
/// plane's payloads: read the union of 0.9 and 1.5, write the 1.5 shape, never reject unknown keys.
/// Source: lib/llm/src/protocols/common (v1.5); spec llm-pipeline 2.1.
namespace dynamo::llm {

using TokenId = std::uint32_t;

struct StopConditions {
  std::optional<std::uint32_t> max_tokens;
  std::optional<std::vector<std::string>> stop;
  std::optional<std::vector<TokenId>> stop_token_ids;          ///< the user's; hidden from the text
  std::optional<std::vector<TokenId>> stop_token_ids_visible;  ///< stop, but keep the token's text
  std::optional<std::vector<TokenId>> stop_token_ids_hidden;   ///< the model's end tokens
  std::optional<std::uint32_t> min_tokens;
  std::optional<bool> ignore_eos;
  std::optional<std::uint32_t> max_thinking_tokens;
};

/// At most one of json, regex, choice, grammar, whitespace_pattern, structural_tag is set.
struct GuidedDecoding {
  std::optional<Json> json;  ///< a JSON schema
  std::optional<std::string> regex;
  std::optional<std::vector<std::string>> choice;
  std::optional<std::string> grammar;  ///< EBNF or GBNF, as the engine understands it
  std::optional<std::string> backend;
  std::optional<std::string> whitespace_pattern;
  std::optional<Json> structural_tag;
};

struct SamplingOptions {
  std::optional<std::uint8_t> n;
  std::optional<std::uint8_t> best_of;
  std::optional<float> presence_penalty;
  std::optional<float> frequency_penalty;
  std::optional<float> repetition_penalty;
  std::optional<float> temperature;
  std::optional<float> top_p;
  std::optional<std::int32_t> top_k;  ///< -1: all
  std::optional<float> min_p;
  std::optional<bool> use_beam_search;
  std::optional<float> length_penalty;
  std::optional<std::int64_t> seed;
  std::optional<bool> include_stop_str_in_output;
  std::optional<GuidedDecoding> guided_decoding;
};

struct OutputOptions {
  std::optional<std::uint32_t> logprobs;  ///< number of alternatives; 0 means the chosen token only
  std::optional<std::uint32_t> prompt_logprobs;
  std::optional<bool> skip_special_tokens;
  std::optional<bool> formatted_prompt;
  std::optional<bool> return_tokens_as_token_ids;
};

/// Where a request may or must run. Carried by the distributed runtime; in-process engines ignore
/// it.
struct RoutingHints {
  std::optional<std::uint64_t> backend_instance_id;
  std::optional<std::uint64_t> prefill_worker_id;
  std::optional<std::uint64_t> decode_worker_id;
  std::optional<std::uint32_t> dp_rank;
  std::optional<std::uint32_t> prefill_dp_rank;
  std::optional<std::uint32_t> expected_output_tokens;
  std::optional<std::string> lora_name;
  std::optional<std::string> cache_salt;
  std::optional<double> priority_jump;
  std::optional<std::uint32_t> strict_priority;
  std::optional<std::int32_t> priority;
  std::optional<std::vector<std::uint64_t>> allowed_worker_ids;
  std::optional<Json> routing_constraints;
  bool empty() const noexcept;
};

/// A request as token ids and numbers, ready for an engine. A value; large, so it is moved.
struct PreprocessedRequest {
  std::string model;
  std::vector<TokenId> token_ids;
  std::optional<std::string> prompt_embeds;
  std::optional<Json> multi_modal_data;
  std::optional<Json> multi_modal_uuids;
  std::optional<Json> mm_routing_info;
  StopConditions stop_conditions;
  SamplingOptions sampling_options;
  OutputOptions output_options;
  std::vector<TokenId> eos_token_ids;
  std::optional<std::string> mdc_sum;
  std::vector<std::string> annotations;
  std::optional<RoutingHints> routing;
  std::optional<Json> router_config_override;
  std::optional<Json> prefill_result;
  std::optional<Json> encoder_result;  ///< an object
  std::optional<Json> migration_link;
  std::optional<Json> bootstrap_info;
  std::optional<Json> extra_args;
  bool require_reasoning = false;
  std::optional<Json> router;
  std::optional<Json> agent_context;
  std::optional<Json> mm_processor_kwargs;
  std::optional<double> request_timestamp_ms;
  bool health_check = false;

  /// OpenAI's logit_bias: token id to bias in [-100, 100]. In JSON it travels in extra_args
  /// ("sampling_options": {"logit_bias": {"id": bias}}), because the reference has no member for
  /// it.
  std::map<TokenId, float> logit_bias;
};

void write_json(JsonWriter& out, const PreprocessedRequest& request);
/// Errors: Errc::invalid_argument naming the field.
Result<PreprocessedRequest> preprocessed_request_from_json(const Json& json);

}  // namespace dynamo::llm
