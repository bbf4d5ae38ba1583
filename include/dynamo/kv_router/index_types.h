// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/kv_router/event.h>

#include <cstdint>
#include <map>
#include <vector>

namespace dynamo::kv_router {

/// What became of an event. Anything but `applied` is counted and changes nothing, except that a
/// removal applies the hashes it knows.
enum class ApplyStatus : std::uint8_t {
  applied,
  duplicate,         ///< a store of blocks that the worker already holds under these names
  parent_not_found,  ///< the emitter does not hold the parent: dropped whole
  block_not_found,   ///< a removal named a block that the emitter does not hold
  malformed,         ///< the store repeats a hash or contains its own parent: dropped whole
  over_budget,       ///< a store for which no memory can be made free: dropped whole
};

/// Per worker, the number of leading query blocks it holds contiguously from the root; workers
/// that hold none are absent.
using OverlapScores = std::map<WorkerKey, std::uint32_t>;

/// One stored block as a dump shows it, parents before children.
struct DumpedBlock {
  WorkerKey worker;
  std::optional<EngineHash> parent;
  LocalHash tokens_hash{};
  EngineHash block_hash{};
  auto operator<=>(const DumpedBlock&) const = default;
};

}  // namespace dynamo::kv_router
