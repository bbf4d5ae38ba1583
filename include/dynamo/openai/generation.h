// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>
#include <dynamo/openai/nvext.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dynamo::openai {

/// Switches of the parser; the caller reads the environment.
struct ParseOptions {
  /// Ignore unknown top-level members instead of refusing them
  /// (DYN_IGNORE_OPENAI_FE_UNSUPPORTED_FIELDS).
  bool ignore_unknown_fields = false;
  /// Drop nvext unread (DYN_DISABLE_FRONTEND_NVEXT).
  bool drop_nvext = false;
};

struct StreamOptions {
  bool include_usage = false;
  bool continuous_usage_stats = false;
};

/// What the chat and the legacy completion request have in common: sampling, stopping, guided
/// decoding and the extensions at top level. Unset and null are the same.
/// Source: spec llm-service 3.1, 3.2, 3.4.
struct GenerationRequest {
  std::string model;
  bool stream = false;
  std::optional<StreamOptions> stream_options;
  std::optional<std::uint32_t> max_tokens;
  std::optional<std::uint8_t> n;
  std::optional<float> temperature;
  std::optional<float> top_p;
  std::optional<float> frequency_penalty;
  std::optional<float> presence_penalty;
  std::optional<std::int64_t> seed;
  std::vector<std::pair<std::string, double>> logit_bias;  ///< token id in decimal, bias
  std::vector<std::string> stop;
  /// `stop` as a list of token ids, else the top-level `stop_token_ids`.
  std::optional<std::vector<std::uint32_t>> stop_token_ids;
  std::optional<std::string> user;
  std::optional<Json> metadata;

  std::optional<bool> ignore_eos;
  std::optional<std::uint32_t> min_tokens;
  std::optional<std::int32_t> top_k;
  std::optional<float> min_p;
  std::optional<float> repetition_penalty;
  std::optional<bool> include_stop_str_in_output;
  std::optional<Json> guided_json;
  std::optional<std::string> guided_regex;
  std::optional<std::string> guided_grammar;
  std::optional<std::vector<std::string>> guided_choice;
  std::optional<std::string> guided_decoding_backend;
  std::optional<std::string> guided_whitespace_pattern;
  std::optional<bool> skip_special_tokens;
  std::optional<std::uint32_t> prompt_logprobs;
  std::optional<bool> return_tokens_as_token_ids;

  std::optional<std::string> cache_salt;
  std::optional<bool> detokenize;
  std::optional<std::vector<std::uint32_t>> allowed_token_ids;
  std::optional<Json> bad_words_token_ids;
  std::optional<std::vector<std::uint32_t>> logprob_token_ids;

  std::optional<NvExt> nvext;
  /// Unknown top-level members in the order of the body; refused by validate().
  std::vector<std::string> unsupported;

  std::uint32_t choices() const noexcept { return n.value_or(1); }
  bool include_usage() const noexcept { return stream_options && stream_options->include_usage; }
  bool continuous_usage() const noexcept {
    return stream_options && stream_options->include_usage &&
           stream_options->continuous_usage_stats;
  }
  bool wants_extra_field(std::string_view field) const noexcept {
    return nvext && nvext->wants(field);
  }
};

}  // namespace dynamo::openai
