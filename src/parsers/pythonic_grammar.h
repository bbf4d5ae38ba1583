// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "parsers/grammar.h"

namespace dynamo::parsers::detail {

/// Calls as a Python list: `[get_weather(city='Paris'), ping()]`. Source: spec 3.9.
std::unique_ptr<Grammar> make_pythonic_grammar(const GrammarContext& context);

}  // namespace dynamo::parsers::detail
