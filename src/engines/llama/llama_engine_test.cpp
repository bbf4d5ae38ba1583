// SPDX-License-Identifier: Apache-2.0
#include <dynamo/engines/llama/llama_engine.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "engines/batching/testing/requests.h"

namespace dynamo::engines::llama {
namespace llama_engine_test {
namespace {

using batching::testing::Answer;
using batching::testing::ask;
using batching::testing::greedy_request;
using llm::TokenId;

const std::filesystem::path kModel =
    std::filesystem::path(DYNAMO_MODELS_DIR) / "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";

/// "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n" in
/// SmolLM2's tokens.
const std::vector<TokenId> kCapitalOfFrance{1,    4093, 198, 1780, 314, 260, 3575, 282,
                                            4649, 47,   2,   198,  1,   520, 9531, 198};
constexpr TokenId kParis = 7042;  // " Paris"

class LlamaEngineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kModel)) {
      GTEST_SKIP() << kModel << " is not there; ./x deps fetches it";
    }
  }
  static Config small() {
    Config config;
    config.n_threads = 1;  // tests share the machine; see Config::n_threads
    config.n_ctx = 2048;
    return config;
  }
  static std::unique_ptr<LlamaEngine> load(const Config& config, LoadOptions options = {}) {
    auto engine = LlamaEngine::load(kModel, config, std::move(options));
    EXPECT_TRUE(engine) << engine.error().describe();
    return engine ? *std::move(engine) : nullptr;
  }
};

TEST_F(LlamaEngineTest, KnowsThatTheCapitalOfFranceIsParis) {
  const auto engine = load(small());
  ASSERT_NE(engine, nullptr);
  const Answer answer = ask(*engine, greedy_request(kCapitalOfFrance, 24));
  ASSERT_FALSE(answer.error) << answer.error->describe();
  EXPECT_TRUE(std::ranges::find(answer.tokens, kParis) != answer.tokens.end())
      << ::testing::PrintToString(answer.tokens);
  EXPECT_EQ(answer.finish(), llm::FinishReason::Kind::eos);
  EXPECT_EQ(answer.outputs.back().completion_usage->prompt_tokens, kCapitalOfFrance.size());
}

}  // namespace
}  // namespace llama_engine_test
}  // namespace dynamo::engines::llama
