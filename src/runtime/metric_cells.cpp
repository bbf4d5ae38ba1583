// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/runtime/metrics.h>

#include <algorithm>
#include <bitset>
#include <cmath>
#include <mutex>

#include "runtime/metric_storage.h"

namespace dynamo::runtime::detail {

constinit thread_local std::uint32_t metric_row = 0;

namespace {

/// Rows are unique in the process, so that two shard pools never write one cell. A row that was
/// given back is given out again: the mutex orders its old owner's updates before its new one's.
struct Rows {
  std::mutex mutex;
  std::bitset<kMetricRows> taken{1};  // row 0 is everybody's
  std::uint32_t highest = 0;
};

Rows& rows() {
  static Rows instance;
  return instance;
}

}  // namespace

MetricRow::MetricRow() {
  if (metric_row != 0) return;  // nested: the outer one owns it
  auto& all = rows();
  std::lock_guard lock(all.mutex);
  for (std::uint32_t row = 1; row < kMetricRows; ++row) {
    if (all.taken[row]) continue;
    all.taken[row] = true;
    all.highest = std::max(all.highest, row);
    metric_row = owned_ = row;
    return;
  }
}

MetricRow::~MetricRow() {
  if (owned_ == 0) return;
  metric_row = 0;
  auto& all = rows();
  std::lock_guard lock(all.mutex);
  all.taken[owned_] = false;
}

std::uint32_t highest_metric_row() {
  auto& all = rows();
  std::lock_guard lock(all.mutex);
  return all.highest;
}

void MetricCells::add_shared(Cell& cell, double amount) noexcept {
  std::uint64_t seen = cell.load(std::memory_order_relaxed);
  while (!cell.compare_exchange_weak(
      seen, std::bit_cast<std::uint64_t>(std::bit_cast<double>(seen) + amount),
      std::memory_order_relaxed)) {
  }
}

double MetricCells::sum(std::size_t cell) const noexcept {
  const Cell* base = cells.load(std::memory_order_acquire);
  double total = 0;
  for (std::uint32_t row = 0; row < rows; ++row)
    total += std::bit_cast<double>(
        base[std::size_t{row} * stride + cell].load(std::memory_order_relaxed));
  return total;
}

std::uint64_t MetricCells::count(std::size_t cell) const noexcept {
  const Cell* base = cells.load(std::memory_order_acquire);
  std::uint64_t total = 0;
  for (std::uint32_t row = 0; row < rows; ++row)
    total += base[std::size_t{row} * stride + cell].load(std::memory_order_relaxed);
  return total;
}

double MetricCells::value() const noexcept {
  return sum(kSum) + static_cast<double>(static_cast<std::int64_t>(count(kWhole)));
}

void MetricCells::set(double value) noexcept {
  Cell* base = cells.load(std::memory_order_acquire);
  // What the other cells hold came from add(); the shared row's double makes up the difference.
  double others = static_cast<double>(static_cast<std::int64_t>(count(kWhole)));
  for (std::uint32_t row = 1; row < rows; ++row)
    others += std::bit_cast<double>(
        base[std::size_t{row} * stride + kSum].load(std::memory_order_relaxed));
  base[kSum].store(std::bit_cast<std::uint64_t>(value - others), std::memory_order_relaxed);
}

}  // namespace dynamo::runtime::detail

namespace dynamo::runtime {

double Counter::value() const noexcept {
  return cells_ == nullptr ? 0 : cells_->value();
}
double Gauge::value() const noexcept {
  return cells_ == nullptr ? 0 : cells_->value();
}
void Gauge::set(double value) noexcept {
  if (cells_ != nullptr) cells_->set(value);
}

void Histogram::observe(double value, std::uint64_t times) noexcept {
  if (cells_ == nullptr || std::isnan(value)) return;
  const double* const end = cells_->bounds + cells_->bound_count;
  const auto bucket =
      static_cast<std::size_t>(std::lower_bound(cells_->bounds, end, value) - cells_->bounds);
  cells_->add(detail::MetricCells::kFirstBucket + bucket, times);
  cells_->add(detail::MetricCells::kSum, value * static_cast<double>(times));
}
std::uint64_t Histogram::count() const noexcept {
  if (cells_ == nullptr) return 0;
  std::uint64_t total = 0;
  for (std::size_t bucket = 0; bucket <= cells_->bound_count; ++bucket)
    total += cells_->count(detail::MetricCells::kFirstBucket + bucket);
  return total;
}
double Histogram::sum() const noexcept {
  return cells_ == nullptr ? 0 : cells_->sum(detail::MetricCells::kSum);
}

}  // namespace dynamo::runtime
