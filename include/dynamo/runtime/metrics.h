// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::runtime {

enum class MetricType : std::uint8_t { counter, gauge, histogram };

/// A metric family, declared once as a constant. Names and labels equal the reference's.
struct MetricFamily {
  std::string name;  ///< full name, prefix included
  std::string help;
  MetricType type;
  std::vector<std::string> labels;
  std::vector<double> buckets;  ///< upper bounds, ascending, without +Inf; histograms only

  bool operator==(const MetricFamily&) const = default;
};

/// The family's row of the tables in docs/metrics.md: "| `name` | counter | `model` | help |\n".
std::string to_markdown(const MetricFamily& family);

namespace detail {

/// The row of cells this thread writes: 0 is shared by all threads that have no row of their own.
/// Threads that update often (shards, compute threads) claim one with MetricRow.
extern constinit thread_local std::uint32_t metric_row;

/// Gives the current thread a row of its own, while one of the 256 is free, until destroyed.
class MetricRow {
 public:
  MetricRow();
  MetricRow(const MetricRow&) = delete;
  MetricRow& operator=(const MetricRow&) = delete;
  ~MetricRow();

 private:
  std::uint32_t owned_ = 0;
};

/// The values of one series: a row of cells per writing thread, on cache lines of its own, summed
/// when they are read. A cell holds the bits of a double or an integer: whole amounts are added as
/// integers, which is exact and takes half the time.
struct MetricCells {
  using Cell = std::atomic<std::uint64_t>;

  std::atomic<Cell*> cells;
  std::uint32_t rows = 0;
  std::uint32_t stride = 0;  ///< cells from one row to the next
  const double* bounds = nullptr;
  std::uint32_t bound_count = 0;

  static constexpr std::size_t kSum = 0;          ///< double: amounts, or the sum of a histogram
  static constexpr std::size_t kWhole = 1;        ///< two's complement: whole amounts
  static constexpr std::size_t kFirstBucket = 1;  ///< of a histogram: bound_count + 1 integers

  /// The only writer of a row loads and stores; row 0 has many writers.
  void add(std::size_t cell, double amount) noexcept {
    Cell* const base = cells.load(std::memory_order_acquire);
    if (const std::uint32_t row = metric_row; row != 0 && row < rows) [[likely]] {
      Cell& mine = base[std::size_t{row} * stride + cell];
      const double before = std::bit_cast<double>(mine.load(std::memory_order_relaxed));
      mine.store(std::bit_cast<std::uint64_t>(before + amount), std::memory_order_relaxed);
    } else {
      add_shared(base[cell], amount);
    }
  }
  void add(std::size_t cell, std::uint64_t amount) noexcept {
    Cell* const base = cells.load(std::memory_order_acquire);
    if (const std::uint32_t row = metric_row; row != 0 && row < rows) [[likely]] {
      Cell& mine = base[std::size_t{row} * stride + cell];
      mine.store(mine.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
    } else {
      base[cell].fetch_add(amount, std::memory_order_relaxed);
    }
  }
  static void add_shared(Cell& cell, double amount) noexcept;
  double sum(std::size_t cell) const noexcept;
  std::uint64_t count(std::size_t cell) const noexcept;
  double value() const noexcept;  ///< of a counter or gauge
  void set(double value) noexcept;
};

}  // namespace detail

/// One time series of a counter or gauge. A cheap handle, valid as long as its registry: resolve
/// it once per request, not once per token. A default-constructed handle ignores updates.
/// Thread safety: any thread; on a shard an update is a plain add to the shard's own cell.
class Counter {
 public:
  Counter() noexcept = default;
  void add() noexcept { add(1U); }
  void add(std::integral auto amount) noexcept {
    if (cells_ != nullptr)
      cells_->add(detail::MetricCells::kWhole, static_cast<std::uint64_t>(amount));
  }
  void add(double amount) noexcept {
    if (cells_ != nullptr) cells_->add(detail::MetricCells::kSum, amount);
  }
  double value() const noexcept;

 private:
  friend class MetricsRegistry;
  explicit Counter(detail::MetricCells* cells) noexcept : cells_(cells) {}
  detail::MetricCells* cells_ = nullptr;
};

class Gauge {
 public:
  Gauge() noexcept = default;
  void add(std::integral auto amount) noexcept {
    if (cells_ != nullptr)
      cells_->add(detail::MetricCells::kWhole, static_cast<std::uint64_t>(amount));
  }
  void add(double amount) noexcept {
    if (cells_ != nullptr) cells_->add(detail::MetricCells::kSum, amount);
  }
  void sub(std::integral auto amount) noexcept {
    if (cells_ != nullptr)
      cells_->add(detail::MetricCells::kWhole,
                  std::uint64_t{0} - static_cast<std::uint64_t>(amount));
  }
  void sub(double amount) noexcept { add(-amount); }
  /// Replaces the value; not to be mixed with add() from other threads.
  void set(double value) noexcept;
  double value() const noexcept;

 private:
  friend class MetricsRegistry;
  explicit Gauge(detail::MetricCells* cells) noexcept : cells_(cells) {}
  detail::MetricCells* cells_ = nullptr;
};

class Histogram {
 public:
  Histogram() noexcept = default;
  /// Counts `value` in its bucket `times` times; NaN is ignored.
  void observe(double value, std::uint64_t times = 1) noexcept;
  std::uint64_t count() const noexcept;
  double sum() const noexcept;

 private:
  friend class MetricsRegistry;
  explicit Histogram(detail::MetricCells* cells) noexcept : cells_(cells) {}
  detail::MetricCells* cells_ = nullptr;
};

/// All metrics of a process, summed over shards when they are read.
///
/// Registering a family twice returns the first if they are equal and asserts otherwise. A family
/// holds at most `kSeriesLimit` series; further label values share one series labelled "other".
class MetricsRegistry {
 public:
  static constexpr std::size_t kSeriesLimit = 1000;

  MetricsRegistry();
  ~MetricsRegistry();
  MetricsRegistry(const MetricsRegistry&) = delete;
  MetricsRegistry& operator=(const MetricsRegistry&) = delete;

  /// Label values in the order of the family's labels. Any thread.
  Counter counter(const MetricFamily& family, std::initializer_list<std::string_view> labels = {});
  Gauge gauge(const MetricFamily& family, std::initializer_list<std::string_view> labels = {});
  Histogram histogram(const MetricFamily& family,
                      std::initializer_list<std::string_view> labels = {});
  /// Makes the family known before it has a series: families() lists it, expose() shows it only
  /// when it has no labels (at zero).
  void declare(const MetricFamily& family);
  /// Drops one series (a worker has left). Handles to it stay valid and are no longer shown. Waits
  /// for a function of that series that is just running.
  void remove(const MetricFamily& family, std::initializer_list<std::string_view> labels);
  /// A gauge or counter whose value is computed when the page is read. The function runs under a
  /// lock: it must not call the registry.
  void gauge_function(const MetricFamily& family, std::function<double()> read);
  void gauge_function(const MetricFamily& family, std::initializer_list<std::string_view> labels,
                      std::function<double()> read);

  /// Prometheus text exposition 0.0.4, families and series sorted by name and label values, labels
  /// sorted by name.
  std::string expose() const;
  /// Content-Type of expose().
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";
  /// Every family that was declared or used, sorted by name.
  std::vector<MetricFamily> families() const;

  /// `name` made valid: other characters than [a-zA-Z0-9_:] become '_', a leading digit gets '_'.
  static std::string sanitize(std::string_view name);
  /// At most `count` bounds: 0, then points log-spaced from min to max (without min itself),
  /// rounded to two significant digits, duplicates removed. Requires 0 < min < max.
  /// Source: lib/llm/src/http/service/metrics.rs v1.5.
  static std::vector<double> log_buckets(double min, double max, std::size_t count);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::runtime
