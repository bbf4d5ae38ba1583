// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/base/log.h>
#include <dynamo/runtime/metrics.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>
#include <shared_mutex>
#include <span>
#include <unordered_map>
#include <utility>

#include "runtime/metric_storage.h"

namespace dynamo::runtime {
namespace {

using LabelValues = std::vector<std::string>;
using LabelViews = std::span<const std::string_view>;

/// Finds a series by label values without building a key.
struct LessLabels {
  using is_transparent = void;
  template <class A, class B>
  bool operator()(const A& a, const B& b) const noexcept {
    return std::lexicographical_compare(
        a.begin(), a.end(), b.begin(), b.end(),
        [](std::string_view x, std::string_view y) { return x < y; });
  }
};

/// A value that is computed when the page is read.
struct ReadFunction {
  std::mutex mutex;  ///< held while it runs, so that removing waits for it
  std::function<double()> read;
};

struct Series {
  detail::MetricCells* cells = nullptr;
  std::shared_ptr<ReadFunction> function;  // also held by expose(), which runs it without our lock
};

struct Family {
  explicit Family(const MetricFamily& f) : description(f), label_order(f.labels.size()) {
    std::iota(label_order.begin(), label_order.end(), std::size_t{0});
    std::ranges::sort(label_order, {}, [&](std::size_t i) { return f.labels[i]; });
  }
  MetricFamily description;
  std::vector<std::size_t> label_order;
  std::map<LabelValues, Series, LessLabels> series;
  bool limit_logged = false;
};

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value < 0 ? "-Inf" : "+Inf";
  } else {
    char text[512];  // no exponents, as in the reference: le="0.0001"
    const bool integer = std::abs(value) < 9007199254740992.0 && value == std::trunc(value);
    const auto end =
        integer ? std::to_chars(text, text + sizeof text, static_cast<std::int64_t>(value)).ptr
                : std::to_chars(text, text + sizeof text, value, std::chars_format::fixed).ptr;
    out.append(text, end);
  }
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

/// "{a="1",b="2"}", with `le` last when given; nothing when there is no label.
void append_labels(std::string& out, const Family& family, const LabelValues& values,
                   std::string_view le = {}) {
  if (values.empty() && le.empty()) return;
  char separator = '{';
  const auto label = [&](std::string_view name, std::string_view value) {
    out += std::exchange(separator, ',');
    out += name;
    out += "=\"";
    append_escaped(out, value, true);
    out += '"';
  };
  for (const std::size_t i : family.label_order) label(family.description.labels[i], values[i]);
  if (!le.empty()) label("le", le);
  out += '}';
}

void append_value(std::string& out, const Family& family, std::string_view suffix,
                  const LabelValues& values, double value, std::string_view le = {}) {
  out += family.description.name;
  out += suffix;
  append_labels(out, family, values, le);
  out += ' ';
  append_number(out, value);
  out += '\n';
}

void append_histogram(std::string& out, const Family& family, const LabelValues& values,
                      const detail::MetricCells& cells) {
  std::uint64_t below = 0;
  std::string le;
  for (std::size_t bucket = 0; bucket <= cells.bound_count; ++bucket) {
    below += cells.count(detail::MetricCells::kFirstBucket + bucket);
    le.clear();
    if (bucket == cells.bound_count) {
      le = "+Inf";
    } else {
      append_number(le, cells.bounds[bucket]);
    }
    append_value(out, family, "_bucket", values, static_cast<double>(below), le);
  }
  append_value(out, family, "_sum", values, cells.sum(detail::MetricCells::kSum));
  append_value(out, family, "_count", values, static_cast<double>(below));
}

std::string_view to_string(MetricType type) noexcept {
  switch (type) {
    case MetricType::counter:
      return "counter";
    case MetricType::gauge:
      return "gauge";
    case MetricType::histogram:
      return "histogram";
  }
  return "untyped";
}

void append_head(std::string& out, const MetricFamily& family) {
  out += "# HELP ";
  out += family.name;
  out += ' ';
  append_escaped(out, family.help, false);
  out += "\n# TYPE ";
  out += family.name;
  out += ' ';
  out += to_string(family.type);
  out += '\n';
}

}  // namespace

std::string to_markdown(const MetricFamily& family) {
  std::string row = "| `" + family.name + "` | ";
  row += to_string(family.type);
  row += " | ";
  for (const auto& label : family.labels) row += "`" + label + "` ";
  if (family.labels.empty()) row += "– ";
  return row + "| " + family.help + " |\n";
}

struct MetricsRegistry::Impl {
  mutable std::shared_mutex mutex;
  std::map<std::string, Family, std::less<>> families;
  detail::MetricStorage storage;

  Family& family(const MetricFamily& wanted) {
    const auto found = families.find(wanted.name);
    if (found != families.end()) {
      DYN_ASSERT(found->second.description == wanted);  // one name, two meanings
      return found->second;
    }
    DYN_ASSERT(std::ranges::is_sorted(wanted.buckets, std::less_equal<>{}));
    DYN_ASSERT(wanted.type == MetricType::histogram || wanted.buckets.empty());
    DYN_ASSERT(wanted.name == sanitize(wanted.name));
    return families.try_emplace(wanted.name, wanted).first->second;
  }

  /// The series of these labels, or "other" when the family is full. The lock is held.
  Series& series(Family& family, LabelViews labels) {
    if (const auto found = family.series.find(labels); found != family.series.end())
      return found->second;
    if (family.series.size() < kSeriesLimit)
      return family.series[LabelValues(labels.begin(), labels.end())];
    if (!std::exchange(family.limit_logged, true)) {
      DYN_LOG_WARN("runtime::metrics", "too many series, further ones are counted as other",
                   {{"family", family.description.name}});
    }
    return family.series[LabelValues(labels.size(), "other")];
  }

  detail::MetricCells* cells(const MetricFamily& wanted, MetricType type,
                             std::initializer_list<std::string_view> values) {
    DYN_ASSERT(wanted.type == type);
    DYN_ASSERT(wanted.labels.size() == values.size());
    const LabelViews labels(values.begin(), values.size());
    {
      std::shared_lock lock(mutex);
      if (const auto known = families.find(wanted.name); known != families.end()) {
        DYN_ASSERT(known->second.description == wanted);
        const auto found = known->second.series.find(labels);
        if (found != known->second.series.end() && found->second.cells != nullptr)
          return found->second.cells;
      }
    }
    std::unique_lock lock(mutex);
    Family& owner = family(wanted);
    Series& one = series(owner, labels);
    if (one.cells == nullptr) one.cells = storage.make(owner.description);
    return one.cells;
  }
};

MetricsRegistry::MetricsRegistry() : impl_(std::make_unique<Impl>()) {}
MetricsRegistry::~MetricsRegistry() = default;

Counter MetricsRegistry::counter(const MetricFamily& family,
                                 std::initializer_list<std::string_view> labels) {
  return Counter(impl_->cells(family, MetricType::counter, labels));
}
Gauge MetricsRegistry::gauge(const MetricFamily& family,
                             std::initializer_list<std::string_view> labels) {
  return Gauge(impl_->cells(family, MetricType::gauge, labels));
}
Histogram MetricsRegistry::histogram(const MetricFamily& family,
                                     std::initializer_list<std::string_view> labels) {
  return Histogram(impl_->cells(family, MetricType::histogram, labels));
}

void MetricsRegistry::declare(const MetricFamily& family) {
  std::unique_lock lock(impl_->mutex);
  Family& known = impl_->family(family);
  if (!family.labels.empty()) return;
  Series& only = impl_->series(known, {});
  if (only.cells == nullptr) only.cells = impl_->storage.make(known.description);
}

void MetricsRegistry::remove(const MetricFamily& family,
                             std::initializer_list<std::string_view> labels) {
  std::shared_ptr<ReadFunction> function;
  {
    std::unique_lock lock(impl_->mutex);
    const auto known = impl_->families.find(family.name);
    if (known == impl_->families.end()) return;
    auto& all = known->second.series;
    const auto found = all.find(LabelViews(labels.begin(), labels.size()));
    if (found == all.end()) return;
    if (found->second.cells != nullptr) impl_->storage.retire(*found->second.cells);
    function = std::move(found->second.function);
    all.erase(found);
  }
  if (!function) return;
  std::lock_guard lock(function->mutex);
  function->read = nullptr;
}

void MetricsRegistry::gauge_function(const MetricFamily& family, std::function<double()> read) {
  gauge_function(family, {}, std::move(read));
}

void MetricsRegistry::gauge_function(const MetricFamily& family,
                                     std::initializer_list<std::string_view> labels,
                                     std::function<double()> read) {
  DYN_ASSERT(family.type != MetricType::histogram);
  DYN_ASSERT(family.labels.size() == labels.size());
  auto function = std::make_shared<ReadFunction>();
  function->read = std::move(read);
  std::unique_lock lock(impl_->mutex);
  Family& known = impl_->family(family);
  impl_->series(known, LabelViews(labels.begin(), labels.size())).function = std::move(function);
}

std::string MetricsRegistry::expose() const {
  // Functions first and without our lock: they may take others.
  std::vector<std::shared_ptr<ReadFunction>> functions;
  {
    std::shared_lock lock(impl_->mutex);
    for (const auto& [name, family] : impl_->families) {
      for (const auto& [labels, series] : family.series) {
        if (series.function) functions.push_back(series.function);
      }
    }
  }
  std::unordered_map<const ReadFunction*, double> computed;
  for (const auto& function : functions) {
    std::lock_guard lock(function->mutex);
    if (function->read) computed[function.get()] = function->read();
  }

  std::string out;
  std::shared_lock lock(impl_->mutex);
  for (const auto& [name, family] : impl_->families) {
    if (family.series.empty()) continue;
    append_head(out, family.description);
    for (const auto& [labels, series] : family.series) {
      if (series.function) {
        const auto value = computed.find(series.function.get());
        if (value != computed.end()) append_value(out, family, {}, labels, value->second);
      } else if (family.description.type == MetricType::histogram) {
        append_histogram(out, family, labels, *series.cells);
      } else {
        append_value(out, family, {}, labels, series.cells->value());
      }
    }
  }
  return out;
}

std::vector<MetricFamily> MetricsRegistry::families() const {
  std::vector<MetricFamily> all;
  std::shared_lock lock(impl_->mutex);
  for (const auto& [name, family] : impl_->families) all.push_back(family.description);
  return all;
}

std::string MetricsRegistry::sanitize(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
  };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  std::string valid;
  if (name.empty() || digit(name.front())) valid += '_';
  for (const char c : name) valid += letter(c) || digit(c) ? c : '_';
  return valid;
}

std::vector<double> MetricsRegistry::log_buckets(double min, double max, std::size_t count) {
  if (count == 0) return {};
  DYN_ASSERT(min > 0 && max > min);
  std::vector<double> bounds{0};
  const double steps = static_cast<double>(count - 1);
  for (std::size_t i = 1; i < count; ++i) {
    const double point = min * std::pow(max / min, static_cast<double>(i) / steps);
    // Two significant digits in decimal, so that 0.29 is the double nearest to 0.29.
    char text[32];
    const auto end =
        std::to_chars(text, text + sizeof text, point, std::chars_format::scientific, 1).ptr;
    double rounded = 0;
    std::from_chars(text, end, rounded);
    if (rounded != bounds.back()) bounds.push_back(rounded);
  }
  return bounds;
}

}  // namespace dynamo::runtime
