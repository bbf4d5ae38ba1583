// SPDX-License-Identifier: Apache-2.0
#include <dynamo/llm/protocols/engine_output.h>

#include "llm/protocols/object_reader.h"

namespace dynamo::llm {
namespace {

using detail::ObjectReader;
using detail::write_list;

constexpr std::string_view kErrorPrefix = "error: ";

std::string_view name_of(FinishReason::Kind kind) {
  switch (kind) {
    case FinishReason::Kind::eos:
      return "eos";
    case FinishReason::Kind::length:
      return "length";
    case FinishReason::Kind::stop:
      return "stop";
    case FinishReason::Kind::cancelled:
      return "cancelled";
    case FinishReason::Kind::content_filter:
      return "content_filter";
    case FinishReason::Kind::error:
      break;
  }
  return "error";
}

void write(JsonWriter& out, const FinishReason& reason) {
  if (reason.kind == FinishReason::Kind::error) {
    out.begin_object().member("error", std::string_view(reason.message)).end_object();
  } else {
    out.value(name_of(reason.kind));
  }
}

std::unexpected<Error> bad_finish_reason(std::string_view got) {
  return fail(Error(Errc::invalid_argument, "`finish_reason`: expected a known reason, got " +
                                                std::string(got.substr(0, 64)))
                  .with_param("finish_reason"));
}

Result<FinishReason> read_finish_reason(const Json& json) {
  using enum FinishReason::Kind;
  if (const std::string* name = json.if_string()) {
    for (const auto kind : {eos, length, stop, cancelled, content_filter}) {
      if (*name == name_of(kind)) return FinishReason{.kind = kind};
    }
    if (*name == "abort") return FinishReason{.kind = cancelled};
    if (name->starts_with(kErrorPrefix)) {
      return FinishReason{.kind = error, .message = name->substr(kErrorPrefix.size())};
    }
    return bad_finish_reason("`" + *name + "`");
  }
  const Json* message = json.find("error");
  if (message == nullptr || json.if_object()->size() != 1)
    return bad_finish_reason(json.kind_name());
  if (!message->is_string())
    return bad_finish_reason("an error of kind " + std::string(message->kind_name()));
  return FinishReason{.kind = error, .message = *message->if_string()};
}

Result<std::variant<std::string, std::int64_t>> read_stop_reason(const Json& json) {
  if (const std::string* text = json.if_string()) return *text;
  if (const auto id = json.as_int64()) return *id;
  return fail(Error(Errc::invalid_argument, "`stop_reason`: expected a string or an integer, got " +
                                                std::string(json.kind_name()))
                  .with_param("stop_reason"));
}

void write(JsonWriter& out, const TopLogprob& entry) {
  out.begin_object();
  out.member("rank", entry.rank);
  out.member("token_id", entry.token_id);
  out.member_or_null("token", entry.token);
  out.member("logprob", entry.logprob);
  if (entry.bytes) {
    out.key("bytes").begin_array();
    for (const std::uint8_t byte : *entry.bytes) out.value(std::uint32_t{byte});
    out.end_array();
  }
  out.end_object();
}

Result<TopLogprob> read_top_logprob(const Json& json) {
  TopLogprob entry;
  ObjectReader in(json, "top_logprobs");
  in.get("rank", entry.rank);
  in.require("token_id", entry.token_id);
  in.get("token", entry.token);
  in.require("logprob", entry.logprob);
  in.get("bytes", entry.bytes);
  DYN_CHECK(std::move(in).status());
  return entry;
}

Result<std::vector<std::vector<TopLogprob>>> read_top_logprobs(const Json& json) {
  const auto refuse = [](const Json& got) {
    return fail(Error(Errc::invalid_argument, "`top_logprobs`: expected a list of lists, got " +
                                                  std::string(got.kind_name()))
                    .with_param("top_logprobs"));
  };
  const Json::Array* lists = json.if_array();
  if (lists == nullptr) return refuse(json);
  std::vector<std::vector<TopLogprob>> all;
  all.reserve(lists->size());
  for (const Json& list : *lists) {
    const Json::Array* entries = list.if_array();
    if (entries == nullptr) return refuse(list);
    auto& out = all.emplace_back();
    out.reserve(entries->size());
    for (const Json& entry : *entries) {
      DYN_TRY(auto one, read_top_logprob(entry));
      out.push_back(std::move(one));
    }
  }
  return all;
}

Result<PromptTokensDetails> read_prompt_details(const Json& json) {
  PromptTokensDetails details;
  ObjectReader in(json, "completion_usage.prompt_tokens_details");
  in.get("audio_tokens", details.audio_tokens);
  in.get("cached_tokens", details.cached_tokens);
  DYN_CHECK(std::move(in).status());
  return details;
}

Result<CompletionTokensDetails> read_completion_details(const Json& json) {
  CompletionTokensDetails details;
  ObjectReader in(json, "completion_usage.completion_tokens_details");
  in.get("accepted_prediction_tokens", details.accepted_prediction_tokens);
  in.get("audio_tokens", details.audio_tokens);
  in.get("reasoning_tokens", details.reasoning_tokens);
  in.get("rejected_prediction_tokens", details.rejected_prediction_tokens);
  DYN_CHECK(std::move(in).status());
  return details;
}

Result<CompletionUsage> read_usage(const Json& json) {
  CompletionUsage usage;
  ObjectReader in(json, "completion_usage");
  in.get("prompt_tokens", usage.prompt_tokens);
  in.get("completion_tokens", usage.completion_tokens);
  in.get("total_tokens", usage.total_tokens);
  in.get_with("prompt_tokens_details", usage.prompt_tokens_details, read_prompt_details);
  in.get_with("completion_tokens_details", usage.completion_tokens_details,
              read_completion_details);
  DYN_CHECK(std::move(in).status());
  return usage;
}

void write_tokens(JsonWriter& out, const EngineOutput& output) {
  out.key("tokens");
  if (!output.tokens) {
    out.null();
    return;
  }
  out.begin_array();
  for (const auto& token : *output.tokens) {
    if (token) {
      out.value(std::string_view(*token));
    } else {
      out.null();
    }
  }
  out.end_array();
}

void write_logprobs(JsonWriter& out, const EngineOutput& output) {
  out.key("log_probs");
  if (output.log_probs) {
    write_list(out, *output.log_probs);
  } else {
    out.null();
  }
  out.key("top_logprobs");
  if (!output.top_logprobs) {
    out.null();
    return;
  }
  out.begin_array();
  for (const auto& list : *output.top_logprobs) {
    out.begin_array();
    for (const TopLogprob& entry : list) write(out, entry);
    out.end_array();
  }
  out.end_array();
}

}  // namespace

void write_json(JsonWriter& out, const EngineOutput& output) {
  out.begin_object();
  out.key("token_ids");
  write_list(out, output.token_ids);
  write_tokens(out, output);
  out.member_or_null("text", output.text);
  out.member_or_null("cum_log_probs", output.cum_log_probs);
  write_logprobs(out, output);
  out.key("finish_reason");
  if (output.finish_reason) {
    write(out, *output.finish_reason);
  } else {
    out.null();
  }
  if (output.stop_reason) {
    out.key("stop_reason");
    std::visit(
        [&out](const auto& reason) {
          if constexpr (std::is_same_v<std::decay_t<decltype(reason)>, std::string>) {
            out.value(std::string_view(reason));
          } else {
            out.value(reason);
          }
        },
        *output.stop_reason);
  }
  out.member_or_null("index", output.index);
  if (output.completion_usage) {
    out.key("completion_usage");
    openai::write_json(out, *output.completion_usage, openai::UnsetDetails::null);
  }
  out.member_if("disaggregated_params", output.disaggregated_params);
  out.member_if("encoder_result", output.encoder_result);
  out.member_if("extra_args", output.extra_args);
  out.member_if("engine_data", output.engine_data);
  out.member_if("routing_data", output.routing_data);
  out.end_object();
}

Result<EngineOutput> engine_output_from_json(const Json& json) {
  EngineOutput output;
  ObjectReader in(json, "");
  in.require("token_ids", output.token_ids);
  in.get("tokens", output.tokens);
  in.get("text", output.text);
  in.get("cum_log_probs", output.cum_log_probs);
  in.get("log_probs", output.log_probs);
  in.get_with("top_logprobs", output.top_logprobs, read_top_logprobs);
  in.get_with("finish_reason", output.finish_reason, read_finish_reason);
  in.get_with("stop_reason", output.stop_reason, read_stop_reason);
  in.get("index", output.index);
  in.get_with("completion_usage", output.completion_usage, read_usage);
  in.get("disaggregated_params", output.disaggregated_params);
  in.get("encoder_result", output.encoder_result);
  if (output.encoder_result && !output.encoder_result->is_object()) {
    in.reject("encoder_result", "an object");
  }
  in.get("extra_args", output.extra_args);
  in.get("engine_data", output.engine_data);
  in.get("routing_data", output.routing_data);
  DYN_CHECK(std::move(in).status());
  return output;
}

}  // namespace dynamo::llm
