// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "parsers/grammar.h"

namespace dynamo::parsers::detail {

/// Gemma 4: `call:NAME{key:value,…}` between special tokens, with its own notation of values.
/// Source: spec 3.8.
std::unique_ptr<Grammar> make_gemma4_grammar(const GrammarContext& context);

}  // namespace dynamo::parsers::detail
