// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/grammar/gbnf_check.h"

#include "engines/batching/grammar/gbnf_grammar.h"

namespace dynamo::engines::batching::grammar {

Result<void> check_gbnf(std::string_view text) {
  DYN_CHECK(parse_gbnf(text));
  return {};
}

}  // namespace dynamo::engines::batching::grammar
