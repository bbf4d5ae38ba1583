// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/utf8.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <algorithm>

#include "llm/backend/choice_decoder.h"

namespace dynamo::llm::detail {
namespace {

openai::TokenLogprob describe(const tokenizer::Tokenizer& tokenizer, TokenId id, double logprob,
                              bool as_id) {
  openai::TokenLogprob entry;
  entry.logprob = logprob;
  const std::string_view bytes = tokenizer.token_bytes(id);
  entry.token = as_id ? "token_id:" + std::to_string(id) : base::to_valid_utf8(bytes);
  if (!bytes.empty()) entry.bytes = std::string(bytes);
  return entry;
}

openai::TokenLogprob describe(const tokenizer::Tokenizer& tokenizer, const TopLogprob& top,
                              bool as_id) {
  openai::TokenLogprob entry = describe(tokenizer, top.token_id, top.logprob, as_id);
  if (top.token && !as_id) entry.token = *top.token;
  if (top.bytes) entry.bytes = std::string(top.bytes->begin(), top.bytes->end());
  return entry;
}

}  // namespace

std::vector<openai::ChatLogprob> token_logprobs(const tokenizer::Tokenizer& tokenizer,
                                                const EngineOutput& output, std::size_t count,
                                                bool as_ids) {
  std::vector<openai::ChatLogprob> entries;
  if (!output.log_probs) return entries;
  count = std::min({count, output.token_ids.size(), output.log_probs->size()});
  entries.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    openai::ChatLogprob& entry = entries.emplace_back();
    static_cast<openai::TokenLogprob&>(entry) =
        describe(tokenizer, output.token_ids[i], (*output.log_probs)[i], as_ids);
    if (!output.top_logprobs || i >= output.top_logprobs->size()) continue;
    const auto& alternatives = (*output.top_logprobs)[i];
    entry.top_logprobs.reserve(alternatives.size());
    for (const TopLogprob& top : alternatives) {
      entry.top_logprobs.push_back(describe(tokenizer, top, as_ids));
    }
  }
  return entries;
}

}  // namespace dynamo::llm::detail
