// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <optional>
#include <string>

namespace dynamo::llm::detail {

/// How a template wants its messages; from its facts, and from markers of known model families.
struct MessageRules {
  /// What stands for the n-th image of a request in a template that knows only text.
  enum class Placeholder {
    none,       ///< unknown: content with media stays an array
    numbered,   ///< <|image_1|>, …: phi-3-vision and its kin
    image_tag,  ///< <image>: llava and its kin
    empty,      ///< the template only passes text through
  };
  Placeholder placeholder = Placeholder::none;
  bool content_arrays = false;     ///< text content becomes one text part
  bool walks_content = false;      ///< content with media may stay an array
  bool arguments_as_text = false;  ///< JSON text of tool calls is passed on as it is
  /// Reads some form of the reasoning; otherwise it is put before the content in <think> tags.
  bool reads_reasoning_content = false;
  bool reads_reasoning = false;
  bool reads_thinking = false;
};

/// The messages as the template wants them, or none when they are so already: text-only content
/// arrays become texts (or the other way round), media parts become {"type": "image"}, …, JSON
/// text of tool-call arguments becomes values, reasoning goes where the template looks for it.
/// Errors: Errc::invalid_argument with the path of the field.
/// Source: spec tokenizer-template B3.
Result<std::optional<Json>> normalize_messages(const Json& messages, const MessageRules& rules);

/// Tools with a description text and an object schema each, or none when they have them.
std::optional<Json> normalize_tools(const Json& tools);

}  // namespace dynamo::llm::detail
