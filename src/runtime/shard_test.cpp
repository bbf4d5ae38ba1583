// SPDX-License-Identifier: Apache-2.0
#include <dynamo/config/configuration.h>
#include <dynamo/runtime/runtime_metrics.h>
#include <dynamo/runtime/shard.h>
#include <dynamo/runtime/slow_section.h>

#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "runtime/cores.h"
#include "runtime/loop_delay.h"

namespace dynamo::runtime {
namespace shard_test {
namespace {

using namespace std::chrono_literals;

/// Runs `work` on the shard and returns its value.
template <class F>
auto on(Shard& shard, F work) {
  std::promise<decltype(work())> promise;
  shard.post([&] { promise.set_value(work()); });
  return promise.get_future().get();
}

TEST(Shard, CurrentIsTheShardWhoseThreadItIs) {
  ShardPool pool(2);
  EXPECT_EQ(Shard::current(), nullptr);
  EXPECT_EQ(on(pool.at(0), [] { return Shard::current(); }), &pool.at(0));
  EXPECT_EQ(on(pool.at(1), [] { return Shard::current(); }), &pool.at(1));
  EXPECT_EQ(pool.at(1).index(), 1u);
}

TEST(Shard, SurvivesAHandlerThatThrows) {
  ShardPool pool(1);
  pool.at(0).post([] { throw std::runtime_error("expected in this test"); });
  EXPECT_EQ(on(pool.at(0), [] { return 7; }), 7);
}

TEST(ShardPool, LeastLoadedHasTheFewestActiveRequests) {
  ShardPool pool(3);
  pool.at(0).request_started();
  pool.at(0).request_started();
  pool.at(1).request_started();
  pool.at(2).request_started();
  pool.at(2).request_started();
  EXPECT_EQ(&pool.least_loaded(), &pool.at(1));
  pool.at(0).request_ended();
  pool.at(0).request_ended();
  EXPECT_EQ(&pool.least_loaded(), &pool.at(0));
  EXPECT_EQ(pool.at(2).active_requests(), 2u);
}

TEST(ShardPool, TiesGoRoundRobin) {
  ShardPool pool(3);
  std::set<Shard*> seen;
  for (int i = 0; i < 3; ++i) seen.insert(&pool.least_loaded());
  EXPECT_EQ(seen.size(), 3u);
}

TEST(ShardPool, StopIsIdempotentAndFreesWhatWasNotRun) {
  auto held = std::make_shared<int>(1);
  {
    ShardPool pool(1);
    pool.stop();
    pool.stop();
    pool.at(0).post([held] { ADD_FAILURE() << "the shard has ended"; });
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(ShardPool, CountComesFromTheConfiguration) {
  {
    const config::ScopedConfiguration three{{"DYN_RUNTIME_NUM_WORKER_THREADS", "3"}};
    EXPECT_EQ(ShardPool().size(), 3u);
  }
  const config::ScopedConfiguration unset;
  EXPECT_EQ(ShardPool().size(), available_cores());
}

TEST(Cores, OfACgroupQuotaAreRoundedUp) {
  EXPECT_EQ(cores_of_cpu_max("150000 100000\n"), 2u);
  EXPECT_EQ(cores_of_cpu_max("200000 100000"), 2u);
  EXPECT_EQ(cores_of_cpu_max("1000 100000"), 1u);
  EXPECT_FALSE(cores_of_cpu_max("max 100000\n"));
  EXPECT_FALSE(cores_of_cpu_max(""));
  EXPECT_FALSE(cores_of_cpu_max("0 100000"));
  EXPECT_FALSE(cores_of_cpu_max("100000 0"));
  EXPECT_FALSE(cores_of_cpu_max("-1 5"));
  EXPECT_FALSE(cores_of_cpu_max("18446744073709551616 5"));
  EXPECT_GE(available_cores(), 1u);
}

TEST(LoopDelay, CountsAStallAndEndsWithTheWork) {
  MetricsRegistry registry;
  boost::asio::io_context io(1);
  LoopDelay delay(io.get_executor());
  const auto histogram = registry.histogram(kEventLoopDelay);
  const auto stalls = registry.counter(kEventLoopStalls);
  delay.report_to(histogram, stalls, 0);
  int looks = 0;
  delay.watch([&] { return ++looks < 2; });
  delay.watch([&] { return true; });  // already watching: the first question stays
  std::this_thread::sleep_for(LoopDelay::kPeriod + LoopDelay::kStall + 1ms);  // a stalled loop
  io.run();  // ends, because no timer is left when the work is done
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_GE(histogram.sum(), 0.005);
  EXPECT_GE(stalls.value(), 1);
  EXPECT_FALSE(delay.watching());
}

TEST(ShardPool, MeasuresItsLoopsOnlyWhileThereAreRequests) {
  MetricsRegistry registry;
  ShardPool pool(1);
  pool.export_metrics(registry);
  auto& shard = pool.at(0);
  const auto histogram = registry.histogram(kEventLoopDelay);
  on(shard, [] { return 0; });  // measuring has been switched on
  EXPECT_NE(registry.expose().find("dynamo_runtime_shard_active_requests{shard=\"0\"} 0\n"),
            std::string::npos);
  EXPECT_EQ(histogram.count(), 0u);
  shard.request_started();
  while (histogram.count() == 0) std::this_thread::yield();
  shard.request_ended();
}

TEST(SlowSection, IsCountedByItsNameOnAShardOnly) {
  MetricsRegistry registry;
  ShardPool pool(1);
  pool.export_metrics(registry);
  const auto work = [](std::chrono::nanoseconds time) {
    const SlowSection section("test::work");
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
    }
    return 0;
  };
  work(SlowSection::kLimit + 1us);
  EXPECT_EQ(registry.counter(kSlowSections, {"test::work"}).value(), 0);
  on(pool.at(0), [&] { return work(SlowSection::kLimit + 1us); });
  EXPECT_EQ(registry.counter(kSlowSections, {"test::work"}).value(), 1);
}

TEST(ShardPool, IdleShardsAreNotWoken) {
  MetricsRegistry registry;
  ShardPool pool(2);
  pool.export_metrics(registry);
  for (std::size_t i = 0; i < 2; ++i) on(pool.at(i), [] { return 0; });
  rusage before{};
  rusage after{};
  getrusage(RUSAGE_SELF, &before);
  std::this_thread::sleep_for(60ms);
  getrusage(RUSAGE_SELF, &after);
  // Six periods of the canary on two shards would be twelve; this thread's own sleep is one.
  EXPECT_LE(after.ru_nvcsw - before.ru_nvcsw, 4);
}

}  // namespace
}  // namespace shard_test
}  // namespace dynamo::runtime
