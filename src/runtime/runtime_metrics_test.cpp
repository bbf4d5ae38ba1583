// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>
#include <dynamo/runtime/acceptor.h>
#include <dynamo/runtime/compute_pool.h>
#include <dynamo/runtime/runtime_metrics.h>
#include <dynamo/runtime/shard.h>

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dynamo::runtime {
namespace runtime_metrics_test {
namespace {

TEST(RuntimeMetrics, EveryFamilyHasItsRowInTheDocumentation) {
  const auto page = base::read_file(DYNAMO_SOURCE_DIR "/docs/metrics.md");
  ASSERT_TRUE(page);
  for (const auto* family : kRuntimeFamilies)
    EXPECT_THAT(*page, testing::HasSubstr(to_markdown(*family)));
}

TEST(RuntimeMetrics, EveryFamilyIsOnThePageOfAProcess) {
  MetricsRegistry registry;
  ShardPool shards(1);
  ComputePool pool;
  auto acceptor = Acceptor::open({});
  ASSERT_TRUE(acceptor);
  shards.export_metrics(registry);
  pool.export_metrics(registry);
  (*acceptor)->export_metrics(registry);
  registry.counter(kSlowSections, {"test::section"});  // shown once there was one
  const auto page = registry.expose();
  for (const auto* family : kRuntimeFamilies)
    EXPECT_THAT(page, testing::HasSubstr("# HELP " + family->name + " "));
  EXPECT_EQ(registry.families().size(), kRuntimeFamilies.size());
}

}  // namespace
}  // namespace runtime_metrics_test
}  // namespace dynamo::runtime
