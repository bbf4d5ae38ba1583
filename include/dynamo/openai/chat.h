// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>
#include <dynamo/openai/generation.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::openai {

struct ToolChoice {
  enum class Kind : std::uint8_t { none, automatic, required, named };
  Kind kind = Kind::automatic;
  std::string name;  ///< for `named`
};

struct ResponseFormat {
  enum class Kind : std::uint8_t { text, json_object, json_schema };
  Kind kind = Kind::text;
  std::string name;            ///< for `json_schema`
  std::optional<Json> schema;  ///< for `json_schema`
};

/// Body of POST /v1/chat/completions.
///
/// Messages and tools stay JSON, because the template wants them so, but their structure is checked
/// and two forms are made uniform: `reasoning` of a message is renamed to `reasoning_content`, and
/// a tool call's `arguments` given as an object become a string. A value; large, so it is moved.
struct ChatRequest : GenerationRequest {
  Json messages;  ///< an array
  std::optional<Json> tools;
  std::optional<ToolChoice> tool_choice;
  Json tool_choice_json;      ///< as sent, for the template; null when absent
  Json response_format_json;  ///< as sent, for the template; null when absent
  std::optional<bool> parallel_tool_calls;
  std::optional<std::uint32_t> max_completion_tokens;
  std::optional<bool> logprobs;
  std::optional<std::uint8_t> top_logprobs;
  std::optional<ResponseFormat> response_format;
  std::optional<std::string> reasoning_effort;
  std::optional<Json> thinking;
  std::optional<Json> chat_template_args;  ///< an object; alias chat_template_kwargs
  /// As in vLLM: false leaves out the header of the answer at the prompt's end.
  std::optional<bool> add_generation_prompt;
  /// As in vLLM: the last message is the beginning of the answer.
  std::optional<bool> continue_final_message;
  std::optional<Json> media_io_kwargs;
  std::optional<Json> mm_processor_kwargs;
  std::optional<bool> store;
  std::optional<std::string> service_tier;
  bool has_functions = false;      ///< `functions` was sent: 501
  bool has_function_call = false;  ///< `function_call` was sent: 501

  bool has_tools() const noexcept {
    return tools && tools->if_array() && !tools->if_array()->empty();
  }
  /// Tools are there and tool_choice is not none.
  bool tools_enabled() const noexcept {
    return has_tools() && !(tool_choice && tool_choice->kind == ToolChoice::Kind::none);
  }
  /// max_completion_tokens, else max_tokens.
  std::optional<std::uint32_t> output_limit() const noexcept {
    return max_completion_tokens ? max_completion_tokens : max_tokens;
  }
};

/// Parses a body once: JSON (strictly, then with the reference's two repairs), then types.
/// Errors: Errc::invalid_argument "Failed to deserialize the JSON body into the target type: …"
/// with the member's path in the message and in param().
Result<ChatRequest> parse_chat_request(std::string_view body, const ParseOptions& options = {});
Result<ChatRequest> chat_request_from_json(Json body, const ParseOptions& options = {});

/// Checks what the types cannot say, in the reference's order; the first failure wins.
/// Errors: unimplemented (501) for the deprecated functions and function_call, else
/// invalid_argument "Validation: …", each with param().
Result<void> validate(const ChatRequest& request);

}  // namespace dynamo::openai
