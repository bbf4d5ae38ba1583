// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/json.h>
#include <dynamo/openai/chat_response.h>
#include <dynamo/openai/usage.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::openai {

/// One token of a legacy completion's logprobs.
struct CompletionLogprob {
  std::string token;
  std::optional<double> logprob;  ///< none for the first token of an echoed prompt
  std::vector<TokenLogprob> top_logprobs;
  std::uint32_t text_offset = 0;  ///< characters before the token in the choice's text
};

/// What one chunk says about one choice.
struct CompletionDelta {
  std::uint32_t index = 0;
  std::string text;
  std::vector<CompletionLogprob> logprobs;
  std::optional<FinishReason> finish_reason;
};

/// Writes the chunks of one legacy completion stream; see ChatChunkWriter.
class CompletionChunkWriter {
 public:
  struct Options {
    std::string_view id;  ///< "cmpl-…"
    std::string_view model;
    std::uint32_t created = 0;
  };
  explicit CompletionChunkWriter(const Options& options);

  void append(std::string& out, const CompletionDelta& delta,
              const CompletionUsage* usage = nullptr, std::string_view nvext = {}) const;
  /// The fast way for the most frequent chunk: text only.
  void append_text(std::string& out, std::uint32_t index, std::string_view text) const;
  void append_usage(std::string& out, const CompletionUsage& usage,
                    std::string_view nvext = {}) const;

 private:
  std::string head_;  // data: {"id":"…","choices":[
  std::string tail_;  // ],"created":…,"object":"text_completion","usage":
};

struct CompletionResponse {
  std::string id;
  std::string model;
  std::uint32_t created = 0;
  std::vector<CompletionDelta> choices;
  std::optional<CompletionUsage> usage;
  std::string nvext;  ///< text of a JSON object; empty: none
};
std::string completion_response_body(const CompletionResponse& response);

}  // namespace dynamo::openai
