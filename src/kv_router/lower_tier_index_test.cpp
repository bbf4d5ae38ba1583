// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/lower_tier_index.h>

#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::kv_router::lower_tier_index_test {
namespace {

constexpr WorkerKey kWorker{WorkerId{1}, DpRank{0}};

RouterEvent stored(StorageTier tier, std::optional<std::uint64_t> parent,
                   std::vector<std::pair<std::uint64_t, std::uint64_t>> blocks,
                   WorkerKey worker = kWorker) {
  KvStored data;
  if (parent) data.parent_hash = EngineHash{*parent};
  for (const auto& [name, local] : blocks)
    data.blocks.push_back({EngineHash{name}, LocalHash{local}, std::nullopt});
  RouterEvent out;
  out.worker_id = worker.worker;
  out.storage_tier = tier;
  out.event = {.event_id = 0, .data = std::move(data), .dp_rank = worker.rank};
  return out;
}
RouterEvent removed(StorageTier tier, std::vector<std::uint64_t> names) {
  KvRemoved data;
  for (const std::uint64_t name : names) data.block_hashes.push_back(EngineHash{name});
  RouterEvent out;
  out.worker_id = kWorker.worker;
  out.storage_tier = tier;
  out.event.data = std::move(data);
  return out;
}
std::vector<tokens::SequenceHash> sequence(std::initializer_list<std::uint64_t> locals) {
  std::vector<LocalHash> blocks;
  for (const std::uint64_t local : locals) blocks.push_back(LocalHash{local});
  return tokens::sequence_hashes(blocks);
}

TEST(LowerTierIndex, EachTierContinuesWhereTheOneBeforeEnded) {
  LowerTierIndex index;
  EXPECT_EQ(index.apply(stored(StorageTier::device, {}, {{1, 11}, {2, 12}})), ApplyStatus::applied);
  // Offloaded behind a parent that is on the device only.
  EXPECT_EQ(index.apply(stored(StorageTier::host_pinned, 2, {{3, 13}, {4, 14}})),
            ApplyStatus::applied);
  EXPECT_EQ(index.apply(stored(StorageTier::disk, 4, {{5, 15}})), ApplyStatus::applied);
  EXPECT_EQ(index.apply(stored(StorageTier::external, 5, {{6, 16}})), ApplyStatus::applied);
  const TierOverlap found = index.extend(kWorker, sequence({11, 12, 13, 14, 15, 16, 17}), 2);
  EXPECT_EQ(found.device_blocks, 2u);
  EXPECT_EQ(found.host_blocks, 2u);
  EXPECT_EQ(found.disk_blocks, 1u);
  EXPECT_EQ(found.external_blocks, 1u);
  // Another prefix does not reach them.
  EXPECT_EQ(index.extend(kWorker, sequence({99, 12, 13}), 2).host_blocks, 0u);
  EXPECT_EQ(index.apply(stored(StorageTier::disk, 77, {{8, 18}})), ApplyStatus::parent_not_found);
}

TEST(LowerTierIndex, ABlockOnTwoTiersSurvivesOnOne) {
  LowerTierIndex index;
  static_cast<void>(index.apply(stored(StorageTier::device, {}, {{1, 11}})));
  static_cast<void>(index.apply(stored(StorageTier::host_pinned, {}, {{1, 11}})));
  EXPECT_EQ(index.apply(stored(StorageTier::host_pinned, {}, {{1, 11}})), ApplyStatus::duplicate);
  EXPECT_EQ(index.apply(removed(StorageTier::device, {1})), ApplyStatus::applied);
  EXPECT_EQ(index.extend(kWorker, sequence({11}), 0).host_blocks, 1u);
  EXPECT_EQ(index.apply(removed(StorageTier::device, {1})), ApplyStatus::block_not_found);
  EXPECT_EQ(index.apply(removed(StorageTier::host_pinned, {1})), ApplyStatus::applied);
  EXPECT_EQ(index.extend(kWorker, sequence({11}), 0).host_blocks, 0u);
  EXPECT_EQ(index.blocks(), 0u);
}

TEST(LowerTierIndex, ClearingATierLeavesTheOthers) {
  LowerTierIndex index;
  static_cast<void>(index.apply(stored(StorageTier::host_pinned, {}, {{1, 11}})));
  static_cast<void>(index.apply(stored(StorageTier::disk, 1, {{2, 12}})));
  RouterEvent cleared = removed(StorageTier::host_pinned, {});
  cleared.event.data = KvCleared{};
  static_cast<void>(index.apply(cleared));
  EXPECT_EQ(index.extend(kWorker, sequence({11, 12}), 0).host_blocks, 0u);
  EXPECT_EQ(index.extend(kWorker, sequence({11, 12}), 1).disk_blocks, 1u);
  cleared.storage_tier = StorageTier::device;
  static_cast<void>(index.apply(cleared));
  EXPECT_EQ(index.blocks(), 0u);
}

TEST(LowerTierIndex, IsBounded) {
  LowerTierIndex index({.blocks_max = 3});
  EXPECT_EQ(index.apply(stored(StorageTier::disk, {}, {{1, 1}, {2, 2}})), ApplyStatus::applied);
  EXPECT_EQ(index.apply(stored(StorageTier::disk, 2, {{3, 3}, {4, 4}})), ApplyStatus::over_budget);
  EXPECT_EQ(index.apply(stored(StorageTier::disk, 2, {{3, 3}, {3, 4}})), ApplyStatus::malformed);
  EXPECT_EQ(index.blocks(), 2u);
}

// Against the plainest model: which tiers have which block, by its whole path.
TEST(LowerTierIndex, AgreesWithAModelAndWithItsDumpRestored) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    LowerTierIndex index;
    using Path = std::vector<std::uint64_t>;
    struct Named {
      Path path;
      std::set<StorageTier> tiers;
    };
    std::map<std::uint64_t, Named> model;
    for (int step = 0; step < 80; ++step) {
      const auto tier = static_cast<StorageTier>(rng.below(4));
      if (rng.below(3) != 0) {
        std::optional<std::uint64_t> parent;
        if (rng.below(3) != 0) parent = rng.below(12);
        const std::uint64_t name = rng.below(12);
        const std::uint64_t local = rng.below(3);
        const ApplyStatus status = index.apply(stored(tier, parent, {{name, local}}));
        if (parent == name) {
          ASSERT_EQ(status, ApplyStatus::malformed);
          continue;
        }
        if (parent && !model.contains(*parent)) {
          ASSERT_EQ(status, ApplyStatus::parent_not_found);
          continue;
        }
        Path path = parent ? model.at(*parent).path : Path{};
        path.push_back(local);
        Named& named = model[name];
        if (named.path != path) named = {path, {}};
        named.tiers.insert(tier);
      } else {
        const std::uint64_t name = rng.below(12);
        static_cast<void>(index.apply(removed(tier, {name})));
        const auto found = model.find(name);
        if (found == model.end()) continue;
        found->second.tiers.erase(tier);
        if (found->second.tiers.empty()) model.erase(found);
      }
      ASSERT_EQ(index.blocks(), model.size());
    }
    const auto dump = index.dump();
    LowerTierIndex copy;
    ASSERT_EQ(copy.restore(dump), dump.size());
    ASSERT_EQ(copy.dump(), dump);
    for (int look = 0; look < 30; ++look) {
      Path path;
      std::vector<LocalHash> locals;
      for (std::uint64_t i = 1 + rng.below(5); i != 0; --i) {
        path.push_back(rng.below(3));
        locals.push_back(LocalHash{path.back()});
      }
      const auto hashes = tokens::sequence_hashes(locals);
      const auto device = static_cast<std::uint32_t>(rng.below(path.size() + 1));
      std::size_t at = device;
      std::vector<std::uint32_t> expected;
      for (const StorageTier tier :
           {StorageTier::host_pinned, StorageTier::disk, StorageTier::external}) {
        std::uint32_t blocks = 0;
        const auto is_there = [&](std::size_t length) {
          const Path wanted(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(length));
          for (const auto& [name, named] : model)
            if (named.path == wanted && named.tiers.contains(tier)) return true;
          return false;
        };
        for (; at < path.size() && is_there(at + 1); ++at) ++blocks;
        expected.push_back(blocks);
      }
      for (const LowerTierIndex* one : {&index, &copy}) {
        const TierOverlap found = one->extend(kWorker, hashes, device);
        ASSERT_EQ((std::vector<std::uint32_t>{found.host_blocks, found.disk_blocks,
                                              found.external_blocks}),
                  expected);
      }
    }
    index.remove_worker(kWorker.worker);
    ASSERT_EQ(index.blocks(), 0u);
  }
}

}  // namespace
}  // namespace dynamo::kv_router::lower_tier_index_test
