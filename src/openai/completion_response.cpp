// SPDX-License-Identifier: Apache-2.0
#include <dynamo/openai/completion_response.h>

#include <algorithm>

namespace dynamo::openai {
namespace {

/// {token: log-probability}, as OpenAI's SDKs and evaluation harnesses read it (the reference
/// writes a list of objects, which they do not). The chosen token is always there; of tokens with
/// the same text the first counts. Null where nothing was scored.
void write_alternatives(JsonWriter& out, const CompletionLogprob& entry) {
  if (!entry.logprob) {
    out.null();
    return;
  }
  out.begin_object();
  bool has_chosen = false;
  const auto& alternatives = entry.top_logprobs;
  for (auto one = alternatives.begin(); one != alternatives.end(); ++one) {
    const auto same = [&](const TokenLogprob& other) { return other.token == one->token; };
    if (std::any_of(alternatives.begin(), one, same)) continue;
    has_chosen = has_chosen || one->token == entry.token;
    out.member(one->token, static_cast<float>(one->logprob));
  }
  if (!has_chosen) out.member(entry.token, static_cast<float>(*entry.logprob));
  out.end_object();
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
  for (const auto& entry : logprobs) write_alternatives(out, entry);
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
