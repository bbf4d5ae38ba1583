// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/llm/protocols/engine_output.h>
#include <dynamo/tokenizer/fwd.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::engines::replay {

/// What a model once said, one answer per line of a JSON Lines file:
///
///   {"match": "weather", "text": "<tool_call>\n{\"name\": …}</tool_call><|im_end|>"}
///   {"text": "I do not know.", "finish_reason": "length", "delay_ms": 20}
///
/// Members: `text`, in which special tokens are recognised, or `token_ids`; `match` (default "");
/// `finish_reason` stop (default), length or content_filter; `delay_ms` between tokens (default 0:
/// all at once), at most 3,600,000. Blank lines count as lines and are skipped.
///
/// A value; immutable once parsed, so const access is safe from any thread.
class Recording {
 public:
  struct Answer {
    std::string match;
    std::vector<llm::TokenId> tokens;
    llm::FinishReason::Kind finish = llm::FinishReason::Kind::stop;
    std::chrono::milliseconds delay{0};
  };

  static constexpr std::size_t kFileLimitBytes = std::size_t{16} << 20;
  static constexpr std::size_t kAnswersMax = 1000;
  static constexpr std::size_t kAnswerTokensMax = 100'000;
  static constexpr std::size_t kMatchBytesMax = 1000;

  /// Errors: Errc::invalid_argument naming line and member: broken JSON, an unknown member, a value
  /// of the wrong kind or over its limit, a second answer with the same `match`, no answer at all.
  static Result<Recording> parse(std::string_view text, const tokenizer::Tokenizer& tokenizer);

  /// The answer whose `match` stands latest in the prompt, so that the last message decides; of
  /// several that end at the same byte, the longest. An empty `match` answers what no other does.
  /// Null when nothing matches.
  const Answer* find(std::string_view prompt) const;

  const std::vector<Answer>& answers() const noexcept { return answers_; }

 private:
  std::vector<Answer> answers_;
};

}  // namespace dynamo::engines::replay
