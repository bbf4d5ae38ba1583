// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "parsers/grammar.h"

namespace dynamo::parsers::detail {

/// MiniMax M3: nested tags, each behind a namespace token; a tag's name is the parameter's.
/// Source: spec 3.5.
std::unique_ptr<Grammar> make_minimax_m3_grammar(const GrammarContext& context);

}  // namespace dynamo::parsers::detail
