// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "parsers/grammar.h"

namespace dynamo::parsers::detail {

/// Ids of the marks that the batch conventions of kimi_k3 read.
inline constexpr int kK3Response = 0;
inline constexpr int kK3ResponseClose = 1;
inline constexpr int kK3Tools = 2;
inline constexpr int kK3ToolsClose = 3;
inline constexpr int kK3Call = 4;
inline constexpr int kK3End = 5;
inline constexpr int kK3Other = 6;

/// Kimi K3 ("XTML"): channels between `<|open|>tag<|sep|>` and `<|close|>tag<|sep|>`; the response
/// channel is text, the tools channel holds typed arguments. Source: spec 3.10.
std::unique_ptr<Grammar> make_kimi_k3_grammar(const GrammarContext& context);

}  // namespace dynamo::parsers::detail
