// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/runtime/metrics.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

namespace dynamo::runtime::detail {

/// Row 0 and 256 rows of single threads: as many as a process may have shards.
inline constexpr std::uint32_t kMetricRows = 257;
/// The highest row that any thread has claimed so far.
std::uint32_t highest_metric_row();

/// Memory of a registry's series. Blocks of removed series are reused, never returned, because a
/// handle may be writing to one at this very moment.
///
/// Not thread-safe; the registry's lock guards it.
class MetricStorage {
 public:
  /// How long a removed series' block rests before it is given out again: a thread that had read
  /// the block's address before the removal has long finished its update by then.
  static constexpr std::chrono::seconds kRest{10};

  explicit MetricStorage(const Clock& clock = Clock::system());

  /// Zeroed cells for a series of `family`, which must outlive them; they live as long as the
  /// storage.
  MetricCells* make(const MetricFamily& family);
  /// From now on updates through `cells` are lost; its block becomes free after kRest.
  void retire(MetricCells& cells);
  std::size_t blocks() const noexcept { return blocks_.size(); }

 private:
  using Cell = MetricCells::Cell;
  struct Free {
    void operator()(Cell* block) const noexcept;
  };
  struct Resting {
    base::SteadyTime since;
    std::uint32_t stride;
    Cell* block;
  };
  Cell* block(std::uint32_t stride);
  Cell* reuse(std::uint32_t stride);

  const Clock& clock_;
  const std::uint32_t rows_;
  std::deque<MetricCells> cells_;  // stable addresses
  std::vector<std::unique_ptr<Cell[], Free>> blocks_;
  std::deque<Resting> resting_;
  std::map<std::uint32_t, Cell*> sinks_;  ///< by stride: where updates of removed series go
};

}  // namespace dynamo::runtime::detail
