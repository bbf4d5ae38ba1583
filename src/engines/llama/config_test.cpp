// SPDX-License-Identifier: Apache-2.0
#include <dynamo/engines/llama/config.h>

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace dynamo::engines::llama {
namespace config_test {
namespace {

Result<Config> read(std::string_view text) {
  auto json = parse_json(text);
  EXPECT_TRUE(json) << text;
  return config_from_json(*json);
}

TEST(LlamaConfig, ReadsEveryKey) {
  const auto config = read(
      R"({"n_gpu_layers":-1,"n_ctx":4096,"n_batch":256,"n_ubatch":128,"max_num_seqs":4,"max_waiting":9,
          "n_threads":2,"n_threads_batch":3,"cache_type_k":"q8_0","cache_type_v":"f32","load_mode":"mlock",
          "lora":[{"name":"a","path":"/a.gguf","scale":0.5}],"enable_prefix_caching":false,
          "kv_cache_block_size":32,"seed":18446744073709551615})");
  ASSERT_TRUE(config) << config.error().describe();
  EXPECT_EQ(config->n_gpu_layers, -1);
  EXPECT_EQ(config->n_ctx, 4096U);
  EXPECT_EQ(config->n_batch, 256U);
  EXPECT_EQ(config->n_ubatch, 128U);
  EXPECT_EQ(config->max_num_seqs, 4U);
  EXPECT_EQ(config->max_waiting, 9U);
  EXPECT_EQ(config->n_threads, 2U);
  EXPECT_EQ(config->n_threads_batch, 3U);
  EXPECT_EQ(config->cache_type_k, CacheType::q8_0);
  EXPECT_EQ(config->cache_type_v, CacheType::f32);
  EXPECT_EQ(config->load_mode, LoadMode::mlock);
  ASSERT_EQ(config->lora.size(), 1U);
  EXPECT_EQ(config->lora[0].path, "/a.gguf");
  EXPECT_FLOAT_EQ(config->lora[0].scale, 0.5F);
  EXPECT_FALSE(config->enable_prefix_caching);
  EXPECT_EQ(config->kv_cache_block_size, 32U);
  EXPECT_EQ(config->seed, ~std::uint64_t{0});
}

TEST(LlamaConfig, AnEmptyObjectIsTheDefaults) {
  const auto config = read("{}");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->n_batch, 512U);
  EXPECT_EQ(config->max_num_seqs, 8U);
  EXPECT_TRUE(config->enable_prefix_caching);
  EXPECT_FALSE(config->seed);
}

TEST(LlamaConfig, AnUnknownKeyIsNamedBesideTheKnownOnes) {
  const auto config = read(R"({"n_ctx":1,"n_contexts":2})");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code(), Errc::invalid_argument);
  EXPECT_EQ(config.error().param(), "n_contexts");
  EXPECT_NE(config.error().message().find("'n_contexts'"), std::string::npos);
  EXPECT_NE(config.error().message().find("n_ubatch"), std::string::npos);
}

TEST(LlamaConfig, AWrongValueNamesItsKey) {
  for (const auto& [text, key] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"n_ctx":-1})", "n_ctx"},
           {R"({"n_ctx":"4096"})", "n_ctx"},
           {R"({"n_ctx":1.5})", "n_ctx"},
           {R"({"n_batch":4294967296})", "n_batch"},
           {R"({"n_gpu_layers":99999999999})", "n_gpu_layers"},
           {R"({"enable_prefix_caching":1})", "enable_prefix_caching"},
           {R"({"cache_type_k":"f17"})", "cache_type_k"},
           {R"({"cache_type_v":3})", "cache_type_v"},
           {R"({"load_mode":"fast"})", "load_mode"},
           {R"({"lora":"a"})", "lora"},
           {R"({"lora":[{"name":"a"}]})", "lora"},
           {R"({"lora":[{"path":"a","size":3}]})", "lora"},
           {R"({"seed":-3})", "seed"}}) {
    const auto config = read(text);
    ASSERT_FALSE(config) << text;
    EXPECT_EQ(config.error().param(), key) << text;
  }
  EXPECT_EQ(read("[]").error().code(), Errc::invalid_argument);
}

TEST(LlamaConfig, ThereIsAlwaysAThread) {
  EXPECT_GE(default_threads(), 1U);
}

}  // namespace
}  // namespace config_test
}  // namespace dynamo::engines::llama
