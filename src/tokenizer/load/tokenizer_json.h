// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "tokenizer/load/components.h"

namespace dynamo::tokenizer::detail {

/// Reads a tokenizer.json. The text must be valid UTF-8.
Result<Parts> read_tokenizer_json(std::string_view text, const LoadOptions& options,
                                  std::string_view config_json);

}  // namespace dynamo::tokenizer::detail
