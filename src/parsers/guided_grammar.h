// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "parsers/grammar.h"

namespace dynamo::parsers::detail {

/// A forced tool choice whose answer the engine was told to write as JSON: the arguments object
/// (named choice) or an array of {name, parameters} (required). Engines that ignore this write
/// their native syntax, which `native` (may be null) then reads. Source: spec 7.
///
/// The JSON must come first; whatever does not turn out to be a call is the answer's text.
std::unique_ptr<Grammar> make_guided_grammar(std::string named_tool,
                                             std::unique_ptr<Grammar> native,
                                             const GrammarContext& context);

}  // namespace dynamo::parsers::detail
