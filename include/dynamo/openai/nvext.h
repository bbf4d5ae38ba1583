// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::openai {

/// What an agent framework tells about the request. Unknown members are refused.
struct AgentHints {
  std::optional<std::int32_t> priority;
  std::optional<std::uint32_t> strict_priority;
  std::optional<std::uint32_t> osl;  ///< expected output length, tokens
  std::optional<bool> speculative_prefill;
  std::optional<double> latency_sensitivity;
};

/// The `nvext` member of a request: NVIDIA's extensions. Unknown members are refused.
/// Source: spec llm-service 3.5 (v1.5).
struct NvExt {
  std::optional<bool> greed_sampling;  ///< greedy, whatever temperature and top_p say
  std::optional<bool> use_raw_prompt;
  std::vector<std::string> annotations;
  std::optional<std::uint64_t> backend_instance_id;
  std::optional<std::vector<std::uint32_t>> token_data;  ///< the prompt as token ids
  std::optional<std::uint32_t> max_thinking_tokens;
  std::optional<std::string> cache_salt;
  std::optional<std::vector<std::string>> extra_fields;
  std::optional<Json> metadata_upload;
  std::optional<std::uint64_t> prefill_worker_id;
  std::optional<std::uint64_t> decode_worker_id;
  std::optional<std::uint32_t> dp_rank;
  std::optional<std::uint32_t> prefill_dp_rank;
  std::optional<AgentHints> agent_hints;
  std::optional<double> request_timestamp_ms;
  std::optional<Json> routing_constraints;
  std::optional<Json> router;

  bool has_annotation(std::string_view name) const noexcept;
  /// Whether the response's nvext shall carry `field`.
  bool wants(std::string_view field) const noexcept;
};

}  // namespace dynamo::openai
