// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/json.h>
#include <dynamo/engines/llama/llama_engine.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "engines/batching/testing/requests.h"
#include "engines/llama/testing/lora_file.h"
#include "engines/llama/testing/vocabulary.h"

namespace dynamo::engines::llama {
namespace llama_engine_test {
namespace {

using namespace std::chrono_literals;
using batching::testing::Answer;
using batching::testing::ask;
using batching::testing::greedy_request;
using batching::testing::read_answer;
using llm::TokenId;
using Kind = llm::FinishReason::Kind;

const std::filesystem::path kModel =
    std::filesystem::path(DYNAMO_MODELS_DIR) / "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";

class LlamaEngineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kModel)) {
      GTEST_SKIP() << kModel << " is not there; ./x deps fetches it";
    }
    vocabulary_ = testing::Vocabulary::load(kModel);
    ASSERT_NE(vocabulary_, nullptr);
  }
  static Config small() {
    Config config;
    config.n_threads = 1;  // tests share the machine; see Config::n_threads
    config.n_ctx = 1024;
    return config;
  }
  static std::unique_ptr<LlamaEngine> load(const Config& config, LoadOptions options = {}) {
    auto engine = LlamaEngine::load(kModel, config, std::move(options));
    EXPECT_TRUE(engine) << engine.error().describe();
    return engine ? *std::move(engine) : nullptr;
  }
  std::vector<TokenId> chat(const std::string& question) const {
    return vocabulary_->encode("<|im_start|>user\n" + question +
                               "<|im_end|>\n<|im_start|>assistant\n");
  }
  std::string text(const std::vector<TokenId>& tokens) const { return vocabulary_->decode(tokens); }
  /// A prompt of a good 300 tokens that ends in its own question.
  std::vector<TokenId> long_chat(const std::string& question) const {
    std::string about;
    for (int i = 1; i <= 22; ++i) {
      about +=
          "Fact " + std::to_string(i) + ": the river number " + std::to_string(i) + " is long. ";
    }
    return chat(about + question);
  }
  std::shared_ptr<const testing::Vocabulary> vocabulary_;
};

TEST_F(LlamaEngineTest, KnowsThatTheCapitalOfFranceIsParis) {
  const auto engine = load(small());
  const Answer answer = ask(*engine, greedy_request(chat("What is the capital of France?"), 24));
  ASSERT_FALSE(answer.error) << answer.error->describe();
  EXPECT_EQ(text(answer.tokens), "The capital of France is Paris.");
  EXPECT_EQ(answer.finish(), Kind::eos);
  const auto& usage = *answer.outputs.back().completion_usage;
  EXPECT_EQ(usage.prompt_tokens, chat("What is the capital of France?").size());
  EXPECT_EQ(usage.completion_tokens, answer.tokens.size());
}

TEST_F(LlamaEngineTest, TellsTheFactsOfTheModel) {
  const auto engine = load(small());
  const auto info = engine->info();
  EXPECT_EQ(info.context_length, 1024U);
  EXPECT_EQ(info.kv_block_size_tokens, 16U);
  EXPECT_EQ(info.kv_blocks_total, 64U);
  EXPECT_EQ(info.max_num_seqs, 8U);
  EXPECT_NE(info.name.find("Q4_1"), std::string::npos);
  EXPECT_NE(library_version().find("llama.cpp"), std::string::npos);
  EXPECT_FALSE(compute_device().empty());
}

TEST_F(LlamaEngineTest, ReuseOfAPrefixChangesNothingButTheWork) {
  const auto first = long_chat("How many rivers are there?");
  const auto second = long_chat("Which river is the longest?");
  ASSERT_GE(first.size(), 300U);
  const auto shared =
      static_cast<std::size_t>(std::ranges::mismatch(first, second).in1 - first.begin());
  Config without = small();
  without.enable_prefix_caching = false;
  const auto plain = load(without);
  const Answer expected = ask(*plain, greedy_request(second, 8));
  EXPECT_EQ(expected.cached_tokens(), 0U);

  const auto engine = load(small());
  EXPECT_EQ(ask(*engine, greedy_request(first, 2)).cached_tokens(), 0U);
  // The counts are those of the last step, which ends a moment after the answer has arrived.
  const auto prefilled = [&] {
    while (engine->statistics().running > 0) std::this_thread::yield();
    return engine->statistics().prefill_tokens_total;
  };
  const auto before = prefilled();
  const Answer answer = ask(*engine, greedy_request(second, 8));
  EXPECT_GE(answer.cached_tokens(), shared / 16 * 16 - 16);
  EXPECT_LT(prefilled() - before, 64U);
  EXPECT_EQ(answer.tokens, expected.tokens);
  EXPECT_EQ(ask(*engine, greedy_request(second, 8)).tokens, expected.tokens);
}

/// In fresh engines, where every sequence's cells lie in the order of their positions; elsewhere
/// the attention's sums are rounded in another order (README).
TEST_F(LlamaEngineTest, FourRequestsTogetherAnswerAsTheyDoAlone) {
  std::vector<llm::PreprocessedRequest> requests;
  for (const char* question : {"What is the capital of France?", "Count from one to ten.",
                               "Say hello.", "What colour is the sky?"}) {
    requests.push_back(greedy_request(chat(question), 16));
  }
  const auto together = ask(*load(small()), requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Answer alone = ask(*load(small()), requests[i]);
    EXPECT_EQ(together[i].tokens, alone.tokens) << text(together[i].tokens);
  }
}

TEST_F(LlamaEngineTest, MoreRequestsThanCellsAllFinish) {
  Config config = small();
  config.n_ctx = 256;
  const auto engine = load(config);
  std::vector<llm::PreprocessedRequest> requests;
  for (int i = 0; i < 4; ++i) {
    requests.push_back(greedy_request(chat("Tell me story number " + std::to_string(i)), 60));
    requests.back().stop_conditions.ignore_eos = true;
  }
  for (const Answer& answer : ask(*engine, requests)) {
    ASSERT_FALSE(answer.error) << answer.error->describe();
    EXPECT_EQ(answer.tokens.size(), 60U);
    EXPECT_EQ(answer.finish(), Kind::length);
  }
  EXPECT_GT(engine->statistics().preemptions_total, 0U);
}

TEST_F(LlamaEngineTest, EventsReplayedGiveTheBlocksThatAreHeld) {
  std::set<tokens::SequenceHash> held;
  Config config = small();
  config.n_ctx = 256;
  auto engine = load(
      config, {.progress = {}, .on_kv_event = [&held](const batching::KvEvent& event) {
                 if (const auto* stored = std::get_if<batching::KvStored>(&event.data)) {
                   EXPECT_TRUE(!stored->parent || held.contains(*stored->parent));
                   for (const auto& block : stored->blocks) held.insert(block.sequence_hash);
                 } else if (const auto* removed = std::get_if<batching::KvRemoved>(&event.data)) {
                   for (const auto hash : removed->blocks) EXPECT_EQ(held.erase(hash), 1U);
                 }
               }});
  std::vector<llm::PreprocessedRequest> requests;
  for (int i = 0; i < 6; ++i) {
    requests.push_back(greedy_request(chat("Tell me about the number " + std::to_string(i)), 30));
  }
  std::uint64_t generated = 0;
  for (const Answer& answer : ask(*engine, requests)) generated += answer.tokens.size();
  const auto settled = [&] {
    const auto now = engine->statistics();
    return now.running == 0 && now.generated_tokens_total == generated;
  };
  for (int i = 0; i < 2000 && !settled(); ++i) std::this_thread::sleep_for(1ms);
  const std::uint32_t blocks = engine->statistics().kv_blocks_cached;
  engine.reset();  // its thread has ended, so `held` may be read
  EXPECT_EQ(held.size(), blocks);
  EXPECT_GT(blocks, 4U);
}

TEST_F(LlamaEngineTest, AClientThatLeavesFreesItsCells) {
  const auto engine = load(small());
  boost::asio::io_context io;
  auto request = greedy_request(chat("Tell me a long story."), 500);
  boost::asio::co_spawn(io,
                        read_answer(*engine, request, runtime::Context::create("leaves"),
                                    [](const Answer& so_far) { return so_far.tokens.size() < 3; }),
                        [](const std::exception_ptr&, const Answer&) {});
  io.run();
  const auto left = std::chrono::steady_clock::now();
  while (engine->statistics().running > 0 && std::chrono::steady_clock::now() - left < 5s) {
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(engine->statistics().kv_blocks_active, 0U);
  EXPECT_LT(engine->statistics().generated_tokens_total, 120U);
}

TEST_F(LlamaEngineTest, APromptThatDoesNotFitIsRefusedBeforeAnythingIsComputed) {
  Config config = small();
  config.n_ctx = 256;
  const auto engine = load(config);
  const Answer answer = ask(*engine, greedy_request(long_chat("?"), 5));
  ASSERT_TRUE(answer.error);
  EXPECT_EQ(answer.error->reason(), "context_length_exceeded");
  EXPECT_NE(answer.error->message().find("256 tokens"), std::string::npos);
  EXPECT_EQ(engine->statistics().steps_total, 0U);
}

TEST_F(LlamaEngineTest, APromptLongerThanTheBatchIsComputedInChunks) {
  Config config = small();
  config.n_batch = config.n_ubatch = 64;
  const auto engine = load(config);
  const Answer answer = ask(*engine, greedy_request(long_chat("Say hello."), 4));
  EXPECT_GE(answer.tokens.size(), 1U);
  EXPECT_LE(engine->statistics().batch_tokens_max, 64U);
}

TEST_F(LlamaEngineTest, EndsWithinASecondWhileItComputes) {
  auto engine = load(small());
  boost::asio::io_context io;
  Answer answer;
  boost::asio::co_spawn(io,
                        read_answer(*engine, greedy_request(long_chat("Tell me all."), 400),
                                    runtime::Context::create("test")),
                        [&](const std::exception_ptr&, Answer a) { answer = std::move(a); });
  std::jthread reader([&io] { io.run(); });
  for (int i = 0; i < 1000 && engine->statistics().running == 0; ++i)
    std::this_thread::sleep_for(1ms);
  const auto start = std::chrono::steady_clock::now();
  engine.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 1s);
  reader.join();
  ASSERT_TRUE(answer.error);
  EXPECT_EQ(answer.error->code(), Errc::unavailable);
}

TEST_F(LlamaEngineTest, ASeedIsRepeatableAndChoicesDiffer) {
  const auto engine = load(small());
  auto request = greedy_request(chat("Tell me a story."), 12);
  request.stop_conditions.ignore_eos = true;
  request.sampling_options.temperature = 1.0F;
  request.sampling_options.top_p = 0.95F;
  request.sampling_options.seed = 7;
  const Answer first = ask(*engine, request);
  const Answer second = ask(*engine, request);
  EXPECT_EQ(first.tokens, second.tokens);
  request.sampling_options.n = 2;
  const Answer both = ask(*engine, request);
  ASSERT_EQ(both.choices.size(), 2U);
  EXPECT_EQ(both.choices[0], first.tokens);
  EXPECT_NE(both.choices[0], both.choices[1]);
}

TEST_F(LlamaEngineTest, LogprobsAreProbabilities) {
  const auto engine = load(small());
  auto request = greedy_request(chat("What is the capital of France?"), 5);
  request.output_options.logprobs = 4;
  const Answer answer = ask(*engine, request);
  for (const auto& output : answer.outputs) {
    const auto& top = output.top_logprobs->front();
    ASSERT_EQ(top.size(), 4U);
    EXPECT_EQ(top[0].token_id, output.token_ids.front());
    EXPECT_DOUBLE_EQ(top[0].logprob, output.log_probs->front());
    double sum = 0;
    for (const auto& one : top) sum += std::exp(one.logprob);
    EXPECT_LE(sum, 1.0 + 1e-6);
    EXPECT_GT(sum, 0.1);
  }
}

TEST_F(LlamaEngineTest, AnswersFollowASchemaAChoiceAndAnExpression) {
  const auto engine = load(small());
  auto request = greedy_request(chat("Who is Ada? Answer in JSON."), 80);
  auto& guided = request.sampling_options.guided_decoding.emplace();
  guided.json = *parse_json(
      R"({"type":"object","properties":{"name":{"type":"string","maxLength":20},"age":{"type":"integer","minimum":0,"maximum":150},"tags":{"type":"array","items":{"enum":["a","b"]},"maxItems":2}},"required":["name","age","tags"],"additionalProperties":false})");
  const Answer object = ask(*engine, request);
  ASSERT_FALSE(object.error) << object.error->describe();
  const auto json = parse_json(text(object.tokens));
  ASSERT_TRUE(json) << text(object.tokens);
  EXPECT_TRUE(json->find("name")->is_string());
  EXPECT_LE(*json->find("age")->as_uint64(), 150U);
  EXPECT_EQ(object.finish(), Kind::eos);

  guided = {};
  guided.json = Json::object({{"type", "object"}});
  request.stop_conditions.max_tokens = 40;
  const Answer any = ask(*engine, request);
  EXPECT_TRUE(any.finish() == Kind::length || parse_json(text(any.tokens))) << text(any.tokens);

  guided = {};
  guided.choice = std::vector<std::string>{"maybe", "never"};
  const std::string chosen = text(ask(*engine, request).tokens);
  EXPECT_TRUE(chosen == "maybe" || chosen == "never") << chosen;

  guided = {};
  guided.regex = "[A-Z]{3}-\\d{4}";
  const std::string code = text(ask(*engine, request).tokens);
  EXPECT_EQ(code.size(), 8U) << code;
  EXPECT_EQ(code[3], '-');

  guided = {};
  guided.grammar = "root ::= (\"ha\" | \"ho\"){3} \"!\"";
  EXPECT_EQ(text(ask(*engine, request).tokens).size(), 7U);

  guided.grammar = "root ::= root \"a\"";
  const Answer recursive = ask(*engine, request);
  ASSERT_TRUE(recursive.error);
  EXPECT_EQ(recursive.error->code(), Errc::invalid_argument);
}

TEST_F(LlamaEngineTest, AQuantizedCacheWorks) {
  Config config = small();
  config.cache_type_k = CacheType::q8_0;
  config.load_mode = LoadMode::none;
  const auto engine = load(config);
  const Answer answer = ask(*engine, greedy_request(chat("What is the capital of France?"), 12));
  EXPECT_NE(text(answer.tokens).find("Paris"), std::string::npos) << text(answer.tokens);
}

TEST_F(LlamaEngineTest, AnAdapterChangesWhatTheModelSays) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("dynamo_lora_test_" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const auto answer_with = [&](float strength, float scale) {
    testing::write_lora(folder / "adapter.gguf", strength);
    Config config = small();
    config.lora.push_back({.name = "a", .path = folder / "adapter.gguf", .scale = scale});
    auto request = greedy_request(chat("What is the capital of France?"), 6);
    request.output_options.logprobs = 0;
    return ask(*load(config), request);
  };
  const Answer neutral = answer_with(0.0F, 1.0F);
  EXPECT_EQ(text(neutral.tokens), "The capital of France is Paris");
  const Answer off = answer_with(1.0F, 0.0F);
  EXPECT_EQ(*off.outputs.front().log_probs, *neutral.outputs.front().log_probs);
  EXPECT_NE(*answer_with(1.0F, 1.0F).outputs.front().log_probs, *neutral.outputs.front().log_probs);
  std::filesystem::remove_all(folder);
}

TEST_F(LlamaEngineTest, LoadingTellsItsProgressAndCanBeGivenUp) {
  float last = -1;
  bool grows = true;
  ASSERT_TRUE(LlamaEngine::load(kModel, small(), {.progress = [&](float done) {
                                  grows = grows && done >= last;
                                  last = done;
                                  return true;
                                }}));
  EXPECT_TRUE(grows);
  EXPECT_FLOAT_EQ(last, 1.0F);
  const auto given_up =
      LlamaEngine::load(kModel, small(), {.progress = [](float) { return false; }});
  EXPECT_EQ(given_up.error().code(), Errc::cancelled);
}

TEST_F(LlamaEngineTest, ConfigurationsThatDoNotFitNameTheirKey) {
  const auto key_of = [](auto change) {
    Config config = small();
    change(config);
    const auto engine = LlamaEngine::load(kModel, config);
    return engine ? std::string() : engine.error().param();
  };
  EXPECT_EQ(key_of([](Config& c) { c.n_batch = 0; }), "n_batch");
  EXPECT_EQ(key_of([](Config& c) { c.n_ubatch = 1024; }), "n_ubatch");
  EXPECT_EQ(key_of([](Config& c) { c.max_num_seqs = 257; }), "max_num_seqs");
  EXPECT_EQ(key_of([](Config& c) { c.n_threads = 100'000; }), "n_threads");
  EXPECT_EQ(key_of([](Config& c) { c.n_ctx = 1U << 30; }), "n_ctx");
  // 386 GB of KV cache.
  if (::sysconf(_SC_PHYS_PAGES) * ::sysconf(_SC_PAGE_SIZE) < (300L << 30)) {
    EXPECT_EQ(key_of([](Config& c) { c.n_ctx = 1U << 24; }), "n_ctx");
  }
  EXPECT_EQ(key_of([](Config& c) { c.kv_cache_block_size = 0; }), "kv_cache_block_size");
  EXPECT_EQ(key_of([](Config& c) { c.lora.push_back({.name = "x", .path = "/no/such/file"}); }),
            "lora");
}

TEST(LlamaEngineLoad, FilesThatAreNoModelsAreRefused) {
  const auto error_of = [](const std::filesystem::path& path) {
    return LlamaEngine::load(path, {}).error();
  };
  EXPECT_EQ(error_of("/no/such/model.gguf").code(), Errc::not_found);
  const auto folder =
      std::filesystem::temp_directory_path() / ("dynamo_llama_test_" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  EXPECT_EQ(error_of(folder).code(), Errc::invalid_argument);
  std::ofstream(folder / "text.gguf") << "this is not a model";
  EXPECT_NE(error_of(folder / "text.gguf").message().find("not a GGUF"), std::string::npos);
  std::ofstream(folder / "short.gguf") << "GGUF\x03";
  EXPECT_EQ(error_of(folder / "short.gguf").code(), Errc::invalid_argument);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace llama_engine_test
}  // namespace dynamo::engines::llama
