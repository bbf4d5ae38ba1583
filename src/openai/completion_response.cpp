// SPDX-License-Identifier: Apache-2.0
#include <dynamo/openai/completion_response.h>

namespace dynamo::openai {
namespace {

void write_alternatives(JsonWriter& out, const std::vector<TokenLogprob>& alternatives) {
  out.begin_array();
  for (const TokenLogprob& alternative : alternatives) {
    out.begin_object();
    out.member("token", std::string_view(alternative.token));
    out.member("logprob", static_cast<float>(alternative.logprob));
    out.key("bytes");
    if (alternative.bytes) {
      out.begin_array();
      for (const char byte : *alternative.bytes) {
        out.value(std::uint32_t{static_cast<unsigned char>(byte)});
      }
      out.end_array();
    } else {
      out.null();
    }
    out.end_object();
  }
  out.end_array();
}

void write_logprobs(JsonWriter& out, const std::vector<CompletionLogprob>& logprobs) {
  out.begin_object();
  out.key("tokens").begin_array();
  for (const auto& entry : logprobs) out.value(std::string_view(entry.token));
  out.end_array().key("token_logprobs").begin_array();
  for (const auto& entry : logprobs) {
    if (entry.logprob) {
      out.value(static_cast<float>(*entry.logprob));
    } else {
      out.null();
    }
  }
  out.end_array().key("top_logprobs").begin_array();
  for (const auto& entry : logprobs) write_alternatives(out, entry.top_logprobs);
  out.end_array().key("text_offset").begin_array();
  for (const auto& entry : logprobs) out.value(entry.text_offset);
  out.end_array();
  out.end_object();
}

void append_choice(std::string& out, const CompletionDelta& delta) {
  JsonWriter writer(out);
  writer.begin_object();
  writer.member("text", std::string_view(delta.text));
  writer.member("index", delta.index);
  if (!delta.logprobs.empty()) {
    writer.key("logprobs");
    write_logprobs(writer, delta.logprobs);
  }
  if (delta.finish_reason) writer.member("finish_reason", to_string(*delta.finish_reason));
  writer.end_object();
}

void append_end(std::string& out, const CompletionUsage* usage, std::string_view nvext) {
  if (usage != nullptr) {
    JsonWriter writer(out);
    write_json(writer, *usage, UnsetDetails::null);
  } else {
    out += "null";
  }
  if (!nvext.empty()) out.append(",\"nvext\":").append(nvext);
  out += '}';
}

std::string render_tail(std::uint32_t created, std::string_view model) {
  std::string tail = "],\"created\":" + std::to_string(created) + ",\"model\":";
  base::append_json_string(tail, model);
  tail += ",\"system_fingerprint\":null,\"object\":\"text_completion\",\"usage\":";
  return tail;
}

}  // namespace

CompletionChunkWriter::CompletionChunkWriter(const Options& options) {
  head_ = "data: {\"id\":";
  base::append_json_string(head_, options.id);
  head_ += ",\"choices\":[";
  tail_ = render_tail(options.created, options.model);
}

void CompletionChunkWriter::append_text(std::string& out, std::uint32_t index,
                                        std::string_view text) const {
  out.append(head_).append("{\"text\":");
  base::append_json_string(out, text);
  if (index == 0) {
    out += ",\"index\":0}";
  } else {
    out.append(",\"index\":").append(std::to_string(index)).append(1, '}');
  }
  out.append(tail_).append("null}\n\n");
}

void CompletionChunkWriter::append(std::string& out, const CompletionDelta& delta,
                                   const CompletionUsage* usage, std::string_view nvext) const {
  out += head_;
  append_choice(out, delta);
  out += tail_;
  append_end(out, usage, nvext);
  out += "\n\n";
}

void CompletionChunkWriter::append_usage(std::string& out, const CompletionUsage& usage,
                                         std::string_view nvext) const {
  out.append(head_).append(tail_);
  append_end(out, &usage, nvext);
  out += "\n\n";
}

std::string completion_response_body(const CompletionResponse& response) {
  std::string body = "{\"id\":";
  base::append_json_string(body, response.id);
  body += ",\"choices\":[";
  for (std::size_t i = 0; i < response.choices.size(); ++i) {
    if (i != 0) body += ',';
    append_choice(body, response.choices[i]);
  }
  body += render_tail(response.created, response.model);
  append_end(body, response.usage ? &*response.usage : nullptr, response.nvext);
  return body;
}

}  // namespace dynamo::openai
