// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/prefix_index.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::kv_router::prefix_index_concurrency_test {
namespace {

constexpr std::uint64_t kWorkers = 6;
constexpr std::uint32_t kDepth = 40;
constexpr std::uint64_t kPaths = 12;

// Path p shares its first 4·(p mod 4) blocks with its neighbours.
LocalHash local(std::uint64_t path, std::uint32_t i) {
  return LocalHash{i < 4 * (path % 4) ? 100 + i : 1000 * (path + 1) + i};
}
EngineHash name(std::uint64_t path, std::uint32_t i) {
  std::uint64_t hash = 1;
  for (std::uint32_t k = 0; k <= i; ++k)
    hash = (hash ^ static_cast<std::uint64_t>(local(path, k))) * 0x9e3779b97f4a7c15u;
  return EngineHash{hash};
}

// A bound that readers can check: for each (worker, path) the writer keeps what the worker holds of
// the path now, and a sequence number around each event. A lookup that saw no event of the worker
// begin or run must be at most (and, being exact, equal to) what stands there; one that did must be
// at most the largest depth that stood there meanwhile.
struct Cell {
  std::atomic<std::uint64_t> version{0};  // odd: an event is under way
  std::array<std::atomic<std::uint32_t>, kPaths> depth{};
};

TEST(PrefixIndexConcurrency, ReadersNeverReportMoreThanWasHeld) {
  PrefixIndex index;
  std::array<Cell, kWorkers> truth;
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> exact{0};
  std::atomic<std::uint64_t> wrong{0};

  const auto read = [&](std::uint64_t seed) {
    PrefixIndex::Reader reader(index);
    Rng rng(seed);
    std::uint64_t mine = 0;
    while (!done.load(std::memory_order_acquire)) {
      const std::uint64_t path = rng.below(kPaths);
      std::vector<LocalHash> sequence;
      for (std::uint32_t i = 0; i < kDepth; ++i) sequence.push_back(local(path, i));
      std::array<std::uint64_t, kWorkers> before;
      std::array<std::uint32_t, kWorkers> depth_before;
      for (std::uint64_t w = 0; w < kWorkers; ++w) {
        before[w] = truth[w].version.load(std::memory_order_acquire);
        depth_before[w] = truth[w].depth[path].load(std::memory_order_acquire);
      }
      std::array<std::uint32_t, kWorkers> found{};
      for (const WorkerOverlap& overlap : reader.find_matches(sequence))
        found[static_cast<std::uint64_t>(overlap.worker.worker)] = overlap.blocks;
      for (std::uint64_t w = 0; w < kWorkers; ++w) {
        const bool quiet =
            before[w] % 2 == 0 && truth[w].version.load(std::memory_order_acquire) == before[w];
        if (!quiet) continue;
        ++mine;
        // Other workers' events may hide a worker for a moment, never show too much.
        if (found[w] > depth_before[w]) ++wrong;
      }
    }
    exact += mine;
  };
  std::vector<std::thread> readers;
  for (std::uint64_t i = 0; i < 3; ++i) readers.emplace_back(read, i + 1);

  Rng rng(99);
  const auto recount = [&](std::uint64_t w, const std::vector<std::uint32_t>& held) {
    for (std::uint64_t p = 0; p < kPaths; ++p)
      truth[w].depth[p].store(held[p], std::memory_order_release);
  };
  // What each worker holds, by path; shared heads follow the longest path that contains them.
  std::vector<std::vector<std::uint32_t>> held(kWorkers, std::vector<std::uint32_t>(kPaths, 0));
  const auto common = [](std::uint64_t a, std::uint64_t b) {
    std::uint32_t i = 0;
    while (i < kDepth && local(a, i) == local(b, i)) ++i;
    return i;
  };
  for (int step = 0; step < 2500; ++step) {
    const std::uint64_t w = rng.below(kWorkers);
    const std::uint64_t path = rng.below(kPaths);
    truth[w].version.fetch_add(1, std::memory_order_acq_rel);
    const std::uint64_t dice = rng.below(20);
    if (dice == 0) {
      index.clear({WorkerId{w}, DpRank{0}});
      held[w].assign(kPaths, 0);
    } else if (dice < 11) {
      const auto count = static_cast<std::uint32_t>(1 + rng.below(kDepth));
      KvStored stored;
      for (std::uint32_t i = 0; i < count; ++i)
        stored.blocks.push_back({name(path, i), local(path, i), std::nullopt});
      ASSERT_LE(static_cast<int>(index.store({WorkerId{w}, DpRank{0}}, stored)),
                static_cast<int>(ApplyStatus::duplicate));
      for (std::uint64_t p = 0; p < kPaths; ++p)
        held[w][p] = std::max(held[w][p], std::min(count, common(path, p)));
    } else if (held[w][path] != 0) {
      const auto at = static_cast<std::uint32_t>(rng.below(held[w][path]));
      ASSERT_EQ(index.remove({WorkerId{w}, DpRank{0}}, std::vector{name(path, at)}),
                ApplyStatus::applied);
      for (std::uint64_t p = 0; p < kPaths; ++p)
        if (common(path, p) > at) held[w][p] = std::min(held[w][p], at);
    }
    recount(w, held[w]);
    truth[w].version.fetch_add(1, std::memory_order_acq_rel);
    if (step % 16 == 0) std::this_thread::yield();
  }
  done.store(true, std::memory_order_release);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0u);
  EXPECT_GT(exact.load(), 0u);

  PrefixIndex::Reader reader(index);
  for (std::uint64_t p = 0; p < kPaths; ++p) {
    std::vector<LocalHash> sequence;
    for (std::uint32_t i = 0; i < kDepth; ++i) sequence.push_back(local(p, i));
    std::array<std::uint32_t, kWorkers> found{};
    for (const WorkerOverlap& overlap : reader.find_matches(sequence))
      found[static_cast<std::uint64_t>(overlap.worker.worker)] = overlap.blocks;
    for (std::uint64_t w = 0; w < kWorkers; ++w) EXPECT_EQ(found[w], held[w][p]);
  }
}

}  // namespace
}  // namespace dynamo::kv_router::prefix_index_concurrency_test
