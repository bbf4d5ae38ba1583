// SPDX-License-Identifier: Apache-2.0
#include "llm/response/completion_choice.h"

#include <algorithm>

#include "llm/response/chat_delta_generator.h"

namespace dynamo::llm::detail {
namespace {

std::uint32_t characters(std::string_view utf8) {
  return static_cast<std::uint32_t>(std::ranges::count_if(
      utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

CompletionChoice::CompletionChoice(std::uint32_t index, std::string echo,
                                   std::vector<std::string> echo_tokens, std::size_t top_logprobs)
    : index_(index),
      echo_(std::move(echo)),
      echo_tokens_(std::move(echo_tokens)),
      top_logprobs_(top_logprobs) {}

void CompletionChoice::add_logprob(openai::CompletionDelta& delta,
                                   openai::CompletionLogprob entry) {
  entry.text_offset = characters_;
  characters_ += characters(entry.token);
  delta.logprobs.push_back(std::move(entry));
}

openai::CompletionDelta CompletionChoice::feed(BackendOutput& output) {
  openai::CompletionDelta delta;
  delta.index = index_;
  if (!std::exchange(begun_, true)) {
    delta.text = std::move(echo_);
    // The engine scores what it generates, not the prompt.
    for (std::string& token : echo_tokens_) add_logprob(delta, {.token = std::move(token)});
    echo_tokens_.clear();
  }
  if (delta.text.empty()) {
    delta.text = std::move(output.text);
  } else {
    delta.text += output.text;
  }
  for (openai::ChatLogprob& token : output.logprobs) {
    openai::CompletionLogprob entry{.token = std::move(token.token), .logprob = token.logprob};
    entry.top_logprobs = std::move(token.top_logprobs);
    if (entry.top_logprobs.size() > top_logprobs_) entry.top_logprobs.resize(top_logprobs_);
    add_logprob(delta, std::move(entry));
  }
  if (output.finish_reason) delta.finish_reason = client_finish_reason(*output.finish_reason);
  return delta;
}

}  // namespace dynamo::llm::detail
