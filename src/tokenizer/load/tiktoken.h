// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "tokenizer/load/components.h"

namespace dynamo::tokenizer::detail {

/// Reads a tiktoken file: one token per line, base64 of its bytes and its rank.
/// Errors: invalid_argument naming the line, or a model type that is not known with those that are.
Result<Parts> read_tiktoken(std::string_view ranks, std::string_view model_type,
                            const LoadOptions& options, std::string_view config_json);

}  // namespace dynamo::tokenizer::detail
