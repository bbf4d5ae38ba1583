// SPDX-License-Identifier: Apache-2.0
#include <dynamo/llm/protocols/preprocessed_request.h>

#include <array>
#include <charconv>

#include "llm/protocols/object_reader.h"

namespace dynamo::llm {
namespace {

using detail::ObjectReader;
using detail::write_list;

constexpr std::string_view kSamplingArgs = "sampling_options";
constexpr std::string_view kLogitBias = "logit_bias";

template <class T>
void list_or_null(JsonWriter& out, std::string_view name,
                  const std::optional<std::vector<T>>& list) {
  out.key(name);
  if (list) {
    write_list(out, *list);
  } else {
    out.null();
  }
}

template <class T>
void list_if(JsonWriter& out, std::string_view name, const std::optional<std::vector<T>>& list) {
  if (!list) return;
  out.key(name);
  write_list(out, *list);
}

void write(JsonWriter& out, const StopConditions& stop) {
  out.begin_object();
  out.member_or_null("max_tokens", stop.max_tokens);
  list_or_null(out, "stop", stop.stop);
  list_or_null(out, "stop_token_ids", stop.stop_token_ids);
  list_or_null(out, "stop_token_ids_visible", stop.stop_token_ids_visible);
  list_or_null(out, "stop_token_ids_hidden", stop.stop_token_ids_hidden);
  out.member_or_null("min_tokens", stop.min_tokens);
  out.member_or_null("ignore_eos", stop.ignore_eos);
  out.member_or_null("max_thinking_tokens", stop.max_thinking_tokens);
  out.end_object();
}

Result<StopConditions> read_stop(const Json& json) {
  StopConditions stop;
  ObjectReader in(json, "stop_conditions");
  in.get("max_tokens", stop.max_tokens);
  in.get("stop", stop.stop);
  in.get("stop_token_ids", stop.stop_token_ids);
  in.get("stop_token_ids_visible", stop.stop_token_ids_visible);
  in.get("stop_token_ids_hidden", stop.stop_token_ids_hidden);
  in.get("min_tokens", stop.min_tokens);
  in.get("ignore_eos", stop.ignore_eos);
  in.get("max_thinking_tokens", stop.max_thinking_tokens);
  DYN_CHECK(std::move(in).status());
  return stop;
}

void write(JsonWriter& out, const GuidedDecoding& guided) {
  out.begin_object();
  out.member_if("json", guided.json);
  out.member_if("regex", guided.regex);
  list_if(out, "choice", guided.choice);
  out.member_if("grammar", guided.grammar);
  out.member_if("backend", guided.backend);
  out.member_if("whitespace_pattern", guided.whitespace_pattern);
  out.member_if("structural_tag", guided.structural_tag);
  out.end_object();
}

Result<GuidedDecoding> read_guided(const Json& json) {
  GuidedDecoding guided;
  ObjectReader in(json, "sampling_options.guided_decoding");
  in.get("json", guided.json);
  in.get("regex", guided.regex);
  in.get("choice", guided.choice);
  in.get("grammar", guided.grammar);
  in.get("backend", guided.backend);
  in.get("whitespace_pattern", guided.whitespace_pattern);
  in.get("structural_tag", guided.structural_tag);
  DYN_CHECK(std::move(in).status());
  return guided;
}

void write(JsonWriter& out, const SamplingOptions& sampling) {
  out.begin_object();
  out.key("n");
  if (sampling.n) {
    out.value(std::uint32_t{*sampling.n});
  } else {
    out.null();
  }
  out.key("best_of");
  if (sampling.best_of) {
    out.value(std::uint32_t{*sampling.best_of});
  } else {
    out.null();
  }
  out.member_or_null("presence_penalty", sampling.presence_penalty);
  out.member_or_null("frequency_penalty", sampling.frequency_penalty);
  out.member_or_null("repetition_penalty", sampling.repetition_penalty);
  out.member_or_null("temperature", sampling.temperature);
  out.member_or_null("top_p", sampling.top_p);
  out.member_or_null("top_k", sampling.top_k);
  out.member_or_null("min_p", sampling.min_p);
  out.member_or_null("use_beam_search", sampling.use_beam_search);
  out.member_or_null("length_penalty", sampling.length_penalty);
  out.member_or_null("seed", sampling.seed);
  out.member_or_null("include_stop_str_in_output", sampling.include_stop_str_in_output);
  out.key("guided_decoding");
  if (sampling.guided_decoding) {
    write(out, *sampling.guided_decoding);
  } else {
    out.null();
  }
  out.end_object();
}

Result<SamplingOptions> read_sampling(const Json& json) {
  SamplingOptions sampling;
  ObjectReader in(json, "sampling_options");
  in.get("n", sampling.n);
  in.get("best_of", sampling.best_of);
  in.get("presence_penalty", sampling.presence_penalty);
  in.get("frequency_penalty", sampling.frequency_penalty);
  in.get("repetition_penalty", sampling.repetition_penalty);
  in.get("temperature", sampling.temperature);
  in.get("top_p", sampling.top_p);
  in.get("top_k", sampling.top_k);
  in.get("min_p", sampling.min_p);
  in.get("use_beam_search", sampling.use_beam_search);
  in.get("length_penalty", sampling.length_penalty);
  in.get("seed", sampling.seed);
  in.get("include_stop_str_in_output", sampling.include_stop_str_in_output);
  in.get_with("guided_decoding", sampling.guided_decoding, read_guided);
  DYN_CHECK(std::move(in).status());
  return sampling;
}

void write(JsonWriter& out, const OutputOptions& output) {
  out.begin_object();
  out.member_or_null("logprobs", output.logprobs);
  out.member_or_null("prompt_logprobs", output.prompt_logprobs);
  out.member_or_null("skip_special_tokens", output.skip_special_tokens);
  out.member_or_null("formatted_prompt", output.formatted_prompt);
  out.member_or_null("return_tokens_as_token_ids", output.return_tokens_as_token_ids);
  out.end_object();
}

Result<OutputOptions> read_output(const Json& json) {
  OutputOptions output;
  ObjectReader in(json, "output_options");
  in.get("logprobs", output.logprobs);
  in.get("prompt_logprobs", output.prompt_logprobs);
  in.get("skip_special_tokens", output.skip_special_tokens);
  in.get("formatted_prompt", output.formatted_prompt);
  in.get("return_tokens_as_token_ids", output.return_tokens_as_token_ids);
  DYN_CHECK(std::move(in).status());
  return output;
}

void write(JsonWriter& out, const RoutingHints& routing) {
  out.begin_object();
  out.member_if("backend_instance_id", routing.backend_instance_id);
  out.member_if("prefill_worker_id", routing.prefill_worker_id);
  out.member_if("decode_worker_id", routing.decode_worker_id);
  out.member_if("dp_rank", routing.dp_rank);
  out.member_if("prefill_dp_rank", routing.prefill_dp_rank);
  out.member_if("expected_output_tokens", routing.expected_output_tokens);
  out.member_if("lora_name", routing.lora_name);
  out.member_if("cache_salt", routing.cache_salt);
  out.member_if("priority_jump", routing.priority_jump);
  out.member_if("strict_priority", routing.strict_priority);
  out.member_if("priority", routing.priority);
  list_if(out, "allowed_worker_ids", routing.allowed_worker_ids);
  out.member_if("routing_constraints", routing.routing_constraints);
  out.end_object();
}

Result<RoutingHints> read_routing(const Json& json) {
  RoutingHints routing;
  ObjectReader in(json, "routing");
  in.get("backend_instance_id", routing.backend_instance_id);
  in.get("prefill_worker_id", routing.prefill_worker_id);
  in.get("decode_worker_id", routing.decode_worker_id);
  in.get("dp_rank", routing.dp_rank);
  in.get("prefill_dp_rank", routing.prefill_dp_rank);
  in.get("expected_output_tokens", routing.expected_output_tokens);
  in.get("lora_name", routing.lora_name);
  in.get("cache_salt", routing.cache_salt);
  in.get("priority_jump", routing.priority_jump);
  in.get("strict_priority", routing.strict_priority);
  in.get("priority", routing.priority);
  in.get("allowed_worker_ids", routing.allowed_worker_ids);
  in.get("routing_constraints", routing.routing_constraints);
  DYN_CHECK(std::move(in).status());
  return routing;
}

// extra_args with the logit bias put in.
void write_extra_args(JsonWriter& out, const PreprocessedRequest& request) {
  if (request.logit_bias.empty()) {
    out.member_if("extra_args", request.extra_args);
    return;
  }
  Json args =
      request.extra_args && request.extra_args->is_object() ? *request.extra_args : Json::object();
  Json& sampling = args[kSamplingArgs];
  if (!sampling.is_object()) sampling = Json::object();
  JsonObject bias;
  for (const auto& [token, value] : request.logit_bias) {
    bias.set(std::to_string(token), Json(static_cast<double>(value)));
  }
  sampling[kLogitBias] = Json(std::move(bias));
  out.member("extra_args", args);
}

Result<void> take_logit_bias(PreprocessedRequest& request) {
  Json* sampling = request.extra_args ? request.extra_args->find(kSamplingArgs) : nullptr;
  Json* bias = sampling != nullptr ? sampling->find(kLogitBias) : nullptr;
  if (bias == nullptr) return {};
  const auto refuse = [](std::string_view what) {
    return fail(
        Error(Errc::invalid_argument,
              "`extra_args.sampling_options.logit_bias`: expected token ids and numbers, got " +
                  std::string(what))
            .with_param("extra_args.sampling_options.logit_bias"));
  };
  if (!bias->is_object()) return refuse(bias->kind_name());
  for (const auto& [key, value] : *bias->if_object()) {
    TokenId token = 0;
    const auto [end, ec] = std::from_chars(key.data(), key.data() + key.size(), token);
    const auto number = value.as_double();
    if (ec != std::errc() || end != key.data() + key.size() || !number ||
        !(*number >= -100 && *number <= 100)) {
      return refuse("`" + key + "`");
    }
    request.logit_bias[token] = static_cast<float>(*number);
  }
  sampling->if_object()->erase(kLogitBias);
  if (sampling->if_object()->empty()) request.extra_args->if_object()->erase(kSamplingArgs);
  if (request.extra_args->if_object()->empty()) request.extra_args.reset();
  return {};
}

}  // namespace

bool RoutingHints::empty() const noexcept {
  return !backend_instance_id && !prefill_worker_id && !decode_worker_id && !dp_rank &&
         !prefill_dp_rank && !expected_output_tokens && !lora_name && !cache_salt &&
         !priority_jump && !strict_priority && !priority && !allowed_worker_ids &&
         !routing_constraints;
}

void write_json(JsonWriter& out, const PreprocessedRequest& request) {
  out.begin_object();
  out.member("model", std::string_view(request.model));
  out.key("token_ids");
  write_list(out, request.token_ids);
  out.member_if("prompt_embeds", request.prompt_embeds);
  out.member_if("multi_modal_data", request.multi_modal_data);
  out.member_if("multi_modal_uuids", request.multi_modal_uuids);
  out.member_if("mm_routing_info", request.mm_routing_info);
  out.key("stop_conditions");
  write(out, request.stop_conditions);
  out.key("sampling_options");
  write(out, request.sampling_options);
  out.key("output_options");
  write(out, request.output_options);
  out.key("eos_token_ids");
  write_list(out, request.eos_token_ids);
  out.member_or_null("mdc_sum", request.mdc_sum);
  out.key("annotations").begin_array();
  for (const std::string& annotation : request.annotations) out.value(std::string_view(annotation));
  out.end_array();
  if (request.routing) {
    out.key("routing");
    write(out, *request.routing);
  }
  out.member_or_null("router_config_override", request.router_config_override);
  out.member_if("prefill_result", request.prefill_result);
  out.member_if("encoder_result", request.encoder_result);
  out.member_if("migration_link", request.migration_link);
  out.member_if("bootstrap_info", request.bootstrap_info);
  write_extra_args(out, request);
  if (request.require_reasoning) out.member("require_reasoning", true);
  out.member_if("router", request.router);
  out.member_if("agent_context", request.agent_context);
  out.member_if("mm_processor_kwargs", request.mm_processor_kwargs);
  out.member_if("request_timestamp_ms", request.request_timestamp_ms);
  if (request.health_check) out.member("_HEALTH_CHECK", true);
  out.end_object();
}

Result<PreprocessedRequest> preprocessed_request_from_json(const Json& json) {
  PreprocessedRequest request;
  ObjectReader in(json, "");
  in.get("model", request.model);
  in.require("token_ids", request.token_ids);
  in.get("prompt_embeds", request.prompt_embeds);
  in.get("multi_modal_data", request.multi_modal_data);
  in.get("multi_modal_uuids", request.multi_modal_uuids);
  in.get("mm_routing_info", request.mm_routing_info);
  in.get_with("stop_conditions", request.stop_conditions, read_stop);
  in.get_with("sampling_options", request.sampling_options, read_sampling);
  in.get_with("output_options", request.output_options, read_output);
  in.get("eos_token_ids", request.eos_token_ids);
  in.get("mdc_sum", request.mdc_sum);
  in.get("annotations", request.annotations);
  in.get_with("routing", request.routing, read_routing);
  in.get("router_config_override", request.router_config_override);
  in.get("prefill_result", request.prefill_result);
  in.get("encoder_result", request.encoder_result);
  if (request.encoder_result && !request.encoder_result->is_object()) {
    in.reject("encoder_result", "an object");
  }
  in.get("migration_link", request.migration_link);
  in.get("bootstrap_info", request.bootstrap_info);
  in.get("extra_args", request.extra_args);
  in.get("require_reasoning", request.require_reasoning);
  in.get("router", request.router);
  in.get("agent_context", request.agent_context);
  in.get("mm_processor_kwargs", request.mm_processor_kwargs);
  in.get("request_timestamp_ms", request.request_timestamp_ms);
  in.get("_HEALTH_CHECK", request.health_check);
  DYN_CHECK(std::move(in).status());
  DYN_CHECK(take_logit_bias(request));
  return request;
}

}  // namespace dynamo::llm
