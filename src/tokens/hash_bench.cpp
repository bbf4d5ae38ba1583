// SPDX-License-Identifier: Apache-2.0
#include <dynamo/tokens/hash.h>

#include <numeric>

#include <benchmark/benchmark.h>

namespace dynamo::tokens {
namespace {

/// The reference's figure: 512 tokens into 32 block hashes, 0.32 us.
void hash_512_tokens(benchmark::State& state) {
  std::vector<Token> tokens(512);
  std::iota(tokens.begin(), tokens.end(), 1000U);
  std::vector<BlockHash> blocks(32);
  for (auto _ : state) {
    hash_blocks(tokens, 16, {}, blocks);
    benchmark::DoNotOptimize(blocks.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(hash_512_tokens);

void hash_and_chain_512_tokens(benchmark::State& state) {
  std::vector<Token> tokens(512);
  std::iota(tokens.begin(), tokens.end(), 1000U);
  std::vector<BlockHash> blocks(32);
  std::vector<SequenceHash> chain(32);
  for (auto _ : state) {
    hash_blocks(tokens, 16, {}, blocks);
    sequence_hashes(blocks, chain);
    benchmark::DoNotOptimize(chain.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(hash_and_chain_512_tokens);

}  // namespace
}  // namespace dynamo::tokens
