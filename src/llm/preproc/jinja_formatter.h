// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/preproc/prompt_formatter.h>

namespace dynamo::llm::detail {

/// Compiles the model's chat templates: `default` for plain requests, `tool_use` for those with
/// tools when there is one.
Result<std::shared_ptr<const PromptFormatter>> make_jinja_formatter(
    const PromptFacts& facts, const PromptFormatterOptions& options);

}  // namespace dynamo::llm::detail
