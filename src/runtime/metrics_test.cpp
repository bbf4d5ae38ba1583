// SPDX-License-Identifier: Apache-2.0
#include <dynamo/runtime/metrics.h>

#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/metric_storage.h"

namespace dynamo::runtime {
namespace metrics_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const MetricFamily kRequests{
    "test_requests_total", "Requests", MetricType::counter, {"model", "code"}, {}};
const MetricFamily kActive{"test_active", "Active", MetricType::gauge, {}, {}};
const MetricFamily kSeconds{"test_seconds", "Time", MetricType::histogram, {}, {0.1, 1, 2.5}};

TEST(MetricsRegistry, WritesBoundsWithoutExponents) {
  MetricsRegistry registry;
  registry
      .histogram({.name = "h",
                  .help = "h",
                  .type = MetricType::histogram,
                  .labels = {},
                  .buckets = {0.00001}})
      .observe(2e-7);
  EXPECT_NE(registry.expose().find("h_bucket{le=\"0.00001\"} 1\n"), std::string::npos);
  EXPECT_NE(registry.expose().find("h_sum 0.0000002\n"), std::string::npos);
}

TEST(Metrics, ExpositionIsPrometheusText) {
  MetricsRegistry registry;
  registry.counter(kRequests, {"b", "200"}).add(3);
  registry.counter(kRequests, {"a", "500"}).add(0.5);
  registry.counter(kRequests, {"a", "200"}).add();
  registry.gauge(kActive).add(-2);
  auto seconds = registry.histogram(kSeconds);
  seconds.observe(0.1);  // on the bound: belongs to it
  seconds.observe(0.5, 2);
  seconds.observe(100);
  EXPECT_EQ(registry.expose(),
            "# HELP test_active Active\n"
            "# TYPE test_active gauge\n"
            "test_active -2\n"
            "# HELP test_requests_total Requests\n"
            "# TYPE test_requests_total counter\n"
            "test_requests_total{code=\"200\",model=\"a\"} 1\n"
            "test_requests_total{code=\"500\",model=\"a\"} 0.5\n"
            "test_requests_total{code=\"200\",model=\"b\"} 3\n"
            "# HELP test_seconds Time\n"
            "# TYPE test_seconds histogram\n"
            "test_seconds_bucket{le=\"0.1\"} 1\n"
            "test_seconds_bucket{le=\"1\"} 3\n"
            "test_seconds_bucket{le=\"2.5\"} 3\n"
            "test_seconds_bucket{le=\"+Inf\"} 4\n"
            "test_seconds_sum 101.1\n"
            "test_seconds_count 4\n");
}

TEST(Metrics, HelpAndLabelValuesAreEscaped) {
  MetricsRegistry registry;
  const MetricFamily family{"test_total", "a \\ \"b\"\nc", MetricType::counter, {"l"}, {}};
  registry.counter(family, {"x\\y\"z\nw"}).add();
  EXPECT_EQ(registry.expose(),
            "# HELP test_total a \\\\ \"b\"\\nc\n"
            "# TYPE test_total counter\n"
            "test_total{l=\"x\\\\y\\\"z\\nw\"} 1\n");
}

TEST(Metrics, NumbersThatAreNotFiniteHavePrometheusNames) {
  MetricsRegistry registry;
  auto gauge = registry.gauge(kActive);
  gauge.set(std::numeric_limits<double>::quiet_NaN());
  EXPECT_THAT(registry.expose(), HasSubstr("test_active NaN\n"));
  gauge.set(0);
  gauge = registry.gauge(kActive);
  MetricsRegistry other;
  other.gauge(kActive).set(-std::numeric_limits<double>::infinity());
  EXPECT_THAT(other.expose(), HasSubstr("test_active -Inf\n"));
}

TEST(Metrics, HistogramWithLabelsPutsLeLast) {
  MetricsRegistry registry;
  const MetricFamily family{"test_s", "s", MetricType::histogram, {"z", "a"}, {}};
  registry.histogram(family, {"1", "2"}).observe(3);
  EXPECT_THAT(registry.expose(), HasSubstr("test_s_bucket{a=\"2\",z=\"1\",le=\"+Inf\"} 1\n"
                                           "test_s_sum{a=\"2\",z=\"1\"} 3\n"
                                           "test_s_count{a=\"2\",z=\"1\"} 1\n"));
}

TEST(Metrics, SameLabelsGiveTheSameSeries) {
  MetricsRegistry registry;
  registry.counter(kRequests, {"a", "200"}).add();
  registry.counter(kRequests, {"a", "200"}).add();
  EXPECT_EQ(registry.counter(kRequests, {"a", "200"}).value(), 2);
}

TEST(Metrics, UpdatesOfAllThreadsAreSummed) {
  MetricsRegistry registry;
  auto counter = registry.counter(kRequests, {"a", "200"});
  auto histogram = registry.histogram(kSeconds);
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([=]() mutable {
      std::optional<detail::MetricRow> row;
      if (t < 3) row.emplace();  // the others share row 0
      for (int i = 0; i < 1000; ++i) {
        counter.add();
        histogram.observe(0.5);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 6000);
  EXPECT_EQ(histogram.count(), 6000u);
  EXPECT_EQ(histogram.sum(), 3000);
}

TEST(Metrics, RowOfAThreadThatEndedIsGivenOutAgainAndKeepsItsCounts) {
  MetricsRegistry registry;
  auto counter = registry.counter(kRequests, {"a", "200"});
  std::uint32_t rows[2] = {};
  for (std::uint32_t& row : rows) {
    std::thread([&] {
      const detail::MetricRow mine;
      row = detail::metric_row;
      counter.add();
    }).join();
  }
  EXPECT_EQ(rows[0], rows[1]);
  EXPECT_NE(rows[0], 0u);
  EXPECT_EQ(counter.value(), 2);
}

TEST(Metrics, ThreadsBeyondTheRowsOfASeriesCountToo) {
  std::vector<std::unique_ptr<detail::MetricRow>> unused;
  MetricsRegistry registry;
  auto counter = registry.counter(kRequests, {"a", "200"});
  detail::metric_row = detail::kMetricRows - 1;  // as if 255 threads had come before
  counter.add(2);
  detail::metric_row = 0;
  EXPECT_EQ(counter.value(), 2);
}

TEST(Metrics, GaugeSetReplacesWhatWasAdded) {
  MetricsRegistry registry;
  auto gauge = registry.gauge(kActive);
  std::thread([gauge]() mutable {
    const detail::MetricRow row;
    gauge.add(5);
  }).join();
  gauge.add(2);
  EXPECT_EQ(gauge.value(), 7);
  gauge.set(3);
  EXPECT_EQ(gauge.value(), 3);
  gauge.sub(1);
  EXPECT_EQ(gauge.value(), 2);
}

TEST(Metrics, DefaultConstructedHandlesIgnoreUpdates) {
  Counter counter;
  Gauge gauge;
  Histogram histogram;
  counter.add();
  gauge.set(1);
  histogram.observe(1);
  EXPECT_EQ(counter.value() + gauge.value() + histogram.sum(), 0);
}

TEST(Metrics, SeriesAboveTheLimitShareOne) {
  MetricsRegistry registry;
  for (std::size_t i = 0; i < MetricsRegistry::kSeriesLimit + 10; ++i)
    registry.counter(kRequests, {std::to_string(i), "200"}).add();
  EXPECT_EQ(registry.counter(kRequests, {"other", "other"}).value(), 10);
  EXPECT_EQ(registry.counter(kRequests, {"5", "200"}).value(), 1);
}

TEST(Metrics, RemovedSeriesIsNotShownAndBeginsAnewWhenItReturns) {
  MetricsRegistry registry;
  auto old = registry.counter(kRequests, {"a", "200"});
  old.add(5);
  registry.remove(kRequests, {"a", "200"});
  EXPECT_EQ(registry.expose(), "");
  old.add();  // still safe
  auto fresh = registry.counter(kRequests, {"a", "200"});
  fresh.add();
  old.add();
  EXPECT_EQ(fresh.value(), 1);
  registry.remove(kRequests, {"never", "there"});
}

TEST(Metrics, MemoryOfRemovedSeriesIsReusedAfterARest) {
  ManualClock clock;
  detail::MetricStorage storage(clock);
  const auto add = [](detail::MetricCells* cells) { cells->add(std::size_t{0}, 1.0); };
  auto* first = storage.make(kActive);
  add(first);
  storage.retire(*first);
  const auto blocks = storage.blocks();  // the block and the sink
  EXPECT_EQ(storage.make(kActive)->sum(0), 0);
  EXPECT_EQ(storage.blocks(), blocks + 1);  // too early
  clock.advance(detail::MetricStorage::kRest);
  auto* again = storage.make(kActive);
  EXPECT_EQ(storage.blocks(), blocks + 1);
  EXPECT_EQ(again->sum(0), 0);
  add(first);  // its old handle
  EXPECT_EQ(again->sum(0), 0);
}

TEST(Metrics, FunctionsAreReadWithThePage) {
  MetricsRegistry registry;
  double value = 1;
  const MetricFamily labelled{"test_workers", "w", MetricType::gauge, {"kind"}, {}};
  registry.gauge_function(kActive, [&] { return value; });
  registry.gauge_function(labelled, {"a"}, [&] { return 2 * value; });
  value = 4;
  EXPECT_THAT(registry.expose(), HasSubstr("test_active 4\n"));
  EXPECT_THAT(registry.expose(), HasSubstr("test_workers{kind=\"a\"} 8\n"));
  registry.remove(labelled, {"a"});
  EXPECT_THAT(registry.expose(), Not(HasSubstr("test_workers")));
}

TEST(Metrics, DeclaredFamilyWithoutLabelsIsShownAtZero) {
  MetricsRegistry registry;
  registry.declare(kActive);
  registry.declare(kRequests);
  EXPECT_EQ(registry.expose(),
            "# HELP test_active Active\n# TYPE test_active gauge\ntest_active 0\n");
  std::vector<std::string> names;
  for (const auto& family : registry.families()) names.push_back(family.name);
  EXPECT_THAT(names, ElementsAre("test_active", "test_requests_total"));
}

TEST(MetricsDeathTest, OneNameCannotMeanTwoFamilies) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  MetricsRegistry registry;
  registry.gauge(kActive);
  MetricFamily other = kActive;
  other.help = "Something else";
  EXPECT_DEATH(registry.gauge(other), "description == wanted");
}

TEST(Metrics, SanitizeMakesNamesValid) {
  EXPECT_EQ(MetricsRegistry::sanitize("a.b-c:d_9"), "a_b_c:d_9");
  EXPECT_EQ(MetricsRegistry::sanitize("2x"), "_2x");
  EXPECT_EQ(MetricsRegistry::sanitize("ü"), "__");
}

TEST(Metrics, LogBucketsHaveTwoSignificantDigits) {
  EXPECT_THAT(MetricsRegistry::log_buckets(1, 512, 10),
              ElementsAre(0, 2, 4, 8, 16, 32, 64, 130, 260, 510));
  EXPECT_THAT(MetricsRegistry::log_buckets(0.001, 480, 18),
              ElementsAre(0, 0.0022, 0.0047, 0.01, 0.022, 0.047, 0.1, 0.22, 0.47, 1.0, 2.2, 4.7, 10,
                          22, 48, 100, 220, 480));
  EXPECT_THAT(MetricsRegistry::log_buckets(1, 2, 1), ElementsAre(0));
  EXPECT_THAT(MetricsRegistry::log_buckets(1, 2, 0), ElementsAre());
  EXPECT_EQ(MetricsRegistry::log_buckets(1, 1.1, 100).size(), 3u);  // 0, 1, 1.1
}

}  // namespace
}  // namespace metrics_test
}  // namespace dynamo::runtime
