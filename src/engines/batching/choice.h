// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/engines/batching/backend.h>
#include <dynamo/llm/protocols/preprocessed_request.h>
#include <dynamo/tokens/hash.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engines/batching/output_sink.h"
#include "engines/batching/sampler.h"

namespace dynamo::engines::batching {

/// What the choices of one request (n of them) have in common.
struct RequestState {
  std::unique_ptr<OutputSink> sink;
  tokens::SaltHash salt{};
  std::uint32_t prompt_tokens = 0;
  std::uint32_t max_tokens = 0;  ///< of one answer; at least 1, fits the context
  std::uint32_t min_tokens = 0;
  std::vector<TokenId> end_tokens;       ///< sorted; empty with ignore_eos
  std::vector<TokenId> stop_tokens;      ///< the user's, sorted
  std::vector<TokenId> early_ruled_out;  ///< both, while fewer than min_tokens are there

  std::uint32_t choices_left = 0;
  std::uint32_t completion_tokens = 0;
  std::optional<std::uint32_t> cached_tokens;  ///< of the prompt, at the first admission
  std::uint32_t reserved_outputs = 0;          ///< in the step that is being planned
  bool over = false;                           ///< its sink has ended
};

/// One answer in the making. Owned by the scheduler; moves between its waiting and running lists.
struct Choice {
  Choice(std::shared_ptr<RequestState> of, std::uint32_t number, std::vector<TokenId> prompt,
         SamplingParameters parameters, std::unique_ptr<Grammar> constraint)
      : request(std::move(of)),
        index(number),
        tokens(std::move(prompt)),
        sampler(std::move(parameters), tokens),
        grammar(std::move(constraint)) {}

  std::shared_ptr<RequestState> request;  // shared by the choices of the request
  std::uint32_t index;
  std::vector<TokenId> tokens;         ///< prompt, then the answer so far
  std::uint32_t computed = 0;          ///< leading tokens that are in the model's memory
  std::optional<SequenceId> sequence;  ///< set while running
  std::uint64_t arrival = 0;
  std::optional<base::SteadyTime> paused_since;  ///< its reader does not keep up
  Sampler sampler;
  std::unique_ptr<Grammar> grammar;
  double log_probability_sum = 0;
  bool admitted = false;  ///< at least once
  bool finished = false;  ///< to be removed at the end of the step

  std::uint32_t left() const noexcept {
    return static_cast<std::uint32_t>(tokens.size()) - computed;
  }
  std::uint32_t generated() const noexcept {
    return static_cast<std::uint32_t>(tokens.size()) - request->prompt_tokens;
  }
};

/// What admission checks before anything is computed, and turns into choices.
///
/// Errors, all with a param: invalid_argument (tokens outside the vocabulary, an empty prompt,
/// parameters out of range; reason context_length_exceeded when no token of an answer fits),
/// unimplemented for fields that this engine cannot honour.
Result<std::vector<std::unique_ptr<Choice>>> make_choices(llm::PreprocessedRequest request,
                                                          const Backend& backend,
                                                          std::uint64_t default_seed,
                                                          std::unique_ptr<OutputSink> sink);

}  // namespace dynamo::engines::batching
