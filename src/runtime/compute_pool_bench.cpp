// SPDX-License-Identifier: Apache-2.0
// What a job on the compute pool costs beside the cheapest way to have another thread do something
// and tell an event loop: one futex wake there and one eventfd wake back. Compare within one run.
#include <dynamo/runtime/async_event.h>
#include <dynamo/runtime/compute_pool.h>
#include <dynamo/runtime/shard.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <latch>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace dynamo::runtime {
namespace {

namespace net = boost::asio;

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation | FUTEX_PRIVATE_FLAG, value,
          nullptr, nullptr, 0);
}

/// The floor: a thread that sleeps on a futex writes an eventfd that this thread polls.
void BM_FutexAndEventfdRoundTrip(benchmark::State& state) {
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event interest{};
  interest.events = EPOLLIN | EPOLLET;
  epoll_ctl(poll, EPOLL_CTL_ADD, event, &interest);
  std::atomic<std::uint32_t> word{0};
  std::atomic<bool> quit{false};
  std::thread other([&] {
    for (std::uint32_t seen = 0;; ++seen) {
      while (word.load(std::memory_order_acquire) == seen) futex(word, FUTEX_WAIT, seen);
      if (quit.load(std::memory_order_relaxed)) return;
      eventfd_write(event, 1);
    }
  });
  for (auto _ : state) {
    word.fetch_add(1, std::memory_order_release);
    futex(word, FUTEX_WAKE, 1);
    epoll_event ready{};
    while (epoll_wait(poll, &ready, 1, -1) != 1) {
    }
  }
  quit = true;
  word.fetch_add(1);
  futex(word, FUTEX_WAKE, 1);
  other.join();
  close(poll);
  close(event);
}
BENCHMARK(BM_FutexAndEventfdRoundTrip)->UseRealTime();

/// A coroutine of an io_context of its own, as on a shard; iterations run inside it.
template <class Body>
void in_coroutine(Body body) {
  net::io_context io(1);
  net::co_spawn(io, body(), net::detached);
  io.run();
}

ComputePoolOptions threads(std::size_t count) {
  ComputePoolOptions options;
  options.threads = count;
  return options;
}

void BM_OffloadTinyTask(benchmark::State& state) {
  ComputePool pool(threads(static_cast<std::size_t>(state.range(0))));
  in_coroutine([&]() -> net::awaitable<void> {
    for (auto _ : state) {
      auto value = co_await pool.run([] { return 1; });
      benchmark::DoNotOptimize(value);
    }
  });
}
BENCHMARK(BM_OffloadTinyTask)->Arg(1)->Arg(2)->Arg(4)->UseRealTime();

/// Sum of the primes up to n, by trial division with numbers beside the multiples of six: the job
/// of the reference's benchmark (lib/runtime/benches/compute_pool_overhead.rs) with n = 10,000.
std::uint64_t sum_of_primes(std::uint64_t n) {
  const auto prime = [](std::uint64_t candidate) {
    if (candidate < 4) return candidate > 1;
    if (candidate % 2 == 0 || candidate % 3 == 0) return false;
    for (std::uint64_t d = 5; d * d <= candidate; d += 6) {
      if (candidate % d == 0 || candidate % (d + 2) == 0) return false;
    }
    return true;
  };
  std::uint64_t sum = 0;
  for (std::uint64_t candidate = 2; candidate <= n; ++candidate) {
    if (prime(candidate)) sum += candidate;
  }
  return sum;
}

constexpr std::uint64_t kPrimes = 10'000;

void BM_TenParallelTasks(benchmark::State& state) {
  constexpr int kTasks = 10;
  ComputePool pool(threads(static_cast<std::size_t>(state.range(0))));
  in_coroutine([&]() -> net::awaitable<void> {
    AsyncEvent all_done;
    for (auto _ : state) {
      std::atomic<int> left{kTasks};
      for (int i = 0; i < kTasks; ++i) {
        pool.submit([&] {
          auto value = sum_of_primes(kPrimes);
          benchmark::DoNotOptimize(value);
          if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) all_done.notify();
        });
      }
      [[maybe_unused]] const auto woken = co_await all_done.wait();
    }
  });
}
BENCHMARK(BM_TenParallelTasks)->Arg(2)->Arg(4)->UseRealTime();

void BM_ParallelOfTen(benchmark::State& state) {
  ComputePool pool(threads(static_cast<std::size_t>(state.range(0))));
  for (auto _ : state) {
    [[maybe_unused]] const auto done = pool.parallel(10, [](std::size_t) {
      auto value = sum_of_primes(kPrimes);
      benchmark::DoNotOptimize(value);
    });
  }
}
BENCHMARK(BM_ParallelOfTen)->Arg(1)->Arg(2)->UseRealTime();

/// The same work on one thread: what n cores could reach is its n-th part.
void BM_TenTasksInline(benchmark::State& state) {
  for (auto _ : state) {
    for (int i = 0; i < 10; ++i) {
      std::uint64_t n = kPrimes;
      benchmark::DoNotOptimize(n);
      auto value = sum_of_primes(n);
      benchmark::DoNotOptimize(value);
    }
  }
}
BENCHMARK(BM_TenTasksInline)->UseRealTime();

/// CPU time and wake-ups of the process while a pool of 16 threads has nothing to do.
void BM_IdlePoolFor100ms(benchmark::State& state) {
  ComputePool pool(threads(16));
  rusage before{};
  rusage after{};
  getrusage(RUSAGE_SELF, &before);
  for (auto _ : state) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  getrusage(RUSAGE_SELF, &after);
  const auto us = [](const rusage& u) {
    return double(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           double(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
  };
  state.counters["cpu_us"] =
      benchmark::Counter(us(after) - us(before), benchmark::Counter::kAvgIterations);
  state.counters["switches"] = benchmark::Counter(double(after.ru_nvcsw - before.ru_nvcsw),
                                                  benchmark::Counter::kAvgIterations);
}
BENCHMARK(BM_IdlePoolFor100ms)->Iterations(3)->UseRealTime();

}  // namespace
}  // namespace dynamo::runtime
