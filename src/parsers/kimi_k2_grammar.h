// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "parsers/grammar.h"

namespace dynamo::parsers::detail {

/// Kimi K2: sections of calls between special tokens; the model writes the ids. Source: spec 3.7.
std::unique_ptr<Grammar> make_kimi_k2_grammar(const GrammarContext& context);

}  // namespace dynamo::parsers::detail
