// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/choice.h"

#include <algorithm>
#include <string>
#include <utility>

#include "engines/batching/grammar/guided_decoding.h"

namespace dynamo::engines::batching {
namespace {

/// Most answers to one prompt; the OpenAI API's limit.
constexpr std::uint32_t kChoicesMax = 128;

std::unexpected<Error> refuse(Errc code, std::string param, std::string message) {
  return fail(Error(code, std::move(message)).with_param(std::move(param)));
}

Result<void> check_supported(const llm::PreprocessedRequest& request) {
  const auto unsupported = [](const char* field) {
    return refuse(Errc::unimplemented, field,
                  std::string(field) + " is not supported by this engine");
  };
  if (request.prompt_embeds) return unsupported("prompt_embeds");
  if (request.multi_modal_data) return unsupported("multi_modal_data");
  if (request.prefill_result) return unsupported("prefill_result");
  if (request.output_options.prompt_logprobs) return unsupported("prompt_logprobs");
  const llm::SamplingOptions& sampling = request.sampling_options;
  if (sampling.use_beam_search.value_or(false)) return unsupported("use_beam_search");
  if (sampling.best_of && *sampling.best_of > sampling.n.value_or(1)) return unsupported("best_of");
  if (request.routing && request.routing->lora_name && !request.routing->lora_name->empty()) {
    return refuse(Errc::not_found, "model",
                  "this engine serves no adapter named '" + *request.routing->lora_name + "'");
  }
  return {};
}

Result<void> check_prompt(const llm::PreprocessedRequest& request, const ModelFacts& facts) {
  const auto& prompt = request.token_ids;
  if (prompt.empty()) {
    return refuse(Errc::invalid_argument, "token_ids", "the prompt has no tokens");
  }
  if (prompt.size() >= facts.context_length) {
    return fail(Error(Errc::invalid_argument,
                      "This model's maximum context length is " +
                          std::to_string(facts.context_length) +
                          " tokens. However, your prompt has " + std::to_string(prompt.size()) +
                          " tokens. Please reduce the length of the prompt.")
                    .with_reason("context_length_exceeded")
                    .with_param("messages"));
  }
  for (std::size_t i = 0; i < prompt.size(); ++i) {
    if (prompt[i] >= facts.vocabulary_tokens) {
      const std::string field = "token_ids[" + std::to_string(i) + "]";
      return refuse(Errc::invalid_argument, field,
                    field + " is " + std::to_string(prompt[i]) + "; the vocabulary has " +
                        std::to_string(facts.vocabulary_tokens) + " tokens");
    }
  }
  return {};
}

void add(std::vector<TokenId>& to, const std::vector<TokenId>& ids) {
  to.insert(to.end(), ids.begin(), ids.end());
}
void add(std::vector<TokenId>& to, const std::optional<std::vector<TokenId>>& ids) {
  if (ids) add(to, *ids);
}
void sort_unique(std::vector<TokenId>& ids) {
  std::ranges::sort(ids);
  const auto rest = std::ranges::unique(ids);
  ids.erase(rest.begin(), rest.end());
}

void set_stops(RequestState& state, const llm::PreprocessedRequest& request,
               const ModelFacts& facts) {
  const llm::StopConditions& stop = request.stop_conditions;
  add(state.stop_tokens, stop.stop_token_ids);
  add(state.stop_tokens, stop.stop_token_ids_visible);
  if (!stop.ignore_eos.value_or(false)) {
    add(state.end_tokens, request.eos_token_ids);
    add(state.end_tokens, stop.stop_token_ids_hidden);
    add(state.end_tokens, facts.end_tokens);
  }
  sort_unique(state.stop_tokens);
  sort_unique(state.end_tokens);
  add(state.early_ruled_out, state.end_tokens);
  add(state.early_ruled_out, state.stop_tokens);
}

tokens::SaltHash salt_of(const llm::PreprocessedRequest& request) {
  if (!request.routing || !request.routing->cache_salt) return tokens::kDefaultSalt;
  return tokens::request_salt({}, *request.routing->cache_salt);
}

}  // namespace

Result<std::vector<std::unique_ptr<Choice>>> make_choices(llm::PreprocessedRequest request,
                                                          const Backend& backend,
                                                          std::uint64_t default_seed,
                                                          std::unique_ptr<OutputSink> sink) {
  const ModelFacts& facts = backend.facts();
  DYN_CHECK(check_supported(request));
  DYN_CHECK(check_prompt(request, facts));
  const std::uint32_t n = request.sampling_options.n.value_or(1);
  if (n == 0 || n > kChoicesMax) {
    return refuse(Errc::invalid_argument, "n",
                  "n must be from 1 to " + std::to_string(kChoicesMax));
  }
  DYN_TRY(SamplingParameters parameters, sampling_parameters(request, default_seed));
  GuidedGrammar guided;
  if (request.sampling_options.guided_decoding) {
    DYN_TRY(guided, gbnf_of(*request.sampling_options.guided_decoding));
  }

  auto state = std::make_shared<RequestState>();
  state->prompt_tokens = static_cast<std::uint32_t>(request.token_ids.size());
  const std::uint32_t room = facts.context_length - state->prompt_tokens;
  state->max_tokens = std::min(request.stop_conditions.max_tokens.value_or(room), room);
  if (state->max_tokens == 0) {
    return refuse(Errc::invalid_argument, "max_tokens", "max_tokens must be at least 1");
  }
  state->min_tokens = request.stop_conditions.min_tokens.value_or(0);
  state->salt = salt_of(request);
  set_stops(*state, request, facts);
  state->choices_left = n;

  std::vector<std::unique_ptr<Choice>> out;
  for (std::uint32_t i = 0; i < n; ++i) {
    std::unique_ptr<Grammar> grammar;
    if (guided.field != nullptr) {
      auto made = backend.make_grammar(guided.gbnf);
      if (!made) return fail(std::move(made).error().with_param(guided.field));
      grammar = *std::move(made);
    }
    SamplingParameters own = parameters;
    own.seed += i;  // each choice is drawn on its own, and n = 1 is the first of n
    out.push_back(
        std::make_unique<Choice>(state, i, request.token_ids, std::move(own), std::move(grammar)));
  }
  state->sink = std::move(sink);
  return out;
}

}  // namespace dynamo::engines::batching
