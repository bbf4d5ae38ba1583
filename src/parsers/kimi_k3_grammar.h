// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "parsers/grammar.h"

namespace dynamo::parsers::detail {

/// Ids of the marks that the batch conventions of kimi_k3 read.
enum KimiK3Mark : int {
  kK3Response,
  kK3ResponseClose,
  kK3Tools,
  kK3ToolsClose,
  kK3Call,
  kK3End,
  kK3Other
};

/// Kimi K3 ("XTML"): channels between `<|open|>tag<|sep|>` and `<|close|>tag<|sep|>`; the response
/// channel is text, the tools channel holds typed arguments. Source: spec 3.10.
std::unique_ptr<Grammar> make_kimi_k3_grammar(const GrammarContext& context);

}  // namespace dynamo::parsers::detail
