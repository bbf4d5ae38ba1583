// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/preproc/prompt_formatter.h>

namespace dynamo::llm::detail {

/// DeepSeek V4. Source: spec tokenizer-template B7.
std::shared_ptr<const PromptFormatter> make_deepseek_v4_formatter();

}  // namespace dynamo::llm::detail
