// SPDX-License-Identifier: Apache-2.0
#include <dynamo/openai/usage.h>

#include <string_view>

namespace dynamo::openai {
namespace {

void write_count(JsonWriter& out, std::string_view name, const std::optional<std::uint32_t>& count,
                 UnsetDetails unset) {
  if (unset == UnsetDetails::null) {
    out.member_or_null(name, count);
  } else {
    out.member_if(name, count);
  }
}

}  // namespace

void write_json(JsonWriter& out, const CompletionUsage& usage, UnsetDetails unset) {
  out.begin_object();
  out.member("prompt_tokens", usage.prompt_tokens);
  out.member("completion_tokens", usage.completion_tokens);
  out.member("total_tokens", usage.total_tokens);
  if (const auto& details = usage.prompt_tokens_details) {
    out.key("prompt_tokens_details").begin_object();
    write_count(out, "audio_tokens", details->audio_tokens, unset);
    write_count(out, "cached_tokens", details->cached_tokens, unset);
    out.end_object();
  }
  if (const auto& details = usage.completion_tokens_details) {
    out.key("completion_tokens_details").begin_object();
    write_count(out, "accepted_prediction_tokens", details->accepted_prediction_tokens, unset);
    write_count(out, "audio_tokens", details->audio_tokens, unset);
    write_count(out, "reasoning_tokens", details->reasoning_tokens, unset);
    write_count(out, "rejected_prediction_tokens", details->rejected_prediction_tokens, unset);
    out.end_object();
  }
  out.end_object();
}

}  // namespace dynamo::openai
