// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "openai/field_path.h"

namespace dynamo::openai::detail {

/// Checks the structure of a chat request's `messages` and makes two forms uniform: `reasoning`
/// becomes `reasoning_content`, and the arguments of a tool call given as an object become its
/// text.
Result<void> check_messages(Json& messages, const FieldPath& path);

/// Checks the structure of `tools`.
Result<void> check_tools(const Json& tools, const FieldPath& path);

}  // namespace dynamo::openai::detail
