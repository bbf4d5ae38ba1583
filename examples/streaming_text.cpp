// SPDX-License-Identifier: Apache-2.0
#include <dynamo/tokenizer/stop_matcher.h>
#include <dynamo/tokenizer/stream_decoder.h>
#include <dynamo/tokenizer/tokenizer.h>

#include "expect.h"

using namespace dynamo;

int main(int argc, char** argv) {
  auto loaded = tokenizer::Tokenizer::load(argc > 1 ? argv[1] : "tokenizer.json");
  if (!loaded) {
    std::fprintf(stderr, "%s\n", loaded.error().message().c_str());
    return 1;
  }
  const std::shared_ptr<const tokenizer::Tokenizer> tokenizer = *loaded;

  const auto ids = tokenizer->encode("Grüße, 世界! 👩‍🚀");
  EXPECT(ids);
  tokenizer::StreamDecoder decoder(tokenizer);
  std::string text;
  for (const tokenizer::TokenId id : *ids) text += decoder.step(id);  // never half a character
  text += decoder.finish();
  EXPECT(text == "Grüße, 世界! 👩‍🚀");
}
