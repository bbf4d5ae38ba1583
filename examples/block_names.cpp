// SPDX-License-Identifier: Apache-2.0
#include <dynamo/tokens/hash.h>

#include "expect.h"

using namespace dynamo;

int main() {
  const std::vector<tokens::Token> prompt = {1, 2, 3, 4, 5,
                                             6, 7, 8, 9};  // the ninth fills no block
  const auto blocks = tokens::hash_blocks(prompt, 4);
  const auto chain = tokens::sequence_hashes(blocks);
  EXPECT(blocks.size() == 2 && chain.size() == 2);

  // A tenant's blocks never match those of another.
  const tokens::SaltHash salt = tokens::request_salt("", "tenant-a");
  EXPECT(tokens::hash_blocks(prompt, 4, {.salt = salt})[0] != blocks[0]);
}
