// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/tokenizer/gguf.h>

#include "tokenizer/load/components.h"

namespace dynamo::tokenizer::detail {

/// Reads `tokenizer.ggml.*`. Errors: not_found naming an absent key, unimplemented naming the
/// tokenizer model or pre-tokenizer that is not known.
Result<Parts> read_gguf_vocabulary(const GgufMetadata& metadata, const LoadOptions& options);

}  // namespace dynamo::tokenizer::detail
