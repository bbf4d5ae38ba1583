// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "parsers/grammar.h"

namespace dynamo::parsers::detail {

/// GLM-4.5 to 4.7: `<tool_call>NAME` and pairs of `<arg_key>`, `<arg_value>`. Source: spec 3.6.
std::unique_ptr<Grammar> make_glm_grammar(const GrammarContext& context);

}  // namespace dynamo::parsers::detail
