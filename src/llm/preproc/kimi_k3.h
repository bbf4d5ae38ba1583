// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/preproc/prompt_formatter.h>

namespace dynamo::llm::detail {

/// Kimi K3: segments, so that text of users cannot become control tokens.
/// Source: the encoder that Moonshot AI publishes with the model, spec tokenizer-template B8.
std::shared_ptr<const PromptFormatter> make_kimi_k3_formatter();

}  // namespace dynamo::llm::detail
