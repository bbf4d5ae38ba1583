// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/hash.h>
#include <dynamo/llm/model_card.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "llm/card/json5_numbers.h"
#include "llm/card/model_files.h"
#include "llm/test_tokenizer.h"

namespace dynamo::llm::model_card_test {
namespace {

namespace fs = std::filesystem;

/// A model folder of its own, removed at the end.
class Folder {
 public:
  Folder() {
    static int count = 0;
    path_ = fs::temp_directory_path() /
            ("dynamo-card-" + std::to_string(getpid()) + "-" + std::to_string(count++));
    fs::create_directories(path_);
    write("tokenizer.json", test::tokenizer_json());
    write("config.json",
          R"({"model_type":"tiny","eos_token_id":258,"max_position_embeddings":2048})");
    write("tokenizer_config.json",
          R"({"chat_template":"{{ messages[0].content }}","eos_token":"<|end|>"})");
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  void write(const std::string& name, std::string_view text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  void remove(const std::string& name) const { fs::remove(path_ / name); }
  const fs::path& path() const { return path_; }
  Result<ModelCardPtr> load(const ModelCardOptions& options = {.name = "Org/Tiny"}) const {
    return load_model_card(path_, options);
  }

 private:
  fs::path path_;
};

ModelCardPtr loaded(const Folder& folder, const ModelCardOptions& options = {.name = "Org/Tiny"}) {
  auto card = folder.load(options);
  if (!card) ADD_FAILURE() << card.error().describe();
  return card.value_or(std::make_shared<ModelCard>());
}

TEST(ModelCard, AFolderTellsEverything) {
  const Folder folder;
  folder.write(
      "generation_config.json",
      R"({"eos_token_id":[258,259,258],"bos_token_id":3,"temperature":0.6,"top_k":20,"top_p":0.95})");
  const ModelCardPtr card = loaded(folder);
  EXPECT_EQ(card->name, "Org/Tiny");
  EXPECT_EQ(card->slug, "org_tiny");
  EXPECT_EQ(card->model_type, "tiny");
  EXPECT_EQ(card->context_length(), 2048U);
  EXPECT_EQ(card->eos_token_ids, (std::vector<TokenId>{258, 259}));
  EXPECT_EQ(card->bos_token_id, 3U);
  EXPECT_EQ(card->generation_defaults.temperature, 0.6F);
  EXPECT_EQ(card->generation_defaults.top_k, 20);
  EXPECT_NE(card->tokenizer, nullptr);
  EXPECT_NE(card->formatter, nullptr) << card->chat_disabled_reason;
  EXPECT_EQ(card->tokenizer_file->checksum, "blake3:" + base::blake3_hex(test::tokenizer_json()));
}

TEST(ModelCard, EndTokensComeFromTheFirstFileThatHasThem) {
  const Folder folder;
  EXPECT_EQ(loaded(folder)->eos_token_ids, (std::vector<TokenId>{258}));
  folder.write("config.json",
               R"({"text_config":{"eos_token_id":[259],"max_position_embeddings":10}})");
  EXPECT_EQ(loaded(folder)->eos_token_ids, (std::vector<TokenId>{259}));
  EXPECT_EQ(loaded(folder)->context_length(), 10U);
  folder.write("config.json", "{}");
  EXPECT_EQ(loaded(folder)->eos_token_ids, (std::vector<TokenId>{258}))
      << "tokenizer_config names <|end|>";
  folder.write("tokenizer_config.json", R"({"eos_token":{"content":"<|turn|>"}})");
  EXPECT_EQ(loaded(folder)->eos_token_ids, (std::vector<TokenId>{259}));
  folder.write("tokenizer_config.json", "{}");
  const auto refused = folder.load();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("eos_token_id"), std::string::npos);
}

TEST(ModelCard, ContextLengthsOfOtherKinds) {
  const Folder folder;
  folder.write("config.json", R"({"eos_token_id":258,"max_position_embeddings":0})");
  folder.write("tokenizer_config.json", R"({"model_max_length":1000000000000000019884624838656})");
  EXPECT_EQ(loaded(folder)->context_length(), 0U) << "no limit is known";
  folder.write("tokenizer_config.json", R"({"model_max_length":512})");
  EXPECT_EQ(loaded(folder)->context_length(), 512U);
  ModelCardOptions options{.name = "m"};
  options.runtime_config.context_length = 128;
  EXPECT_EQ(loaded(folder, options)->context_length(), 128U) << "the engine's limit";
  folder.write("config.json", R"({"eos_token_id":258,"max_position_embeddings":"many"})");
  EXPECT_FALSE(folder.load());
}

TEST(ModelCard, NumbersThatAreNoJsonAreTolerated) {
  const Folder folder;
  folder.write("config.json",
               R"({"eos_token_id":258,"x":NaN,"y":[-Infinity,Infinity],"s":"NaN \" Infinity"})");
  EXPECT_EQ(loaded(folder)->eos_token_ids, (std::vector<TokenId>{258}));
  EXPECT_EQ(detail::without_json5_numbers(R"({"a":"NaN\"NaN","b":NaN})"),
            R"({"a":"NaN\"NaN","b":null})");
}

TEST(ModelCard, ABrokenTemplateSwitchesChatOffAndSaysWhy) {
  const Folder folder;
  folder.write("chat_template.jinja", "{% for %}");
  const ModelCardPtr card = loaded(folder);
  EXPECT_EQ(card->formatter, nullptr);
  EXPECT_FALSE(card->chat_disabled_reason.empty());
  EXPECT_NE(card->tokenizer, nullptr);
  folder.write("chat_template.jinja", "ok");
  folder.write("tokenizer_config.json", R"({"chat_template":5})");
  const ModelCardPtr other = loaded(folder);
  EXPECT_EQ(other->formatter == nullptr, !other->chat_disabled_reason.empty());
}

TEST(ModelCard, MissingAndBrokenFilesAreNamed) {
  const Folder folder;
  folder.write("config.json", "{\"eos_token_id\":");
  const auto broken = folder.load();
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message().find("config.json"), std::string::npos)
      << broken.error().message();
  folder.remove("config.json");
  const auto missing = folder.load();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Errc::not_found);
  const auto nowhere = load_model_card("/nowhere/at/all");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code(), Errc::not_found);
  EXPECT_NE(nowhere.error().message().find("/nowhere/at/all"), std::string::npos);
  folder.write("model.bin", "x");
  EXPECT_FALSE(load_model_card(folder.path() / "model.bin"));
  EXPECT_FALSE(
      load_model_card(folder.path(), {.name = "m", .chat_template = folder.path() / "none.jinja"}));
}

TEST(ModelCard, AGgufFileTellsEverything) {
  const char* set = std::getenv("DYNAMO_CACHE_DIR");
  const char* home = std::getenv("HOME");
  const fs::path cache =
      set != nullptr ? fs::path(set) : fs::path(home != nullptr ? home : "") / ".cache/dynamo-cpp";
  const fs::path file = cache / "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!fs::exists(file)) GTEST_SKIP() << file << " is not here; ./x deps fetches it";
  const auto loaded_card = load_model_card(file);
  ASSERT_TRUE(loaded_card) << loaded_card.error().describe();
  const ModelCard& card = **loaded_card;
  EXPECT_EQ(card.model_type, "llama");
  EXPECT_EQ(card.context_length(), 8192U);
  EXPECT_EQ(card.eos_token_ids, (std::vector<TokenId>{2})) << "<|im_end|>";
  EXPECT_EQ(card.tokenizer->id_of("<|im_end|>"), 2U);
  EXPECT_NE(card.formatter, nullptr) << card.chat_disabled_reason;
  EXPECT_FALSE(card.name.empty());
  EXPECT_EQ(card.mdc_sum.size(), 64U);
  EXPECT_EQ(load_model_card(file, {.name = "smol"}).value()->name, "smol");
}

TEST(ModelCard, SlugsKeepOnlyWhatKeysMayHave) {
  EXPECT_EQ(slugify("Qwen/Qwen3-0.6B"), "qwen_qwen3-0_6b");
  EXPECT_EQ(slugify("/models/x"), "models_x");
  EXPECT_EQ(slugify("é"), "");
}

TEST(ModelCard, TheSumOfARecordedCardIsTheOneInItsRequests) {
  ModelCard card;
  card.name = "qwen3";
  const auto file = [](std::string_view hash) {
    return CheckedFile{.checksum = "blake3:" + std::string(hash)};
  };
  card.model_info_file = file("9ca78bcfcba32365d277c1bb192e994717942d71f7c0e154127c02ee772e6c47");
  card.tokenizer_file = file("b0cb923fc505fdf0a53f0287654fa26577d3f333d4134350da0a97664b228739");
  card.prompt_formatter_file =
      file("462b64713e7a0c08d58f5da7fa54eb2e520172f25cb7b7c07b9d4ddb872aabe9");
  card.generation_config_file =
      file("e2828fb19bb3b02c2934db29dad5a79af9ce846562f9c950c8718ced429d8827");
  card.architectural_context_length = 40960;
  card.runtime_config.context_length = 4096;
  // Of the mocker with --max-model-len 4096 (conformance/wire, discovery_file.json and
  // tcp_json.json).
  EXPECT_EQ(detail::mdc_sum(card),
            "d7fafd62fc84df4f826707ac70f4d578a05e6becc67172e4b51ac81859c785ca");
}

TEST(ModelCard, TheSumIsOverNamesAndLengthsButNotTheRuntime) {
  ModelCard card;
  card.name = "m";
  const std::string plain = detail::mdc_sum(card);
  card.runtime_config.tool_call_parser = "hermes";
  EXPECT_EQ(detail::mdc_sum(card), plain);
  card.kv_block_size_tokens = 32;
  EXPECT_NE(detail::mdc_sum(card), plain);
  card.kv_block_size_tokens = 16;
  card.needs = {{WorkerType::decode}};
  EXPECT_NE(detail::mdc_sum(card), plain);
  card.needs.clear();
  card.aliases = {"a"};
  EXPECT_NE(detail::mdc_sum(card), plain);
}

}  // namespace
}  // namespace dynamo::llm::model_card_test
