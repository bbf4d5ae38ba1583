// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/llm/protocols/preprocessed_request.h>

#include <string>

namespace dynamo::engines::batching {

/// What a request's answer must look like.
struct GuidedGrammar {
  std::string gbnf;             ///< start rule `root`
  const char* field = nullptr;  ///< of the request, that asks for it; null when it leaves it open
};

/// The grammar of a request. A client's own is not looked at: whoever compiles it says what is
/// wrong with it.
/// Errors, with the field as param: invalid_argument (not a schema, a grammar that is too large);
/// unimplemented (a constraint that has no grammar), naming the keyword.
Result<GuidedGrammar> gbnf_of(const llm::GuidedDecoding& guided);

}  // namespace dynamo::engines::batching
