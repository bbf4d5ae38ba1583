// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/json.h>
#include <dynamo/openai/usage.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::openai {

/// Why a choice ended, as a client reads it.
enum class FinishReason : std::uint8_t { stop, length, content_filter, tool_calls, function_call };
std::string_view to_string(FinishReason reason) noexcept;

/// One alternative for a token, or the chosen token.
struct TokenLogprob {
  std::string token;
  double logprob = 0;
  std::optional<std::string> bytes;  ///< the token's raw bytes; none writes null
  std::optional<std::uint32_t> token_id;
};
struct ChatLogprob : TokenLogprob {
  std::vector<TokenLogprob> top_logprobs;
};

/// A piece of a tool call. The first piece of a call carries id and name; what a piece lacks is
/// left out and not written as null, since the SDKs' accumulators take null for a change.
struct ToolCallDelta {
  std::uint32_t index = 0;
  std::string id;    ///< empty: not in this piece
  std::string name;  ///< empty: not in this piece
  std::string arguments;
};

/// What one chunk says about one choice. Strings may be empty: not said.
struct ChatDelta {
  std::uint32_t index = 0;
  bool role = false;  ///< says role "assistant"
  std::string content;
  std::string reasoning;
  std::vector<ToolCallDelta> tool_calls;
  std::vector<ChatLogprob> logprobs;
  std::optional<FinishReason> finish_reason;
};

/// Writes the chunks of one stream.
///
/// All that stays the same within a stream (id, model, created and the punctuation) is rendered
/// once, so a chunk is a few copies and one escaped string. Key order and presence are those of
/// recorded 1.5.1 traffic: members of the chunk that are unset are left out; finish_reason and
/// logprobs of a choice are always written. A value type; const members are thread-safe.
class ChatChunkWriter {
 public:
  struct Options {
    std::string_view id;  ///< "chatcmpl-…"
    std::string_view model;
    std::uint32_t created = 0;
    std::string_view reasoning_field = "reasoning_content";  ///< DYN_REASONING_FIELD_NAME
  };
  explicit ChatChunkWriter(const Options& options);

  /// Appends `data: {…}\n\n`. `usage` and `nvext` (text of a JSON object; empty: none) are
  /// optional.
  void append(std::string& out, const ChatDelta& delta, const CompletionUsage* usage = nullptr,
              std::string_view nvext = {}) const;
  /// The fast way for the most frequent chunk: content only.
  void append_content(std::string& out, std::uint32_t index, std::string_view content) const;
  /// The last chunk of a stream that asked for it: `choices` is empty.
  void append_usage(std::string& out, const CompletionUsage& usage,
                    std::string_view nvext = {}) const;

 private:
  std::string head_;           // data: {"id":"…","choices":[{"index":
  std::string tail_;           // ],"created":…,"object":"chat.completion.chunk"
  std::string usage_head_;     // data: {"id":"…","choices":[
  std::string reasoning_key_;  // "reasoning_content":
  std::string content_head_;   // head_ for choice 0 up to the content
  std::string content_tail_;   // },"finish_reason":null,"logprobs":null}…\n\n
};

struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;
};

struct ChatChoice {
  std::uint32_t index = 0;
  std::string content;  ///< empty writes null
  std::string reasoning;
  std::vector<ToolCall> tool_calls;
  std::vector<ChatLogprob> logprobs;
  std::optional<FinishReason> finish_reason;
};

/// A unary answer.
struct ChatResponse {
  std::string id;
  std::string model;
  std::uint32_t created = 0;
  std::vector<ChatChoice> choices;
  std::optional<CompletionUsage> usage;
  std::string nvext;  ///< text of a JSON object; empty: none
};
std::string chat_response_body(const ChatResponse& response,
                               std::string_view reasoning_field = "reasoning_content");

/// `{"content":[…],"refusal":null}`
void write_json(JsonWriter& out, const std::vector<ChatLogprob>& logprobs);

}  // namespace dynamo::openai
