// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Reading the messages of a chat request, for the formats that are written in code.
namespace dynamo::llm::detail {

/// The member's text, or empty.
std::string_view text_member(const Json& object, std::string_view name) noexcept;
/// The member when it is there and not null.
const Json* present_member(const Json& object, std::string_view name) noexcept;
/// The member when it is a non-empty array.
const Json::Array* list_member(const Json& object, std::string_view name) noexcept;

/// Reasoning of an assistant message: a text is one segment, a list of texts several.
std::vector<std::string_view> reasoning_segments(const Json& message);
/// The segments joined by line breaks.
std::string joined_reasoning(const Json& message);

/// One entry of `tool_calls`.
struct ToolCall {
  std::string_view id;
  std::string_view name;
  std::optional<Json> arguments;  ///< an object; none when the text is not JSON
  std::string raw;                ///< the text as given, when it is not JSON
};
/// Errors: Errc::invalid_argument for a call without a name, or arguments that are JSON but no
/// object; `path` is the message's, as in "messages[2]".
Result<std::vector<ToolCall>> read_tool_calls(const Json& message, const std::string& path);

/// "messages[i]"
std::string message_path(std::size_t index);
/// An error about one message or a part of it.
std::unexpected<Error> fail_message(const std::string& path, std::string_view what);

/// Whether the template arguments turn thinking on or off: the first of `thinking` and
/// `enable_thinking` that is a boolean, then `thinking_mode` "chat" or "thinking".
bool is_thinking(const Json* template_args, bool otherwise) noexcept;

/// `reasoning_effort` of the request or of the template arguments, whichever is there.
const Json* reasoning_effort_of(const Json* request_effort, const Json* template_args) noexcept;

}  // namespace dynamo::llm::detail
