// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/preproc/prompt_formatter.h>

namespace dynamo::llm::detail {

/// DeepSeek V3.2. Source: spec tokenizer-template B6.
std::shared_ptr<const PromptFormatter> make_deepseek_v32_formatter();

}  // namespace dynamo::llm::detail
