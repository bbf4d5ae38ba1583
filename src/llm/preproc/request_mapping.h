// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/model_card.h>
#include <dynamo/llm/protocols/preprocessed_request.h>
#include <dynamo/openai/generation.h>

/// The parts of a request that mean the same for an engine as for the client: no template, no
/// tokenizer. Source: spec llm-pipeline 4.2, 4.3, 4.6.
namespace dynamo::llm::detail {

/// Stop strings and ids. The model's end tokens become hidden stops; ignore_eos clears everything.
StopConditions stop_conditions(const openai::GenerationRequest& request, const ModelCard& card,
                               std::optional<std::uint32_t> max_tokens);
/// Sampling without guided decoding.
SamplingOptions sampling_options(const openai::GenerationRequest& request);
/// What the request leaves open is filled from the model's recommendations.
void apply_defaults(SamplingOptions& sampling, const GenerationDefaults& defaults);
/// The guided_* fields; none when there are none.
std::optional<GuidedDecoding> guided_decoding(const openai::GenerationRequest& request);
RoutingHints routing_hints(const openai::GenerationRequest& request);
std::optional<Json> extra_args(const openai::GenerationRequest& request);

/// Everything above, and what else both endpoints have in common, except the tokens.
PreprocessedRequest map_request(const openai::GenerationRequest& request, const ModelCard& card,
                                std::optional<std::uint32_t> max_tokens);

}  // namespace dynamo::llm::detail
