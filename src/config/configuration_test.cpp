// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/json.h>
#include <dynamo/base/log.h>
#include <dynamo/config/configuration.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include <gtest/gtest.h>
#include <unistd.h>

namespace dynamo::config::configuration_test {
namespace {

using namespace std::chrono_literals;

class ConfigurationTest : public ::testing::Test {
 protected:
  ConfigurationTest() {
    std::string name = (std::filesystem::temp_directory_path() / "dynamo-config-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    layers_.files.clear();
    layers_.environment = [this](const char* key) -> std::optional<std::string> {
      const auto found = environment_.find(key);
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    };
  }
  ~ConfigurationTest() override { std::filesystem::remove_all(folder_); }

  void file(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name) << content;
    layers_.files.push_back(folder_ / name);
  }

  Configuration load() {
    auto loaded = Configuration::load(layers_);
    EXPECT_TRUE(loaded) << loaded.error().message();
    return *std::move(loaded);
  }

  std::string load_error() {
    const auto loaded = Configuration::load(layers_);
    EXPECT_FALSE(loaded);
    return loaded ? "" : loaded.error().message();
  }

  std::filesystem::path folder_;
  std::map<std::string, std::string> environment_;
  Layers layers_;
};

TEST_F(ConfigurationTest, GivesTheBuiltInValues) {
  const Configuration configuration = load();
  EXPECT_EQ(configuration.get(var::http_body_limit_mb), 45u);
  EXPECT_EQ(configuration.get(var::shutdown_timeout), 900s);
  EXPECT_EQ(configuration.get(var::echo_delay), 10ms);
  EXPECT_EQ(configuration.get(var::compute_thread_prefix), "compute");
  EXPECT_EQ(configuration.get(var::worker_threads), std::nullopt);
  EXPECT_EQ(configuration.get(var::http_backend_timeout), std::nullopt);
  EXPECT_EQ(configuration.get(var::force_usage), false);
  EXPECT_EQ(configuration.get(var::tokenizer_cache), false);
  EXPECT_TRUE(configuration.get(var::http_api_keys).empty());
  EXPECT_EQ(configuration.source(var::http_body_limit_mb), Source::built_in);
  EXPECT_TRUE(configuration.warnings().empty());
}

TEST_F(ConfigurationTest, AHigherLayerWins) {
  file("defaults.toml",
       "num_worker_threads = 2\ncompute_threads = 3\nhttp_port = 1\nhttp_host = \"a\"\n");
  file("etc.toml", "compute_threads = 4\nhttp_port = 2\nhttp_host = \"b\"\n");
  environment_["DYN_HTTP_PORT"] = "3";
  environment_["DYN_HTTP_HOST"] = "c";
  layers_.overrides.set(var::http_host, "d");
  const Configuration configuration = load();
  EXPECT_EQ(configuration.get(var::worker_threads), 2u);
  EXPECT_EQ(configuration.get(var::compute_threads), 4u);
  EXPECT_EQ(configuration.get(var::http_port), 3u);
  EXPECT_EQ(configuration.get(var::http_host), "d");
  EXPECT_EQ(configuration.source(var::compute_threads), Source::file);
  EXPECT_EQ(configuration.source(var::http_port), Source::environment);
  EXPECT_EQ(configuration.source(var::http_host), Source::command_line);
}

TEST_F(ConfigurationTest, EmptyEnvironmentVariablesAreIgnored) {
  environment_["DYN_HTTP_BODY_LIMIT_MB"] = "";
  environment_["DYN_TOKENIZER_CACHE"] = "";
  environment_["DYN_COMPUTE_THREAD_PREFIX"] = "";
  const Configuration configuration = load();
  EXPECT_EQ(configuration.get(var::http_body_limit_mb), 45u);
  EXPECT_EQ(configuration.get(var::tokenizer_cache), false);
  EXPECT_EQ(configuration.get(var::compute_thread_prefix), "compute");
  EXPECT_EQ(configuration.source(var::tokenizer_cache), Source::built_in);
}

TEST_F(ConfigurationTest, WhatCannotBeReadFallsBackAndIsReported) {
  environment_["DYN_HTTP_BODY_LIMIT_MB"] = "lots";
  environment_["DYN_RUNTIME_NUM_WORKER_THREADS"] = "0";
  environment_["DYN_HTTP_PORT"] = "65536";
  environment_["DYN_TOKENIZER_CACHE"] = "maybe";
  environment_["DYN_TOKEN_ECHO_DELAY_MS"] = "-1";
  environment_["DYN_RUNTIME_GRACEFUL_SHUTDOWN_TIMEOUT_SECS"] = "1.5";
  const Configuration configuration = load();
  EXPECT_EQ(configuration.get(var::http_body_limit_mb), 45u);
  EXPECT_EQ(configuration.get(var::worker_threads), std::nullopt);
  EXPECT_EQ(configuration.get(var::http_port), 8000u);
  EXPECT_EQ(configuration.get(var::tokenizer_cache), false);
  EXPECT_EQ(configuration.get(var::echo_delay), 10ms);
  EXPECT_EQ(configuration.get(var::shutdown_timeout), 900s);
  ASSERT_EQ(configuration.warnings().size(), 6u);
  std::string all;
  for (const std::string& warning : configuration.warnings()) all += warning + "\n";
  for (const std::string_view part :
       {"environment variable DYN_HTTP_BODY_LIMIT_MB: expected a whole number from 1 to 2047, got "
        "\"lots\"; ignored",
        "DYN_RUNTIME_NUM_WORKER_THREADS: expected a whole number from 1 to 256, got \"0\"",
        "DYN_TOKENIZER_CACHE: expected one of true/false, 1/0, on/off, yes/no, got \"maybe\""})
    EXPECT_NE(all.find(part), std::string::npos) << all;
}

TEST_F(ConfigurationTest, ReadsEachTypeGenerously) {
  environment_["DYN_HTTP_BODY_LIMIT_MB"] = " 7 ";
  environment_["DYN_TOKENIZER_CACHE"] = "On";
  environment_["DYN_HTTP_API_KEYS"] = "one, two,,three ";
  environment_["DYN_HTTP_BACKEND_STREAM_TIMEOUT_SECS"] = "30";
  environment_["DYN_HTTP_SSE_KEEP_ALIVE_INTERVAL_MS"] = "1500";
  const Configuration configuration = load();
  EXPECT_EQ(configuration.get(var::http_body_limit_mb), 7u);
  EXPECT_EQ(configuration.get(var::tokenizer_cache), true);
  EXPECT_EQ(configuration.get(var::http_api_keys),
            (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(configuration.get(var::http_backend_timeout), 30s);
  EXPECT_EQ(configuration.get(var::http_sse_keep_alive), 1500ms);
}

TEST_F(ConfigurationTest, FilesMayUseEveryKindOfTomlValue) {
  file("a.toml",
       "num_worker_threads = 6\ncompute_threads = \"5\"\ntokenizer_cache = true\n"
       "http_api_keys = [\"a\", \"b\"]\nhttp_svc_chat_path = '/chat'\n");
  const Configuration configuration = load();
  EXPECT_EQ(configuration.get(var::worker_threads), 6u);
  EXPECT_EQ(configuration.get(var::compute_threads), 5u);
  EXPECT_EQ(configuration.get(var::tokenizer_cache), true);
  EXPECT_EQ(configuration.get(var::http_api_keys), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(configuration.get(var::http_chat_path), "/chat");
}

TEST_F(ConfigurationTest, UnknownAndUnreadableMembersOfAFileAreReported) {
  file("a.toml", "num_worker_threads = -3\nno_such_setting = 1\n[table]\nx = 1\n");
  const Configuration configuration = load();
  EXPECT_EQ(configuration.get(var::worker_threads), std::nullopt);
  ASSERT_EQ(configuration.warnings().size(), 3u);
  for (const std::string& warning : configuration.warnings())
    EXPECT_TRUE(warning.starts_with((folder_ / "a.toml").string())) << warning;
}

TEST_F(ConfigurationTest, FilesThatDoNotExistAreSkipped) {
  layers_.files.push_back(folder_ / "absent.toml");
  EXPECT_EQ(load().get(var::http_port), 8000u);
}

TEST_F(ConfigurationTest, AFileThatIsNotTomlIsAnErrorWithItsPlace) {
  file("broken.toml", "a = 1\nb = = 2\n");
  const std::string message = load_error();
  EXPECT_TRUE(message.starts_with((folder_ / "broken.toml").string() + ": ")) << message;
  EXPECT_NE(message.find("at line 2 column 5"), std::string::npos) << message;
}

TEST_F(ConfigurationTest, ABadCommandLineValueIsAnError) {
  layers_.overrides.set(var::http_port, "http");
  EXPECT_EQ(load_error(), "DYN_HTTP_PORT: expected a whole number from 0 to 65535, got \"http\"");
}

TEST_F(ConfigurationTest, ShowsEveryValueWithItsSource) {
  file("a.toml", "compute_threads = 4\n");
  environment_["DYN_HTTP_BODY_LIMIT_MB"] = "7";
  environment_["DYN_HTTP_API_KEYS"] = "secret-one,secret-two";
  layers_.overrides.set(var::http_port, "9000");
  const std::string text = load().to_json();
  EXPECT_EQ(text.find("secret-one"), std::string::npos);
  const auto json = parse_json(text);
  ASSERT_TRUE(json);
  EXPECT_EQ(json->if_object()->size(), catalogue().size());
  const auto shown = [&](std::string_view name) { return json->find(name)->dump(); };
  EXPECT_EQ(shown("DYN_HTTP_BODY_LIMIT_MB"), R"({"value":7,"source":"environment"})");
  EXPECT_EQ(shown("DYN_HTTP_PORT"), R"({"value":9000,"source":"command line"})");
  EXPECT_EQ(shown("DYN_COMPUTE_THREADS"),
            R"({"value":4,"source":")" + (folder_ / "a.toml").string() + "\"}");
  EXPECT_EQ(shown("DYN_TOKEN_ECHO_DELAY_MS"), R"({"value":10,"source":"default"})");
  EXPECT_EQ(shown("DYN_RUNTIME_GRACEFUL_SHUTDOWN_TIMEOUT_SECS"),
            R"({"value":900,"source":"default"})");
  EXPECT_EQ(shown("DYN_HTTP_BACKEND_STREAM_TIMEOUT_SECS"), R"({"value":null,"source":"default"})");
  EXPECT_EQ(shown("DYN_LOG"), R"({"value":"info","source":"default"})");
  EXPECT_EQ(shown("DYN_HTTP_API_KEYS"), R"({"value":"2 hidden","source":"environment"})");
}

TEST(ScopedConfiguration, ReplacesTheProcesssValuesWhileItLives) {
  const ScopedConfiguration outer{{"DYN_HTTP_PORT", "1"}};
  EXPECT_EQ(get(var::http_port), 1u);
  {
    const ScopedConfiguration inner{{"DYN_TOKEN_ECHO_DELAY_MS", "0"}};
    EXPECT_EQ(get(var::http_port), 8000u);
    EXPECT_EQ(get(var::echo_delay), 0ns);
  }
  EXPECT_EQ(get(var::http_port), 1u);
}

TEST(ScopedConfigurationDeathTest, KnowsOnlyListedVariables) {
  EXPECT_DEATH(ScopedConfiguration({{"DYN_NO_SUCH", "1"}}), "assertion failed");
}

TEST(ProcessConfigurationDeathTest, ReadsTheEnvironmentUntilOneIsInstalled) {
  EXPECT_EXIT(
      {
        ::setenv("DYN_HTTP_PORT", "4711", 1);
        ::setenv("DYN_HTTP_BODY_LIMIT_MB", "many", 1);
        const bool before = get(var::http_port) == 4711;
        Layers layers;
        layers.files.clear();
        layers.overrides.set(var::http_port, "4712");
        auto loaded = Configuration::load(layers);
        install(*std::move(loaded));
        std::_Exit(before && get(var::http_port) == 4712 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0),
      "WARN config: environment variable DYN_HTTP_BODY_LIMIT_MB: expected a whole number");
}

}  // namespace
}  // namespace dynamo::config::configuration_test
