// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "parsers/grammar.h"

namespace dynamo::parsers::detail {

/// Inkling: blocks with a header, an optional name and a kind. Thoughts are the reasoning
/// parser's; this grammar has calls, text and media blocks.
/// With `hand_over`, no tool parser follows: blocks that are calls go to the text as they are.
/// Source: spec 3.11 and 8.6.
std::unique_ptr<Grammar> make_inkling_grammar(const GrammarContext& context, bool hand_over);

}  // namespace dynamo::parsers::detail
