// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/base64.h>
#include <dynamo/openai/completions.h>

#include <algorithm>

#include "openai/validation.h"

namespace dynamo::openai {
namespace detail {
namespace {

constexpr std::uint32_t kLogprobsMax = 5;
constexpr std::uint32_t kBestOfMax = 20;
constexpr std::size_t kChoicesMax = 128;
constexpr std::size_t kSuffixCharactersMax = 10'000;
constexpr std::size_t kEmbedsBytesMin = 100;
constexpr std::size_t kEmbedsBytesMax = std::size_t{10} * 1024 * 1024;

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(
      utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

Result<void> check_embeds(const CompletionRequest& request) {
  const auto bytes = base::base64_decode(*request.prompt_embeds);
  if (!bytes) return invalid("prompt_embeds", "prompt_embeds must be valid base64");
  if (bytes->size() < kEmbedsBytesMin || bytes->size() > kEmbedsBytesMax) {
    return invalid("prompt_embeds", "prompt_embeds must decode to between " +
                                        std::to_string(kEmbedsBytesMin) + " and " +
                                        std::to_string(kEmbedsBytesMax) + " bytes, got " +
                                        std::to_string(bytes->size()));
  }
  return {};
}

Result<void> check_prompts(const CompletionRequest& request) {
  if (request.prompt_embeds) return check_embeds(request);
  if (request.prompts.empty()) return invalid("prompt", "Prompt array cannot be empty");
  for (std::size_t i = 0; i < request.prompts.size(); ++i) {
    const Prompt& prompt = request.prompts[i];
    const bool text = std::holds_alternative<std::string>(prompt);
    const bool empty = std::visit([](const auto& value) { return value.empty(); }, prompt);
    if (!empty) continue;
    const std::string what = text ? "Prompt string" : "Prompt token array";
    if (!request.prompt_is_list) return invalid("prompt", what + " cannot be empty");
    const std::string index = std::to_string(i);
    std::string message = what;
    message.append(" at index ").append(index).append(" cannot be empty");
    return invalid("prompt[" + index + "]", std::move(message));
  }
  if (request.total_choices() > kChoicesMax) {
    return invalid("prompt", "The number of prompts times n must be at most " +
                                 std::to_string(kChoicesMax) + ", got " +
                                 std::to_string(request.total_choices()));
  }
  return {};
}

Result<void> check_suffix(const CompletionRequest& request) {
  if (!request.suffix || characters(*request.suffix) <= kSuffixCharactersMax) return {};
  return invalid("suffix", "Suffix must have at most " + std::to_string(kSuffixCharactersMax) +
                               " characters, got " + std::to_string(characters(*request.suffix)));
}

Result<void> check_logprobs(const CompletionRequest& request) {
  if (!request.logprobs || *request.logprobs <= kLogprobsMax) return {};
  return invalid("logprobs", "Logprobs must be between 0 and " + std::to_string(kLogprobsMax) +
                                 ", got " + std::to_string(*request.logprobs));
}

Result<void> check_best_of(const CompletionRequest& request) {
  if (!request.best_of) return {};
  if (*request.best_of > kBestOfMax) {
    return invalid("best_of", "Best_of must be between 0 and " + std::to_string(kBestOfMax) +
                                  ", got " + std::to_string(*request.best_of));
  }
  if (*request.best_of < request.choices()) {
    return invalid("best_of", "Best_of must be greater than or equal to n, got best_of=" +
                                  std::to_string(*request.best_of) +
                                  " and n=" + std::to_string(request.choices()));
  }
  return {};
}

Result<void> check_all(const CompletionRequest& request) {
  DYN_CHECK(check_stream_options(request));
  DYN_CHECK(check_supported_fields(request));
  DYN_CHECK(check_model(request));
  DYN_CHECK(check_n(request));
  DYN_CHECK(check_prompts(request));
  DYN_CHECK(check_suffix(request));
  DYN_CHECK(check_output_limit("max_tokens", "Max tokens", request.max_tokens));
  DYN_CHECK(check_temperature(request));
  DYN_CHECK(check_top_p(request));
  DYN_CHECK(check_logprobs(request));
  DYN_CHECK(check_stop(request));
  DYN_CHECK(check_presence_penalty(request));
  DYN_CHECK(check_frequency_penalty(request));
  DYN_CHECK(check_best_of(request));
  DYN_CHECK(check_logit_bias(request));
  DYN_CHECK(check_user(request));
  return check_extensions(request, false);
}

}  // namespace
}  // namespace detail

Result<void> validate(const CompletionRequest& request) {
  return detail::check_all(request);
}

}  // namespace dynamo::openai
