// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace dynamo::kv_router {

/// A worker process (the id of its endpoint instance).
enum class WorkerId : std::uint64_t {};
/// A data-parallel rank inside a worker; 0 when data parallelism is off.
enum class DpRank : std::uint32_t {};

/// What holds a KV cache: every map of the router is keyed on the pair.
struct WorkerKey {
  WorkerId worker{};
  DpRank rank{};
  auto operator<=>(const WorkerKey&) const = default;
};

}  // namespace dynamo::kv_router

/// @cond
template <>
struct std::hash<dynamo::kv_router::WorkerKey> {
  std::size_t operator()(const dynamo::kv_router::WorkerKey& key) const noexcept {
    // Worker ids are lease ids or small numbers: spread them over all bits.
    std::uint64_t x = static_cast<std::uint64_t>(key.worker) * 0x9e3779b97f4a7c15u +
                      static_cast<std::uint32_t>(key.rank);
    x ^= x >> 32;
    return static_cast<std::size_t>(x * 0xd6e8feb86659fd93u);
  }
};
/// @endcond
