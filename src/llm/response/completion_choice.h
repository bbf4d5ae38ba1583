// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/backend/backend.h>
#include <dynamo/openai/completion_response.h>

#include <cstdint>
#include <string>
#include <vector>

namespace dynamo::llm::detail {

/// One choice of a legacy completion: echoes the prompt before the first text and counts the
/// characters that text_offset tells.
class CompletionChoice {
 public:
  /// `index` is the choice's in the whole response. `echo` is the text of the prompt or empty,
  /// `echo_tokens` its tokens when log-probabilities are wanted.
  CompletionChoice(std::uint32_t index, std::string echo, std::vector<std::string> echo_tokens,
                   std::size_t top_logprobs);

  /// What the output says; its text and log-probabilities are moved out. A delta without text,
  /// log-probabilities and finish reason says nothing (is_empty).
  openai::CompletionDelta feed(BackendOutput& output);

 private:
  void add_logprob(openai::CompletionDelta& delta, openai::CompletionLogprob entry);

  std::uint32_t index_;
  std::string echo_;
  std::vector<std::string> echo_tokens_;
  std::size_t top_logprobs_;
  bool begun_ = false;
  std::uint32_t characters_ = 0;
};

inline bool is_empty(const openai::CompletionDelta& delta) noexcept {
  return delta.text.empty() && delta.logprobs.empty() && !delta.finish_reason;
}

}  // namespace dynamo::llm::detail
