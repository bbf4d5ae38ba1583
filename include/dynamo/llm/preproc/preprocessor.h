// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/base/error.h>
#include <dynamo/llm/model_card.h>
#include <dynamo/llm/protocols/preprocessed_request.h>
#include <dynamo/openai/fwd.h>
#include <dynamo/tokenizer/prefix_cache.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dynamo::llm {

/// An event that precedes the data of a stream, because the request asked for it.
struct Annotation {
  std::string event;
  std::string comment;  ///< JSON text
};

/// What the cache of prompt prefixes did for one prompt.
struct TokenizerCacheUse {
  std::size_t cached_tokens = 0;  ///< that it gave; 0: a miss
  std::size_t uncached_tokens = 0;
};

/// One prompt, ready for an engine, and what the response needs to know about it.
struct Preprocessed {
  PreprocessedRequest request;
  std::string formatted_prompt;  ///< empty when the prompt came as token ids
  std::uint32_t prompt_tokens = 0;
  std::chrono::nanoseconds template_time{};          ///< spent in the template; 0: there was none
  std::chrono::nanoseconds tokenize_time{};          ///< spent in the tokenizer; 0: ids were given
  std::optional<TokenizerCacheUse> tokenizer_cache;  ///< none when the cache was not asked
  std::vector<Annotation> annotations;
  /// The template arguments that were used, thinking normalized; none when there were none.
  std::optional<Json> template_args;
};

/// Turns OpenAI requests into token ids: template, tokenizer, stop, sampling and output options.
///
/// Pure and synchronous; several threads may use one. A caller on a shard asks estimate_cost()
/// first and goes to the compute pool when it is over 100 us.
/// Source: lib/llm/src/preprocessor.rs (v1.5), spec llm-pipeline 4; unlike it, a prompt that fills
/// the context is refused here.
class Preprocessor {
 public:
  struct Options {
    /// Fill sampling parameters that the request leaves open from generation_config.json. For
    /// in-process engines; workers apply their own.
    bool apply_generation_defaults = false;
    /// Add extra_args.last_user_token_ids, for engines whose info() asks for them.
    bool add_last_user_tokens = false;
    /// A completion with `echo` also asks the engine for the prompt's log-probabilities, as the
    /// reference does; off for engines that have none.
    bool echo_asks_for_prompt_logprobs = true;
    /// Remember the tokens of prompt prefixes (docs/configuration.md, DYN_TOKENIZER_CACHE…).
    tokenizer::PrefixCacheOptions prefix_cache{.enabled = false};
    const Clock* clock = &Clock::system();  ///< measures template_time and tokenize_time
  };
  explicit Preprocessor(ModelCardPtr card) : Preprocessor(std::move(card), Options{}) {}
  Preprocessor(ModelCardPtr card, Options options);

  /// Errors: invalid_argument: the template's own message (raise_exception verbatim), or "This
  /// model's maximum context length is …" with reason context_length_exceeded and param
  /// "messages"; unavailable when the model has no working chat template.
  Result<Preprocessed> preprocess(const openai::ChatRequest& request) const;
  /// The prompt at `prompt_index` of a batch; 0 when prompt_embeds is set.
  Result<Preprocessed> preprocess(const openai::CompletionRequest& request,
                                  std::size_t prompt_index) const;

  /// Rough CPU time that preprocess() will take, from the sizes alone.
  std::chrono::nanoseconds estimate_cost(const openai::ChatRequest& request) const noexcept;
  std::chrono::nanoseconds estimate_cost(const openai::CompletionRequest& request,
                                         std::size_t prompt_index) const noexcept;

  const ModelCard& card() const noexcept { return *card_; }

 private:
  ModelCardPtr card_;
  Options options_;
  std::shared_ptr<tokenizer::PrefixCache> prefix_cache_;  ///< null: none; shared by copies
};

}  // namespace dynamo::llm
