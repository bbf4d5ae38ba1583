// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/json.h>

#include <cstdint>
#include <optional>

namespace dynamo::openai {

struct PromptTokensDetails {
  std::optional<std::uint32_t> audio_tokens;
  std::optional<std::uint32_t> cached_tokens;
  bool operator==(const PromptTokensDetails&) const = default;
};

struct CompletionTokensDetails {
  std::optional<std::uint32_t> accepted_prediction_tokens;
  std::optional<std::uint32_t> audio_tokens;
  std::optional<std::uint32_t> reasoning_tokens;
  std::optional<std::uint32_t> rejected_prediction_tokens;
  bool operator==(const CompletionTokensDetails&) const = default;
};

/// Token counts of one request.
struct CompletionUsage {
  std::uint32_t prompt_tokens = 0;
  std::uint32_t completion_tokens = 0;
  std::uint32_t total_tokens = 0;
  std::optional<PromptTokensDetails> prompt_tokens_details;
  std::optional<CompletionTokensDetails> completion_tokens_details;
  bool operator==(const CompletionUsage&) const = default;
};

/// How the members of the two detail objects are written when unset: chat leaves them out, legacy
/// completions and the request plane write null. Source: recorded traffic of 1.5.1.
enum class UnsetDetails : std::uint8_t { omitted, null };

void write_json(JsonWriter& out, const CompletionUsage& usage, UnsetDetails unset);

}  // namespace dynamo::openai
