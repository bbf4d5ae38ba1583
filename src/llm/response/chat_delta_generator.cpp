// SPDX-License-Identifier: Apache-2.0
#include "llm/response/chat_delta_generator.h"

#include <algorithm>

namespace dynamo::llm::detail {
namespace {

using openai::ChatDelta;
using parsers::EventKind;

// Text, thought and calls go into chunks of their own, in the order in which they came.
enum class Channel : std::uint8_t { none, content, reasoning, calls };

Channel channel_of(const ChatDelta& delta) {
  if (!delta.tool_calls.empty()) return Channel::calls;
  if (!delta.reasoning.empty()) return Channel::reasoning;
  return delta.content.empty() ? Channel::none : Channel::content;
}

Channel channel_of(EventKind kind) {
  switch (kind) {
    case EventKind::text:
      return Channel::content;
    case EventKind::reasoning:
      return Channel::reasoning;
    default:
      return Channel::calls;
  }
}

void add_call_event(ChatDelta& delta, parsers::Event& event) {
  if (event.kind == EventKind::call_start) {
    delta.tool_calls.push_back({.index = event.index,
                                .id = std::move(event.id),
                                .name = std::move(event.text),
                                .arguments = {}});
    return;
  }
  if (delta.tool_calls.empty() || delta.tool_calls.back().index != event.index) {
    delta.tool_calls.push_back({.index = event.index});
  }
  delta.tool_calls.back().arguments += event.text;
}

}  // namespace

std::optional<openai::FinishReason> client_finish_reason(const FinishReason& reason) noexcept {
  switch (reason.kind) {
    case FinishReason::Kind::eos:
    case FinishReason::Kind::stop:
    case FinishReason::Kind::cancelled:
      return openai::FinishReason::stop;
    case FinishReason::Kind::length:
      return openai::FinishReason::length;
    case FinishReason::Kind::content_filter:
      return openai::FinishReason::content_filter;
    case FinishReason::Kind::error:
      break;
  }
  return std::nullopt;
}

Result<ChatDeltaGenerator> ChatDeltaGenerator::create(const ChatOutputPlan& plan,
                                                      std::size_t choices) {
  ChatDeltaGenerator generator(plan);
  generator.choices_.resize(std::max<std::size_t>(choices, 1));
  if (plan.parser) {
    for (Choice& choice : generator.choices_) {
      DYN_TRY(choice.parser, parsers::OutputParser::create(*plan.parser));
    }
  }
  return generator;
}

ChatDelta& ChatDeltaGenerator::begin_delta(std::uint32_t index, std::vector<ChatDelta>& out) {
  ChatDelta& delta = out.emplace_back();
  delta.index = index;
  delta.role = !std::exchange(choices_[index].role_sent, true);
  return delta;
}

void ChatDeltaGenerator::trim_front(Choice& choice, std::string& text) const {
  if (!plan_.json_content || choice.content_begun) return;
  text.erase(0, std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  choice.content_begun = !text.empty();
}

// Turns events_ into deltas; true when there was reasoning.
bool ChatDeltaGenerator::convert(std::uint32_t index, std::vector<ChatDelta>& out) {
  const std::size_t first = out.size();
  bool reasoning = false;
  for (parsers::Event& event : events_) {
    const Channel channel = channel_of(event.kind);
    if (event.kind == EventKind::call_end && event.complete) choices_[index].called = true;
    reasoning = reasoning || channel == Channel::reasoning;
    if (channel == Channel::calls && (plan_.drop_calls || event.kind == EventKind::call_end))
      continue;
    if (channel == Channel::content) {
      trim_front(choices_[index], event.text);
      if (event.text.empty()) continue;
    }
    const bool fits = out.size() > first && channel_of(out.back()) == channel;
    ChatDelta& delta = fits ? out.back() : begin_delta(index, out);
    if (channel == Channel::calls) {
      add_call_event(delta, event);
      continue;
    }
    std::string& text = channel == Channel::content ? delta.content : delta.reasoning;
    if (text.empty()) {
      text = std::move(event.text);
    } else {
      text += event.text;
    }
  }
  events_.clear();
  return reasoning;
}

bool ChatDeltaGenerator::feed(BackendOutput& output, std::vector<ChatDelta>& out) {
  Choice& choice = choices_[output.index];
  const std::size_t first = out.size();
  bool reasoning = false;
  if (choice.parser && !choice.finished) {
    if (!output.text.empty()) choice.parser->feed(output.text, events_);
    if (output.finish_reason) {
      const bool cut = output.finish_reason->kind == FinishReason::Kind::length;
      choice.parser->finish(events_, cut ? parsers::OutputEnd::length : parsers::OutputEnd::stop);
    }
    reasoning = convert(output.index, out);
  } else {
    trim_front(choice, output.text);
    if (!output.text.empty()) begin_delta(output.index, out).content = std::move(output.text);
  }

  const bool tokens = !output.token_ids.empty();
  const bool something =
      output.finish_reason || !output.logprobs.empty() || (tokens && !choice.role_sent);
  if (out.size() == first) {
    if (!something) return reasoning;
    begin_delta(output.index, out);
  }
  if (!output.logprobs.empty()) {
    for (openai::ChatLogprob& entry : output.logprobs) {
      if (entry.top_logprobs.size() > plan_.top_logprobs)
        entry.top_logprobs.resize(plan_.top_logprobs);
    }
    out[first].logprobs = std::move(output.logprobs);
  }
  if (output.finish_reason) {
    choice.finished = true;
    auto reason = client_finish_reason(*output.finish_reason);
    // A call that a stop string cut off is none that a client could make.
    if (reason == openai::FinishReason::stop && choice.called && !plan_.drop_calls)
      reason = openai::FinishReason::tool_calls;
    out.back().finish_reason = reason;
  }
  return reasoning;
}

void ChatDeltaGenerator::finish(std::vector<ChatDelta>& out) {
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    Choice& choice = choices_[i];
    if (!choice.parser || choice.finished) continue;
    choice.finished = true;
    choice.parser->finish(events_, parsers::OutputEnd::length);
    convert(static_cast<std::uint32_t>(i), out);
  }
}

}  // namespace dynamo::llm::detail
