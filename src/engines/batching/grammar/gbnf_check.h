// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <string_view>

namespace dynamo::engines::batching::grammar {

/// Whether a client's grammar is one, without keeping it. Errors: those of parse_gbnf().
Result<void> check_gbnf(std::string_view text);

}  // namespace dynamo::engines::batching::grammar
