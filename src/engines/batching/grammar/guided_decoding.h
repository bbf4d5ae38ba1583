// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/llm/protocols/preprocessed_request.h>

#include <string>

namespace dynamo::engines::batching {

/// The grammar, in GBNF with start rule `root`, of what a request's answer must look like. Empty
/// when the request leaves it open.
/// Errors, with the field as param: invalid_argument (not a schema, a grammar that is too large);
/// unimplemented (a constraint that has no grammar), naming the keyword.
Result<std::string> gbnf_of(const llm::GuidedDecoding& guided);

}  // namespace dynamo::engines::batching
