// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/fwd.h>
#include <dynamo/llm/protocols/engine_output.h>
#include <dynamo/llm/protocols/preprocessed_request.h>
#include <dynamo/openai/chat_response.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace dynamo::llm {

using StopReason = std::variant<std::string, std::int64_t>;

/// One step of one choice after detokenization and stop handling.
struct BackendOutput {
  std::uint32_t index = 0;
  std::vector<TokenId> token_ids;  ///< as the engine sent them, hidden stop tokens included
  std::string text;                ///< new text for the client
  std::optional<FinishReason> finish_reason;
  std::optional<StopReason> stop_reason;      ///< the user's stop string or stop id that matched
  std::vector<openai::ChatLogprob> logprobs;  ///< one per token, when the request asked for them
  std::optional<CompletionUsage> completion_usage;
  std::optional<Json> disaggregated_params;
  std::optional<Json> engine_data;
  std::optional<Json> routing_data;
};

/// What an engine sends, turned into text: incremental detokenization, stop strings, stop ids,
/// min_tokens, max_tokens as a guard, log-probabilities with their text. One decoder per choice.
///
/// A stop string is held back from its first byte on, so no part of a hidden one ever reaches a
/// client; what is held is released when it turns out to be none, or at the end. After a stop
/// rule has ended a choice, further outputs for it are dropped, except that a late usage is kept;
/// what an engine sends behind its own finish reason is passed on, as the reference does.
///
/// A pure state machine, confined to one thread. Text depends on the tokens only, not on how they
/// are cut into outputs and batches.
/// Source: lib/llm/src/backend.rs (v1.5), spec llm-pipeline 5.
class Backend {
 public:
  /// Keeps what it needs of the request, which may be moved afterwards.
  Backend(std::shared_ptr<const tokenizer::Tokenizer> tokenizer,
          const PreprocessedRequest& request);
  ~Backend();
  Backend(Backend&&) noexcept;
  Backend& operator=(Backend&&) noexcept;

  /// Consumes the batch and appends what came of it.
  void feed(std::span<EngineOutput> batch, std::vector<BackendOutput>& out);
  /// The engine's stream has ended: releases what choices without a finish reason still hold.
  void finish(std::vector<BackendOutput>& out);

  /// Every choice has ended, at least one of them by a stop rule that the engine does not know of:
  /// it has to be stopped. False when the engine ended them all, since it then ends by itself.
  bool all_finished() const noexcept;
  /// The choice was ended by a stop rule here; its engine has to be stopped.
  bool stopped(std::uint32_t index) const noexcept;
  /// Tokens that the engine generated so far, over all choices.
  std::uint32_t generated_tokens() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::llm
