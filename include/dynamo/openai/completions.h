// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>
#include <dynamo/openai/generation.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace dynamo::openai {

/// One prompt: text or token ids.
using Prompt = std::variant<std::string, std::vector<std::uint32_t>>;

/// Body of POST /v1/completions. A value; large, so it is moved.
struct CompletionRequest : GenerationRequest {
  /// At least one, unless prompt_embeds is set. Several form a batch.
  std::vector<Prompt> prompts;
  bool prompt_is_list = false;               ///< an array of prompts was sent, even if of one
  std::optional<std::string> prompt_embeds;  ///< base64
  std::optional<std::string> suffix;
  std::optional<std::uint8_t> logprobs;
  std::optional<bool> echo;
  std::optional<std::uint8_t> best_of;

  /// Choices of the whole response: prompts times n.
  std::size_t total_choices() const noexcept {
    return (prompts.empty() ? 1 : prompts.size()) * choices();
  }
};

/// See parse_chat_request.
Result<CompletionRequest> parse_completion_request(std::string_view body,
                                                   const ParseOptions& options = {});
Result<CompletionRequest> completion_request_from_json(Json body, const ParseOptions& options = {});

/// See validate(const ChatRequest&).
Result<void> validate(const CompletionRequest& request);

}  // namespace dynamo::openai
