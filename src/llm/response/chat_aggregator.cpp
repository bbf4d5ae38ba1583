// SPDX-License-Identifier: Apache-2.0
#include "llm/response/chat_aggregator.h"

#include <dynamo/base/log.h>

#include <algorithm>
#include <iterator>

namespace dynamo::llm::detail {
namespace {

void add_calls(openai::ChatChoice& choice, std::vector<openai::ToolCallDelta>& pieces) {
  for (openai::ToolCallDelta& piece : pieces) {
    // Indexes are numbered from 0 without gaps (parsers/event.h).
    if (piece.index >= choice.tool_calls.size())
      choice.tool_calls.resize(piece.index + std::size_t{1});
    openai::ToolCall& call = choice.tool_calls[piece.index];
    if (call.id.empty()) call.id = std::move(piece.id);
    if (call.name.empty()) call.name = std::move(piece.name);
    call.arguments += piece.arguments;
  }
}

void append(std::string& to, std::string& from) {
  if (to.empty()) {
    to = std::move(from);
  } else {
    to += from;
  }
}

}  // namespace

openai::ChatChoice& ChatAggregator::choice(std::uint32_t index) {
  const auto it = std::ranges::lower_bound(choices_, index, {}, &openai::ChatChoice::index);
  if (it != choices_.end() && it->index == index) return *it;
  openai::ChatChoice& added = *choices_.emplace(it);
  added.index = index;
  return added;
}

void ChatAggregator::add(std::span<openai::ChatDelta> deltas) {
  for (openai::ChatDelta& delta : deltas) {
    openai::ChatChoice& to = choice(delta.index);
    append(to.content, delta.content);
    append(to.reasoning, delta.reasoning);
    add_calls(to, delta.tool_calls);
    std::ranges::move(delta.logprobs, std::back_inserter(to.logprobs));
    if (delta.finish_reason) to.finish_reason = delta.finish_reason;
  }
}

std::vector<openai::ChatChoice> ChatAggregator::take() {
  for (openai::ChatChoice& one : choices_) {
    const auto removed = std::erase_if(one.tool_calls, [](const openai::ToolCall& call) {
      return call.id.empty() || call.name.empty();
    });
    if (removed > 0) {
      DYN_LOG_WARN("llm::response", "tool_calls_without_name_dropped",
                   {{"count", static_cast<std::uint64_t>(removed)}});
    }
  }
  return std::move(choices_);
}

}  // namespace dynamo::llm::detail
