// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
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
};

namespace detail {
struct MetricCells;
}

/// One time series of a counter or gauge. A cheap handle, valid as long as its registry: resolve
/// it once per request, not once per token.
/// Thread safety: any thread; on a shard an update is a plain add to the shard's own cell.
class Counter {
 public:
  Counter() noexcept = default;
  void add(double amount = 1) noexcept;
  double value() const noexcept;

 private:
  friend class MetricsRegistry;
  explicit Counter(detail::MetricCells* cells) noexcept : cells_(cells) {}
  detail::MetricCells* cells_ = nullptr;
};

class Gauge {
 public:
  Gauge() noexcept = default;
  void add(double amount) noexcept;
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
  Histogram histogram(const MetricFamily& family, std::initializer_list<std::string_view> labels = {});
  /// Drops one series (a worker has left). Handles to it stay valid and are no longer shown.
  void remove(const MetricFamily& family, std::initializer_list<std::string_view> labels);
  /// A value that is computed when the page is read.
  void gauge_function(const MetricFamily& family, std::function<double()> read);

  /// Prometheus text exposition 0.0.4, families and series sorted by name and label values.
  std::string expose() const;
  std::vector<MetricFamily> families() const;

  /// `name` made valid: other characters than [a-zA-Z0-9_:] become '_', a leading digit gets '_'.
  static std::string sanitize(std::string_view name);
  /// Log-spaced buckets: `count` points from min to max rounded to two significant digits,
  /// duplicates removed, 0 in front. Source: lib/llm/src/http/service/metrics.rs v1.5.
  static std::vector<double> log_buckets(double min, double max, std::size_t count);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::runtime
