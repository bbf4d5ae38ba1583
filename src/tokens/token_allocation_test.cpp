// SPDX-License-Identifier: Apache-2.0
// Counts what the sequence takes from the heap: this binary's operator new is its own.
#include <dynamo/tokens/token_block.h>

#include <cstdlib>
#include <new>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::tokens::token_allocation_test {
static std::size_t heap_requests = 0;
}  // namespace dynamo::tokens::token_allocation_test

void* operator new(std::size_t size) {
  ++dynamo::tokens::token_allocation_test::heap_requests;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace dynamo::tokens {
namespace token_allocation_test {
namespace {

TEST(TokenBlockSequence, AppendingATokenAllocatesNothing) {
  const std::vector<Token> prompt(1000, 7);
  TokenBlockSequence sequence(prompt, 16, kDefaultSalt);
  sequence.reserve(prompt.size() + 4096);
  const std::size_t before = heap_requests;
  std::size_t completed = 0;
  for (Token token = 0; token < 4096; ++token) completed += sequence.append(token).has_value();
  EXPECT_EQ(heap_requests, before);
  EXPECT_EQ(completed, (1000 + 4096) / 16 - 1000 / 16);
  EXPECT_EQ(sequence.block(100).block_hash, hash_block(sequence.block(100).tokens));
}

TEST(TokenBlockSequence, AfterAnImageToo) {
  TokenBlockSequence sequence({}, 16, kDefaultSalt);
  ASSERT_TRUE(sequence.push_mm_run(77, 32));
  sequence.reserve(1024);
  const std::size_t before = heap_requests;
  for (Token token = 0; token < 900; ++token) sequence.append(token);
  EXPECT_EQ(heap_requests, before);
}

TEST(TokenBlockSequence, WithoutAReservationTheArraysDouble) {
  TokenBlockSequence sequence({}, 16, kDefaultSalt);
  const std::size_t before = heap_requests;
  for (Token token = 0; token < 1u << 16; ++token) sequence.append(token);
  EXPECT_LT(heap_requests - before, 40U);
}

}  // namespace
}  // namespace token_allocation_test
}  // namespace dynamo::tokens
