// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <string_view>

namespace dynamo::engines::batching::grammar {

/// Whether a client's grammar is GBNF that llama.cpp parses: it would print a wrong one to stderr,
/// and recurse as deep as the text wants. Checks the syntax, that rules are defined, and bounds on
/// size, nesting and repetition; not left recursion, which the library reports itself.
/// Errors: invalid_argument with line and column; unimplemented for token references (<…>).
Result<void> check_gbnf(std::string_view text);

}  // namespace dynamo::engines::batching::grammar
