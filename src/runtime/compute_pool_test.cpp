// SPDX-License-Identifier: Apache-2.0
#include <dynamo/config/configuration.h>
#include <dynamo/runtime/compute_pool.h>
#include <dynamo/runtime/runtime_metrics.h>
#include <dynamo/runtime/task_scope.h>

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>
#include <pthread.h>

namespace dynamo::runtime {
namespace compute_pool_test {
namespace {

namespace net = boost::asio;

/// Runs one job from a coroutine of an io_context of its own.
template <class F>
auto run(ComputePool& pool, F job) {
  net::io_context io(1);
  using Value = Result<std::invoke_result_t<F&>>;
  std::optional<Value> value;
  net::co_spawn(io, pool.run(std::move(job)), [&](std::exception_ptr error, Value result) {
    EXPECT_EQ(error, nullptr);
    value.emplace(std::move(result));
  });
  io.run();
  return std::move(*value);
}

ComputePoolOptions threads(std::size_t count) {
  ComputePoolOptions options;
  options.threads = count;
  return options;
}

TEST(ComputePool, RunsAJobOnAnotherThreadAndBringsItsValueBack) {
  ComputePool pool(threads(2));
  const auto here = std::this_thread::get_id();
  const auto there = run(pool, [] { return std::this_thread::get_id(); });
  ASSERT_TRUE(there);
  EXPECT_NE(*there, here);
}

TEST(ComputePool, RunsAJobWithoutAValueAndOneThatOwnsWhatCannotBeCopied) {
  ComputePool pool(threads(1));
  int ran = 0;
  EXPECT_TRUE(run(pool, [&] { ++ran; }));
  EXPECT_EQ(ran, 1);
  const auto moved = run(pool, [p = std::make_unique<int>(5)]() mutable { return std::move(p); });
  ASSERT_TRUE(moved);
  EXPECT_EQ(**moved, 5);
}

TEST(ComputePool, ExceptionOfAJobBecomesAnErrorAndThePoolLivesOn) {
  ComputePool pool(threads(1));
  const auto failed = run(pool, []() -> int { throw std::runtime_error("no vocabulary"); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::internal);
  EXPECT_NE(failed.error().message().find("no vocabulary"), std::string::npos);
  EXPECT_TRUE(pool.submit([] { throw 1; }));
  EXPECT_EQ(run(pool, [] { return 3; }), 3);
}

TEST(ComputePool, RefusesWhenItsQueueIsFull) {
  ComputePoolOptions options = threads(1);
  options.queue_limit = 2;
  std::latch entered(1);
  std::latch leave(1);
  ComputePool pool(options);  // ends first: its jobs use the latches
  ASSERT_TRUE(pool.submit([&] {
    entered.count_down();
    leave.wait();
  }));
  entered.wait();
  EXPECT_TRUE(pool.submit([] {}));
  EXPECT_TRUE(pool.submit([] {}));
  EXPECT_FALSE(pool.submit([] {}));
  const auto refused = run(pool, [] { return 1; });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::overloaded);
  const auto stats = pool.stats();
  EXPECT_EQ(stats.queued, 2u);
  EXPECT_EQ(stats.active, 1u);
  EXPECT_EQ(stats.rejected_total, 2u);
  leave.count_down();
}

TEST(ComputePool, FinishesWhatItAcceptedBeforeItEnds) {
  std::atomic<int> done{0};
  {
    ComputePool pool(threads(2));
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(pool.submit([&] { done.fetch_add(1); }));
  }
  EXPECT_EQ(done.load(), 100);
}

TEST(ComputePool, CancelledCallerLeavesAndItsJobRunsToItsEnd) {
  std::latch leave(1);
  std::atomic<bool> ended{false};
  ComputePool pool(threads(1));
  net::io_context io(1);
  TaskScope scope(io.get_executor());
  std::optional<Errc> code;
  const auto call = [&]() -> net::awaitable<void> {
    const auto value = co_await pool.run([&] {
      leave.wait();
      ended = true;
      return 1;
    });
    if (!value) code = value.error().code();
  };
  net::post(io, [&] {
    scope.spawn([&] { return call(); });
    scope.cancel();
  });
  io.run();
  EXPECT_EQ(code, Errc::cancelled);
  EXPECT_FALSE(ended);
  leave.count_down();
  while (pool.stats().tasks_total != 1) std::this_thread::yield();
  EXPECT_TRUE(ended);
}

TEST(ComputePool, ManyCallersGetTheirOwnValues) {
  ComputePool pool(threads(3));
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t) {
    callers.emplace_back([&pool, t] {
      net::io_context io(1);
      const auto call = [&](int base) -> net::awaitable<void> {
        for (int i = 0; i < 100; ++i) {
          const auto value = co_await pool.run([base, i] { return base + i; });
          EXPECT_EQ(value, base + i);
        }
      };
      for (int c = 0; c < 4; ++c)
        net::co_spawn(io, call(1000 * (4 * t + c)),
                      [](std::exception_ptr e) { EXPECT_EQ(e, nullptr); });
      io.run();
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(pool.stats().tasks_total, 1200u);
}

TEST(ComputePool, ParallelCallsEachIndexOnce) {
  ComputePool pool(threads(3));
  for (const std::size_t count : {0u, 1u, 2u, 3u, 100u}) {
    std::vector<std::atomic<int>> calls(count);
    EXPECT_TRUE(pool.parallel(count, [&](std::size_t i) { calls[i].fetch_add(1); }));
    for (const auto& n : calls) EXPECT_EQ(n.load(), 1);
  }
}

TEST(ComputePool, ParallelNestsOnASinglePoolThread) {
  ComputePool pool(threads(1));
  const auto sum = run(pool, [&pool] {
    std::atomic<std::size_t> total{0};
    EXPECT_TRUE(pool.parallel(10, [&](std::size_t i) {
      EXPECT_TRUE(pool.parallel(10, [&](std::size_t j) { total += 10 * i + j; }));
    }));
    return total.load();
  });
  EXPECT_EQ(sum, 4950u);
}

TEST(ComputePool, ParallelReturnsTheFirstFailure) {
  ComputePool pool(threads(2));
  const auto failed = pool.parallel(50, [](std::size_t i) {
    if (i == 7) throw std::runtime_error("piece 7");
  });
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message().find("piece 7"), std::string::npos);
}

TEST(ComputePool, SettingsComeFromTheConfiguration) {
  const config::ScopedConfiguration set{{"DYN_COMPUTE_THREADS", "3"},
                                        {"DYN_COMPUTE_THREAD_PREFIX", "tokenizer-thread"},
                                        {"DYN_COMPUTE_STACK_SIZE", "262144"}};
  ComputePool pool;
  EXPECT_EQ(pool.stats().threads, 3u);
  const auto seen = run(pool, [] {
    char name[16] = {};
    pthread_getname_np(pthread_self(), name, sizeof name);
    pthread_attr_t attributes;
    pthread_getattr_np(pthread_self(), &attributes);
    std::size_t stack = 0;
    pthread_attr_getstacksize(&attributes, &stack);
    pthread_attr_destroy(&attributes);
    return std::pair(std::string(name), stack);
  });
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->first, "tokenizer-threa");
  EXPECT_GE(seen->second, 262144u);
  EXPECT_LT(seen->second, std::size_t{2} << 20);
}

TEST(ComputePool, WithoutThreadsRunsJobsWhereTheyAreSubmitted) {
  const config::ScopedConfiguration set{{"DYN_COMPUTE_THREADS", "0"}};
  ComputePool pool;
  EXPECT_EQ(pool.stats().threads, 0u);
  EXPECT_EQ(run(pool, [] { return std::this_thread::get_id(); }), std::this_thread::get_id());
  int calls = 0;
  EXPECT_TRUE(pool.parallel(3, [&](std::size_t) { ++calls; }));
  EXPECT_EQ(calls, 3);
}

TEST(ComputePool, PublishesItsCounts) {
  MetricsRegistry registry;
  {
    ComputePool pool(threads(2));
    pool.export_metrics(registry);
    EXPECT_TRUE(run(pool, [] { return 1; }));
    while (pool.stats().tasks_total != 1) std::this_thread::yield();
    const auto page = registry.expose();
    EXPECT_NE(page.find("\ndynamo_runtime_compute_threads 2\n"), std::string::npos) << page;
    EXPECT_NE(page.find("\ndynamo_runtime_compute_jobs_total 1\n"), std::string::npos) << page;
  }
  EXPECT_EQ(registry.expose(), "");  // the pool has gone
}

}  // namespace
}  // namespace compute_pool_test
}  // namespace dynamo::runtime
