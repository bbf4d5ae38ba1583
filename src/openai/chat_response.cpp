// SPDX-License-Identifier: Apache-2.0
#include <dynamo/openai/chat_response.h>

#include <array>
#include <charconv>

namespace dynamo::openai {
namespace {

constexpr std::string_view kOpenEnd = ",\"finish_reason\":null,\"logprobs\":null}";

void append_number(std::string& out, std::uint32_t number) {
  std::array<char, 12> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out.append(text.data(), end);
}

void write_bytes(JsonWriter& out, const std::optional<std::string>& bytes) {
  out.key("bytes");
  if (!bytes) {
    out.null();
    return;
  }
  out.begin_array();
  for (const char byte : *bytes) out.value(std::uint32_t{static_cast<unsigned char>(byte)});
  out.end_array();
}

void write_members(JsonWriter& out, const TokenLogprob& entry) {
  out.member("token", std::string_view(entry.token));
  out.member("logprob", static_cast<float>(entry.logprob));
  write_bytes(out, entry.bytes);
}

void append_text_or_null(std::string& out, bool present, std::string_view text) {
  if (present) {
    base::append_json_string(out, text);
  } else {
    out += "null";
  }
}

void append_tool_call(std::string& out, const ToolCallDelta& call) {
  out += "{\"index\":";
  append_number(out, call.index);
  if (!call.id.empty()) {
    out += ",\"id\":";
    base::append_json_string(out, call.id);
    out += ",\"type\":\"function\"";
  }
  out += ",\"function\":{";
  if (!call.name.empty()) {
    out += "\"name\":";
    base::append_json_string(out, call.name);
    out += ',';
  }
  out += "\"arguments\":";
  base::append_json_string(out, call.arguments);
  out += "}}";
}

void append_finish_reason(std::string& out, const std::optional<FinishReason>& reason) {
  out += ",\"finish_reason\":";
  if (reason) {
    out.append(1, '"').append(to_string(*reason)).append(1, '"');
  } else {
    out += "null";
  }
}

void append_logprobs(std::string& out, const std::vector<ChatLogprob>& logprobs) {
  out += ",\"logprobs\":";
  if (logprobs.empty()) {
    out += "null";
  } else {
    JsonWriter writer(out);
    write_json(writer, logprobs);
  }
}

void append_extras(std::string& out, const CompletionUsage* usage, std::string_view nvext) {
  if (usage != nullptr) {
    out += ",\"usage\":";
    JsonWriter writer(out);
    write_json(writer, *usage, UnsetDetails::omitted);
  }
  if (!nvext.empty()) out.append(",\"nvext\":").append(nvext);
}

}  // namespace

std::string_view to_string(FinishReason reason) noexcept {
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::content_filter:
      return "content_filter";
    case FinishReason::tool_calls:
      return "tool_calls";
    case FinishReason::function_call:
      return "function_call";
  }
  return "stop";
}

void write_json(JsonWriter& out, const std::vector<ChatLogprob>& logprobs) {
  out.begin_object().key("content").begin_array();
  for (const ChatLogprob& entry : logprobs) {
    out.begin_object();
    write_members(out, entry);
    out.key("top_logprobs").begin_array();
    for (const TokenLogprob& alternative : entry.top_logprobs) {
      out.begin_object();
      write_members(out, alternative);
      out.end_object();
    }
    out.end_array();
    out.member_if("token_id", entry.token_id);
    out.end_object();
  }
  out.end_array().key("refusal").null().end_object();
}

ChatChunkWriter::ChatChunkWriter(const Options& options) {
  head_ = "data: {\"id\":";
  base::append_json_string(head_, options.id);
  head_ += ",\"choices\":[";
  usage_head_ = head_;
  head_ += "{\"index\":";
  tail_ = "],\"created\":";
  append_number(tail_, options.created);
  tail_ += ",\"model\":";
  base::append_json_string(tail_, options.model);
  tail_ += ",\"object\":\"chat.completion.chunk\"";
  base::append_json_string(reasoning_key_, options.reasoning_field);
  reasoning_key_ += ':';
  content_head_ = head_ + "0,\"delta\":{\"content\":";
  content_tail_.append(1, '}').append(kOpenEnd).append(tail_).append("}\n\n");
}

void ChatChunkWriter::append_content(std::string& out, std::uint32_t index,
                                     std::string_view content) const {
  if (index == 0) {
    out += content_head_;
  } else {
    out += head_;
    append_number(out, index);
    out += ",\"delta\":{\"content\":";
  }
  base::append_json_string(out, content);
  out += content_tail_;
}

void ChatChunkWriter::append(std::string& out, const ChatDelta& delta, const CompletionUsage* usage,
                             std::string_view nvext) const {
  out += head_;
  append_number(out, delta.index);
  out += ",\"delta\":{";
  std::string_view comma;
  if (!delta.content.empty()) {
    out += "\"content\":";
    base::append_json_string(out, delta.content);
    comma = ",";
  }
  if (!delta.tool_calls.empty()) {
    out.append(comma).append("\"tool_calls\":[");
    for (std::size_t i = 0; i < delta.tool_calls.size(); ++i) {
      if (i != 0) out += ',';
      append_tool_call(out, delta.tool_calls[i]);
    }
    out += ']';
    comma = ",";
  }
  if (delta.role) {
    out.append(comma).append("\"role\":\"assistant\"");
    comma = ",";
  }
  if (!delta.reasoning.empty()) {
    out.append(comma).append(reasoning_key_);
    base::append_json_string(out, delta.reasoning);
  }
  out += '}';
  append_finish_reason(out, delta.finish_reason);
  append_logprobs(out, delta.logprobs);
  out.append(1, '}').append(tail_);
  append_extras(out, usage, nvext);
  out += "}\n\n";
}

void ChatChunkWriter::append_usage(std::string& out, const CompletionUsage& usage,
                                   std::string_view nvext) const {
  out.append(usage_head_).append(tail_);
  append_extras(out, &usage, nvext);
  out += "}\n\n";
}

std::string chat_response_body(const ChatResponse& response, std::string_view reasoning_field) {
  std::string body = "{\"id\":";
  base::append_json_string(body, response.id);
  body += ",\"choices\":[";
  for (std::size_t i = 0; i < response.choices.size(); ++i) {
    const ChatChoice& choice = response.choices[i];
    body += i == 0 ? "{\"index\":" : ",{\"index\":";
    append_number(body, choice.index);
    body += ",\"message\":{\"content\":";
    append_text_or_null(body, !choice.content.empty(), choice.content);
    body += ",\"refusal\":null";
    if (!choice.tool_calls.empty()) {
      body += ",\"tool_calls\":";
      JsonWriter out(body);
      out.begin_array();
      for (const ToolCall& call : choice.tool_calls) {
        out.begin_object().member("id", std::string_view(call.id)).member("type", "function");
        out.key("function").begin_object();
        out.member("name", std::string_view(call.name));
        out.member("arguments", std::string_view(call.arguments));
        out.end_object().end_object();
      }
      out.end_array();
    }
    body += ",\"role\":\"assistant\"";
    if (!choice.reasoning.empty()) {
      body += ',';
      base::append_json_string(body, reasoning_field);
      body += ':';
      base::append_json_string(body, choice.reasoning);
    }
    body += '}';
    append_finish_reason(body, choice.finish_reason);
    append_logprobs(body, choice.logprobs);
    body += '}';
  }
  body += "],\"created\":";
  append_number(body, response.created);
  body += ",\"model\":";
  base::append_json_string(body, response.model);
  body += ",\"object\":\"chat.completion\"";
  append_extras(body, response.usage ? &*response.usage : nullptr, response.nvext);
  body += '}';
  return body;
}

}  // namespace dynamo::openai
