// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>

namespace dynamo::runtime {

/// A whole number from an environment variable; none when it is unset or empty. A value that is no
/// number in [low, high] is logged with the variable's name and taken as none.
std::optional<std::size_t> size_from_environment(const char* name, std::size_t low,
                                                 std::size_t high);

}  // namespace dynamo::runtime
