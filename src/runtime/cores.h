// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace dynamo::runtime {

/// Cores this process may use: its affinity mask, bounded by the CPU quota of its cgroup (v2),
/// rounded up. At least 1. Read once.
std::size_t available_cores();

/// Cores that a cgroup v2 `cpu.max` allows ("150000 100000" is 2); none when there is no quota or
/// the text is not understood.
std::optional<std::size_t> cores_of_cpu_max(std::string_view text) noexcept;

}  // namespace dynamo::runtime
