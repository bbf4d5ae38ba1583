// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/backend/backend.h>
#include <dynamo/tokenizer/stop_matcher.h>
#include <dynamo/tokenizer/stream_decoder.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace dynamo::llm::detail {

/// What a request says about the end of its choices; the same for all of them.
struct StopRules {
  explicit StopRules(const PreprocessedRequest& request);

  /// In the order in which they win over each other.
  enum class IdMeaning : std::uint8_t { none, hidden, end_of_text, visible };
  IdMeaning meaning(TokenId id) const noexcept;

  std::uint32_t min_tokens = 0;
  std::optional<std::uint32_t> max_tokens;
  std::vector<std::string> strings;
  bool strings_visible = false;

 private:
  struct StopId {
    TokenId id;
    IdMeaning meaning;
  };
  std::vector<StopId> ids_;  // sorted by id
};

/// The text of one choice: detokenizes, and ends the choice where the stop rules say so.
class ChoiceDecoder {
 public:
  ChoiceDecoder(std::shared_ptr<const tokenizer::Tokenizer> tokenizer,
                std::span<const TokenId> prompt_tail, bool skip_special, const StopRules& rules);

  /// Decodes the tokens of `in` and appends their text to `out.text`; sets the finish reason when
  /// a stop rule ends the choice, else passes on the engine's. Returns how many tokens count for
  /// the text: those behind the one that ended the choice do not.
  std::size_t feed(EngineOutput& in, BackendOutput& out, const StopRules& rules);
  /// The end of the stream: appends the text held back.
  void finish(std::string& text);

  /// A stop rule ended the choice; its engine does not know yet.
  bool stopped() const noexcept { return stopped_; }
  bool finished() const noexcept { return stopped_ || engine_finished_; }
  std::uint32_t generated_tokens() const noexcept { return generated_; }

 private:
  bool step(TokenId id, BackendOutput& out, const StopRules& rules);
  void stop(BackendOutput& out, FinishReason::Kind kind, std::optional<StopReason> reason);

  tokenizer::StreamDecoder decoder_;
  tokenizer::StopMatcher matcher_;
  std::uint32_t generated_ = 0;
  bool stopped_ = false;
  bool engine_finished_ = false;
  bool engine_text_ = false;  // the engine sends text itself
};

/// Log-probabilities of the first `count` tokens of an output, with the text and bytes of each
/// token. Tokens are shown as "token_id:<id>" when `as_ids`.
std::vector<openai::ChatLogprob> token_logprobs(const tokenizer::Tokenizer& tokenizer,
                                                const EngineOutput& output, std::size_t count,
                                                bool as_ids);

}  // namespace dynamo::llm::detail
