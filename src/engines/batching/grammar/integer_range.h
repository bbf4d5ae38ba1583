// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engines/batching/grammar/gbnf_rules.h"

namespace dynamo::engines::batching::grammar {

/// The body that matches the decimal integers from `min` to `max` (none: unbounded, at most 18
/// digits), without leading zeros. min <= max.
std::string integer_range_to_gbnf(std::optional<std::int64_t> min, std::optional<std::int64_t> max,
                                  GbnfRules& rules);

}  // namespace dynamo::engines::batching::grammar
