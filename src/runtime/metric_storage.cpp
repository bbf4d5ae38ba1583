// SPDX-License-Identifier: Apache-2.0
#include "runtime/metric_storage.h"

#include <algorithm>
#include <new>

#include "runtime/cores.h"

namespace dynamo::runtime::detail {
namespace {

constexpr std::align_val_t kCacheLine{64};
constexpr std::uint32_t kCellsPerLine = 64 / sizeof(MetricCells::Cell);

/// Rows for the shards, the compute pool and an engine's threads; a thread whose row lies beyond
/// them uses the shared row, which is slower and as right.
std::uint32_t row_count() {
  const auto expected = static_cast<std::uint32_t>(2 * available_cores() + 8);
  return std::min(kMetricRows, 1 + std::max(expected, highest_metric_row() + 8));
}

}  // namespace

void MetricStorage::Free::operator()(Cell* block) const noexcept {
  ::operator delete[](block, kCacheLine);
}

MetricStorage::MetricStorage(const Clock& clock) : clock_(clock), rows_(row_count()) {}

MetricCells* MetricStorage::make(const MetricFamily& family) {
  const bool histogram = family.type == MetricType::histogram;
  const auto used = static_cast<std::uint32_t>(
      histogram ? MetricCells::kFirstBucket + family.buckets.size() + 1 : MetricCells::kWhole + 1);
  const std::uint32_t stride = (used + kCellsPerLine - 1) / kCellsPerLine * kCellsPerLine;
  MetricCells& cells = cells_.emplace_back();
  cells.rows = rows_;
  cells.stride = stride;
  cells.bounds = family.buckets.data();
  cells.bound_count = static_cast<std::uint32_t>(family.buckets.size());
  cells.cells.store(block(stride), std::memory_order_release);
  return &cells;
}

MetricStorage::Cell* MetricStorage::block(std::uint32_t stride) {
  if (Cell* old = reuse(stride)) return old;
  const std::size_t count = std::size_t{rows_} * stride;
  auto* fresh = new (kCacheLine) Cell[count]();
  blocks_.emplace_back(fresh);
  return fresh;
}

MetricStorage::Cell* MetricStorage::reuse(std::uint32_t stride) {
  const auto rested = clock_.now() - kRest;
  for (auto at = resting_.begin(); at != resting_.end() && at->since <= rested; ++at) {
    if (at->stride != stride) continue;
    Cell* block = at->block;
    resting_.erase(at);
    std::for_each(block, block + std::size_t{rows_} * stride,
                  [](Cell& cell) { cell.store(0, std::memory_order_relaxed); });
    return block;
  }
  return nullptr;
}

void MetricStorage::retire(MetricCells& cells) {
  auto [sink, fresh] = sinks_.try_emplace(cells.stride, nullptr);
  if (fresh) sink->second = block(cells.stride);
  Cell* block = cells.cells.exchange(sink->second, std::memory_order_acq_rel);
  resting_.push_back({clock_.now(), cells.stride, block});
}

}  // namespace dynamo::runtime::detail
