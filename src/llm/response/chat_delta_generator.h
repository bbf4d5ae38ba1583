// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/backend/backend.h>
#include <dynamo/openai/chat_response.h>
#include <dynamo/parsers/output_parser.h>

#include <memory>
#include <optional>
#include <vector>

namespace dynamo::llm::detail {

/// How the text of a chat answer is split.
struct ChatOutputPlan {
  /// None: the text is the content. The tools that it points to outlive the generator.
  std::optional<parsers::ParserOptions> parser;
  /// Calls never reach the client.
  bool drop_calls = false;
  /// The answer is JSON: white space in front of it is dropped. A thought often leaves some, and
  /// the Node SDK's streaming helper fails on content that is nothing else.
  bool json_content = false;
  /// Alternatives shown per token, at most.
  std::size_t top_logprobs = 0;
};

/// From text to what chat chunks say: answer, thought and calls of each choice, its role on the
/// first chunk, its finish reason on the last. State is per choice; a pure state machine.
class ChatDeltaGenerator {
 public:
  static Result<ChatDeltaGenerator> create(const ChatOutputPlan& plan, std::size_t choices);

  /// Appends what `output` says; its text, log-probabilities are moved out. Nothing is appended for
  /// an output that says nothing. Returns whether it carried reasoning.
  bool feed(BackendOutput& output, std::vector<openai::ChatDelta>& out);
  /// The engine's stream has ended: releases what the parsers of unfinished choices hold.
  void finish(std::vector<openai::ChatDelta>& out);
  /// The choice's role has been said.
  bool has_begun(std::uint32_t index) const noexcept { return choices_[index].role_sent; }

 private:
  struct Choice {
    std::unique_ptr<parsers::OutputParser> parser;
    bool role_sent = false;
    bool finished = false;
    bool content_begun = false;
    bool called = false;  ///< a call is complete
  };
  explicit ChatDeltaGenerator(const ChatOutputPlan& plan) : plan_(plan) {}
  openai::ChatDelta& begin_delta(std::uint32_t index, std::vector<openai::ChatDelta>& out);
  /// Takes white space off the front of a JSON answer.
  void trim_front(Choice& choice, std::string& text) const;
  bool convert(std::uint32_t index, std::vector<openai::ChatDelta>& out);

  ChatOutputPlan plan_;
  std::vector<Choice> choices_;
  std::vector<parsers::Event> events_;
};

/// Why a choice ended, in the client's words; `error` has none.
std::optional<openai::FinishReason> client_finish_reason(const FinishReason& reason) noexcept;

}  // namespace dynamo::llm::detail
