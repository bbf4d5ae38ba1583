// SPDX-License-Identifier: Apache-2.0
#include "llm/response/usage_counter.h"

#include <limits>

namespace dynamo::llm::detail {
namespace {

std::uint32_t saturating_add(std::uint32_t a, std::uint32_t b) {
  constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();
  return a > kMax - b ? kMax : a + b;
}

void add(std::optional<std::uint32_t>& sum, const std::optional<std::uint32_t>& value) {
  if (value) sum = saturating_add(sum.value_or(0), *value);
}

}  // namespace

UsageCounter::UsageCounter(std::vector<std::uint32_t> prompt_tokens) {
  prompts_.reserve(prompt_tokens.size());
  for (const std::uint32_t tokens : prompt_tokens) {
    prompts_.push_back({.prompt_tokens = tokens});
    stats_.prompt_tokens = saturating_add(stats_.prompt_tokens, tokens);
  }
}

void UsageCounter::count(std::size_t prompt, const BackendOutput& output) {
  saw_output_ = true;
  saw_finish_ = saw_finish_ || output.finish_reason.has_value();
  completion_tokens_ =
      saturating_add(completion_tokens_, static_cast<std::uint32_t>(output.token_ids.size()));
  stats_.completion_tokens = completion_tokens_;
  if (!output.completion_usage) return;
  const openai::CompletionUsage& usage = *output.completion_usage;
  prompts_[prompt].prompt_tokens = usage.prompt_tokens;
  if (usage.prompt_tokens_details) prompts_[prompt].details = usage.prompt_tokens_details;
  if (usage.completion_tokens_details) completion_details_ = usage.completion_tokens_details;
  refresh();
}

void UsageCounter::count_detokenized(std::span<const BackendOutput> batch,
                                     std::chrono::nanoseconds took) {
  for (const BackendOutput& output : batch)
    stats_.detokenized_tokens += static_cast<std::uint32_t>(output.token_ids.size());
  stats_.detokenize_time += took;
}

void UsageCounter::refresh() {
  stats_.prompt_tokens = 0;
  stats_.cached_tokens.reset();
  for (const PromptUsage& one : prompts_) {
    stats_.prompt_tokens = saturating_add(stats_.prompt_tokens, one.prompt_tokens);
    if (one.details) add(stats_.cached_tokens, one.details->cached_tokens);
  }
}

openai::CompletionUsage UsageCounter::usage() const {
  openai::CompletionUsage sum;
  sum.prompt_tokens = stats_.prompt_tokens;
  sum.completion_tokens = completion_tokens_;
  sum.total_tokens = saturating_add(sum.prompt_tokens, sum.completion_tokens);
  for (const PromptUsage& one : prompts_) {
    if (!one.details) continue;
    if (!sum.prompt_tokens_details) sum.prompt_tokens_details.emplace();
    add(sum.prompt_tokens_details->audio_tokens, one.details->audio_tokens);
    add(sum.prompt_tokens_details->cached_tokens, one.details->cached_tokens);
  }
  sum.completion_tokens_details = completion_details_;
  if (reasoning_tokens_ > 0 && !(completion_details_ && completion_details_->reasoning_tokens)) {
    if (!sum.completion_tokens_details) sum.completion_tokens_details.emplace();
    sum.completion_tokens_details->reasoning_tokens = reasoning_tokens_;
  }
  return sum;
}

}  // namespace dynamo::llm::detail
