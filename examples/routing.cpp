// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/event.h>
#include <dynamo/kv_router/prefix_index.h>
#include <dynamo/kv_router/selector.h>
#include <dynamo/tokens/hash.h>

#include "expect.h"

using namespace dynamo;
using namespace dynamo::kv_router;

int main() {
  const std::vector<tokens::Token> prompt(64, 7);
  const auto blocks = tokens::hash_blocks(prompt, 16);

  PrefixIndex index;
  const WorkerKey first{WorkerId{1}, DpRank{0}};
  const WorkerKey second{WorkerId{2}, DpRank{0}};
  KvStored stored;  // the second worker says that it holds the first three blocks
  for (std::uint64_t i = 0; i < 3; ++i)
    stored.blocks.push_back({EngineHash{100 + i}, blocks[i], {}});
  EXPECT(index.store(second, stored) == ApplyStatus::applied);

  PrefixIndex::Reader reader(index);
  const auto overlaps = reader.find_matches(blocks);
  EXPECT(overlaps.size() == 1 && overlaps[0] == (WorkerOverlap{second, 3}));

  Candidate idle{.worker = first};
  Candidate warm{.worker = second, .overlap = TierOverlap{.device_blocks = 3}};
  warm.effective_overlap_blocks = 3;
  warm.effective_cached_tokens = 48;
  const Candidate candidates[] = {idle, warm};
  Selector selector;
  const auto chosen = selector.select({.block_size_tokens = 16, .isl_tokens = 64}, candidates);
  EXPECT(chosen && candidates[chosen->candidate].worker == second);
}
