// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/preproc/prompt_formatter.h>

namespace dynamo::llm::detail {

/// Inkling: segments of typed blocks. Source: spec tokenizer-template B9.
std::shared_ptr<const PromptFormatter> make_inkling_formatter();

}  // namespace dynamo::llm::detail
