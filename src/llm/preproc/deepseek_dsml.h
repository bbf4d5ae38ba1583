// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/json.h>
#include <dynamo/llm/preproc/prompt_formatter.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "llm/preproc/prompt_message.h"

/// What DeepSeek's formats since V3.2 have in common: control tokens and the DSML markup of calls.
/// Source: the encoders that DeepSeek publishes with its models (MIT), spec B6 and B7.
namespace dynamo::llm::detail::deepseek {

inline constexpr std::string_view kBos = "<｜begin▁of▁sentence｜>";
inline constexpr std::string_view kEos = "<｜end▁of▁sentence｜>";
inline constexpr std::string_view kUser = "<｜User｜>";
inline constexpr std::string_view kAssistant = "<｜Assistant｜>";
inline constexpr std::string_view kThink = "<think>";
inline constexpr std::string_view kThinkEnd = "</think>";

/// `invoke` elements, one per call, with a line break between them.
void append_invokes(std::string& out, std::span<const ToolCall> calls);

/// The schemas of tools (their `function`), one per line, without a line break at the end.
void append_tool_schemas(std::string& out, const Json::Array& tools);

/// The paragraph that asks for an answer in a schema.
void append_response_format(std::string& out, const Json& response_format);

/// Index of the last message with role user or developer, or -1.
std::ptrdiff_t last_user_index(const Json::Array& messages) noexcept;

/// The request's messages with its tools (unless tool_choice is "none") and response format put on
/// the first system message, which is made at the front when there is none. None when there is
/// nothing to put. Errors: messages that are no array.
Result<std::optional<Json>> attach_to_system(const ChatPrompt& prompt);

}  // namespace dynamo::llm::detail::deepseek
