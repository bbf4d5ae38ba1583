// SPDX-License-Identifier: Apache-2.0
#include <dynamo/llm/backend/backend.h>

#include <algorithm>

#include "llm/backend/choice_decoder.h"

namespace dynamo::llm {
namespace {

/// Prompt tokens that a decoder looks at (tokenizer/stream_decoder.h).
constexpr std::size_t kPromptTailTokens = 5;

}  // namespace

struct Backend::Impl {
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer;
  detail::StopRules rules;
  std::vector<detail::ChoiceDecoder> choices;
  bool wants_logprobs = false;
  bool tokens_as_ids = false;

  Impl(std::shared_ptr<const tokenizer::Tokenizer> with, const PreprocessedRequest& request)
      : tokenizer(std::move(with)),
        rules(request),
        wants_logprobs(request.output_options.logprobs.has_value()),
        tokens_as_ids(request.output_options.return_tokens_as_token_ids.value_or(false)) {
    const std::size_t n = std::max<std::size_t>(1, request.sampling_options.n.value_or(1));
    std::span<const TokenId> tail = request.token_ids;
    if (tail.size() > kPromptTailTokens) tail = tail.last(kPromptTailTokens);
    const bool skip_special = request.output_options.skip_special_tokens.value_or(true);
    choices.reserve(n);
    for (std::size_t i = 0; i < n; ++i) choices.emplace_back(tokenizer, tail, skip_special, rules);
  }

  void feed(EngineOutput& in, std::vector<BackendOutput>& out) {
    const std::uint32_t index = in.index.value_or(0);
    if (index >= choices.size()) {
      BackendOutput& bad = out.emplace_back();
      bad.index = index;
      bad.finish_reason = FinishReason{.kind = FinishReason::Kind::error,
                                       .message = "invalid choice index " + std::to_string(index)};
      return;
    }
    detail::ChoiceDecoder& choice = choices[index];
    if (choice.stopped()) {
      // Only the usage of what the client did not see is worth anything.
      if (!in.completion_usage) return;
      BackendOutput& late = out.emplace_back();
      late.index = index;
      late.completion_usage = in.completion_usage;
      return;
    }
    BackendOutput& one = out.emplace_back();
    one.index = index;
    const std::size_t counted = choice.feed(in, one, rules);
    if (wants_logprobs && in.log_probs) {
      one.logprobs = detail::token_logprobs(*tokenizer, in, counted, tokens_as_ids);
    }
    one.token_ids = std::move(in.token_ids);
    one.completion_usage = in.completion_usage;
    one.disaggregated_params = std::move(in.disaggregated_params);
    one.engine_data = std::move(in.engine_data);
    one.routing_data = std::move(in.routing_data);
  }
};

Backend::Backend(std::shared_ptr<const tokenizer::Tokenizer> tokenizer,
                 const PreprocessedRequest& request)
    : impl_(std::make_unique<Impl>(std::move(tokenizer), request)) {}
Backend::~Backend() = default;
Backend::Backend(Backend&&) noexcept = default;
Backend& Backend::operator=(Backend&&) noexcept = default;

void Backend::feed(std::span<EngineOutput> batch, std::vector<BackendOutput>& out) {
  for (EngineOutput& output : batch) impl_->feed(output, out);
}

void Backend::finish(std::vector<BackendOutput>& out) {
  for (std::size_t i = 0; i < impl_->choices.size(); ++i) {
    detail::ChoiceDecoder& choice = impl_->choices[i];
    if (choice.finished()) continue;
    std::string text;
    choice.finish(text);
    if (text.empty()) continue;
    BackendOutput& last = out.emplace_back();
    last.index = static_cast<std::uint32_t>(i);
    last.text = std::move(text);
  }
}

bool Backend::all_finished() const noexcept {
  return std::ranges::all_of(impl_->choices, &detail::ChoiceDecoder::finished) &&
         std::ranges::any_of(impl_->choices, &detail::ChoiceDecoder::stopped);
}

bool Backend::stopped(std::uint32_t index) const noexcept {
  return index < impl_->choices.size() && impl_->choices[index].stopped();
}

std::uint32_t Backend::generated_tokens() const noexcept {
  std::uint32_t sum = 0;
  for (const detail::ChoiceDecoder& choice : impl_->choices) sum += choice.generated_tokens();
  return sum;
}

}  // namespace dynamo::llm
