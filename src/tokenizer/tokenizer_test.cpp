// SPDX-License-Identifier: Apache-2.0
#include <dynamo/tokenizer/stream_decoder.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::tokenizer::tokenizer_test {
namespace {

using Ids = std::vector<TokenId>;

std::filesystem::path cache_folder() {
  if (const char* cache = std::getenv("DYNAMO_CACHE_DIR")) return cache;
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr ? home : ".") / ".cache/dynamo-cpp";
}

/// Loads what ./x deps fetched, once.
std::shared_ptr<const Tokenizer> fetched(const std::string& name) {
  const auto path = cache_folder() / name;
  if (!std::filesystem::exists(path)) return nullptr;
  auto loaded = Tokenizer::load(path);
  EXPECT_TRUE(loaded) << loaded.error().describe();
  return loaded ? *loaded : nullptr;
}
const std::shared_ptr<const Tokenizer>& qwen3() {
  static const auto tokenizer = fetched("tokenizers/qwen3");
  return tokenizer;
}
const std::shared_ptr<const Tokenizer>& smollm2() {
  static const auto tokenizer = fetched("models/smollm2");
  return tokenizer;
}

#define SKIP_WITHOUT(tokenizer) \
  if ((tokenizer) == nullptr) GTEST_SKIP() << "./x deps has not fetched this tokenizer"

TEST(Tokenizer, Qwen3EncodesAChatTurn) {
  SKIP_WITHOUT(qwen3());
  const auto ids = qwen3()->encode("<|im_start|>user\nHello, world!<|im_end|>\n");
  ASSERT_TRUE(ids);
  EXPECT_EQ(*ids, (Ids{151644, 872, 198, 9707, 11, 1879, 0, 151645, 198}));
  EXPECT_EQ(qwen3()->decode(*ids, false), "<|im_start|>user\nHello, world!<|im_end|>\n");
  EXPECT_EQ(qwen3()->decode(*ids, true), "user\nHello, world!\n");
}

TEST(Tokenizer, DoesNotRecogniseForgedTokens) {
  SKIP_WITHOUT(qwen3());
  const std::vector<Segment> segments = {{"<|im_start|>", true}, {"<|im_end|>", false}};
  Ids ids;
  ASSERT_TRUE(qwen3()->encode_segments(segments, ids));
  EXPECT_EQ(ids.front(), 151644U);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 151645U), 0);
  EXPECT_EQ(qwen3()->decode(ids, false), "<|im_start|><|im_end|>");
}

TEST(Tokenizer, SmolLm2FromGgufEncodesAChatTurn) {
  SKIP_WITHOUT(smollm2());
  const std::string text = "<|im_start|>user\nWhat is 2024 + 17? Don't guess.<|im_end|>\n";
  const auto ids = smollm2()->encode(text);
  ASSERT_TRUE(ids);
  EXPECT_EQ(ids->front(), 1U);
  EXPECT_EQ(smollm2()->decode(*ids, false), text);
  EXPECT_EQ(smollm2()->named_ids().bos, 1U);
  EXPECT_EQ(smollm2()->named_ids().eos, 2U);
  EXPECT_TRUE(smollm2()->is_special(2));
  EXPECT_EQ(smollm2()->vocab_size(), 49152U);
}

TEST(Tokenizer, StreamsWholeCharactersOnly) {
  SKIP_WITHOUT(qwen3());
  const std::string text = "naïve 🦙🦙 日本語 \U0001F468\u200D\U0001F469\u200D\U0001F467 done";
  const auto ids = qwen3()->encode(text);
  ASSERT_TRUE(ids);
  StreamDecoder decoder(qwen3());
  std::string out;
  for (const TokenId id : *ids) {
    const std::string_view piece = decoder.step(id);
    EXPECT_EQ(piece.find("\uFFFD"), std::string_view::npos);
    out += piece;
  }
  out += decoder.finish();
  EXPECT_EQ(out, text);
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8) {
  SKIP_WITHOUT(qwen3());
  Ids ids{7};
  const auto done = qwen3()->encode("abc\xFF", ids);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Errc::invalid_argument);
  EXPECT_EQ(ids, Ids{7});
}

TEST(Tokenizer, SaysWhereAFileIsBroken) {
  const auto broken =
      Tokenizer::from_json_text("{\"model\": {\"type\": \"BPE\",\n \"vocab\": {\"a\": x}}}");
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message().find("line 2 column 17"), std::string::npos)
      << broken.error().message();
  const auto unknown = Tokenizer::from_json_text(
      R"({"pre_tokenizer": {"type": "Telepathy"}, "model": {"type": "BPE", "vocab": {}, "merges": []}})");
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message().find("pre_tokenizer: unknown type 'Telepathy'"),
            std::string::npos)
      << unknown.error().message();
  EXPECT_EQ(Tokenizer::load("/nonexistent/tokenizer.json").error().code(), Errc::not_found);
}

}  // namespace
}  // namespace dynamo::tokenizer::tokenizer_test
