// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "parsers/grammar.h"

namespace dynamo::parsers::detail {

/// DeepSeek V3 (`type<sep>name`, JSON in a fence) and V3.1 (`name<sep>` and bare JSON).
/// Source: spec 3.2.
std::unique_ptr<Grammar> make_deepseek_grammar(bool fenced, const GrammarContext& context);

}  // namespace dynamo::parsers::detail
