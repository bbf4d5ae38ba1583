// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace dynamo::llm::detail {

/// Replaces the bare words NaN, Infinity and -Infinity outside of strings by null, so that the
/// configuration files of some published models become JSON. Everything else stays as it is.
std::string without_json5_numbers(std::string_view text);

}  // namespace dynamo::llm::detail
