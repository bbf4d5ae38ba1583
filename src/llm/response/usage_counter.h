// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/backend/backend.h>
#include <dynamo/llm/response/response_pipeline.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

namespace dynamo::llm::detail {

/// Counts the tokens of a response. Prompt tokens are ours until the engine says otherwise;
/// completion tokens are always those that came by; details are the engine's.
class UsageCounter {
 public:
  /// One element per prompt.
  explicit UsageCounter(std::vector<std::uint32_t> prompt_tokens);

  void count(std::size_t prompt, const BackendOutput& output);
  /// Tokens of outputs that carried reasoning; an estimate, used when the engine gives no number.
  void count_reasoning(std::size_t tokens) {
    reasoning_tokens_ += static_cast<std::uint32_t>(tokens);
  }

  /// `batch` came out of the detokenizer after `took`.
  void count_detokenized(std::span<const BackendOutput> batch, std::chrono::nanoseconds took);

  /// A finish reason was seen, so the counts are those of a whole answer.
  bool saw_finish() const noexcept { return saw_finish_; }
  bool saw_output() const noexcept { return saw_output_; }
  openai::CompletionUsage usage() const;
  const ResponseStats& stats() const noexcept { return stats_; }

 private:
  struct PromptUsage {
    std::uint32_t prompt_tokens = 0;
    std::optional<openai::PromptTokensDetails> details;
  };
  void refresh();

  std::vector<PromptUsage> prompts_;
  std::optional<openai::CompletionTokensDetails> completion_details_;
  std::uint32_t completion_tokens_ = 0;
  std::uint32_t reasoning_tokens_ = 0;
  bool saw_finish_ = false;
  bool saw_output_ = false;
  ResponseStats stats_;
};

}  // namespace dynamo::llm::detail
