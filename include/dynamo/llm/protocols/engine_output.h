// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>
#include <dynamo/llm/protocols/preprocessed_request.h>
#include <dynamo/openai/usage.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace dynamo::llm {

/// Why a choice ended. On the wire: "eos", "length", "stop", "cancelled", "content_filter" or
/// {"error": message}; "abort" and "error: message" are understood.
struct FinishReason {
  enum class Kind : std::uint8_t { eos, length, stop, cancelled, content_filter, error };
  Kind kind = Kind::stop;
  std::string message;  ///< for `error`
  bool operator==(const FinishReason&) const = default;
};

struct TopLogprob {
  std::uint32_t rank = 0;
  TokenId token_id = 0;
  std::optional<std::string> token;
  double logprob = 0;
  std::optional<std::vector<std::uint8_t>> bytes;
};

using openai::CompletionTokensDetails;
using openai::CompletionUsage;
using openai::PromptTokensDetails;

/// One step of one choice: the tokens since the last one. Source: LLMEngineOutput (v1.5).
struct EngineOutput {
  std::vector<TokenId> token_ids;  ///< new tokens only
  /// The text of each token, where the engine detokenizes itself; none inside a character.
  std::optional<std::vector<std::optional<std::string>>> tokens;
  std::optional<std::string> text;  ///< set when the engine detokenizes itself
  std::optional<double> cum_log_probs;
  std::optional<std::vector<double>> log_probs;                      ///< one per token
  std::optional<std::vector<std::vector<TopLogprob>>> top_logprobs;  ///< one list per token
  std::optional<FinishReason> finish_reason;
  std::optional<std::variant<std::string, std::int64_t>> stop_reason;
  std::optional<std::uint32_t> index;  ///< choice, default 0
  std::optional<CompletionUsage> completion_usage;
  std::optional<Json> disaggregated_params;
  std::optional<Json> encoder_result;
  std::optional<Json> extra_args;
  std::optional<Json> engine_data;
  std::optional<Json> routing_data;
};

void write_json(JsonWriter& out, const EngineOutput& output);
Result<EngineOutput> engine_output_from_json(const Json& json);

}  // namespace dynamo::llm
