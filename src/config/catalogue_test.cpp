// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>
#include <dynamo/config/catalogue.h>
#include <dynamo/config/configuration.h>

#include <filesystem>
#include <regex>
#include <set>

#include <gtest/gtest.h>

namespace dynamo::config::catalogue_test {
namespace {

const std::filesystem::path kRoot = DYNAMO_SOURCE_DIR;

std::set<std::string> names() {
  std::set<std::string> all;
  for (const Entry& entry : catalogue()) all.emplace(entry.name);
  return all;
}

TEST(Catalogue, NamesAndTomlKeysAreUnique) {
  std::set<std::string> keys;
  for (const Entry& entry : catalogue()) keys.insert(toml_key(entry));
  EXPECT_EQ(names().size(), catalogue().size());
  EXPECT_EQ(keys.size(), catalogue().size());
}

TEST(Catalogue, EveryEntryIsComplete) {
  for (const Entry& entry : catalogue()) {
    EXPECT_FALSE(entry.meaning.empty()) << entry.name;
    EXPECT_FALSE(entry.library.empty()) << entry.name;
    EXPECT_EQ(entry.meaning.find('|'), std::string_view::npos) << entry.name;
    EXPECT_EQ(entry.meaning.find('\n'), std::string_view::npos) << entry.name;
    if (entry.type == Type::number || entry.type == Type::real) {
      EXPECT_LT(entry.low, entry.high) << entry.name;
    }
  }
}

TEST(Catalogue, EveryDefaultCanBeRead) {
  const auto configuration = Configuration::load(
      {.files = {}, .environment = [](const char*) { return std::nullopt; }, .overrides = {}});
  ASSERT_TRUE(configuration);
  EXPECT_EQ(configuration->warnings(), std::vector<std::string>());
}

TEST(Catalogue, TomlKeysAreThoseOfTheReference) {
  const auto key = [](std::string_view name) {
    return toml_key({.name = name, .default_text = {}, .unit = {}, .library = {}, .meaning = {}});
  };
  EXPECT_EQ(key("DYN_RUNTIME_NUM_WORKER_THREADS"), "num_worker_threads");
  EXPECT_EQ(key("DYN_RUNTIME_MAX_BLOCKING_THREADS"), "max_blocking_threads");
  EXPECT_EQ(key("DYN_SYSTEM_HOST"), "system_host");
  EXPECT_EQ(key("DYN_SYSTEM_PORT"), "system_port");
  EXPECT_EQ(key("DYN_SYSTEM_ENABLED"), "system_enabled");
  EXPECT_EQ(key("DYN_SYSTEM_STARTING_HEALTH_STATUS"), "starting_health_status");
  EXPECT_EQ(key("DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS"), "use_endpoint_health_status");
  EXPECT_EQ(key("DYN_SYSTEM_HEALTH_PATH"), "system_health_path");
  EXPECT_EQ(key("DYN_SYSTEM_LIVE_PATH"), "system_live_path");
  EXPECT_EQ(key("DYN_COMPUTE_THREADS"), "compute_threads");
  EXPECT_EQ(key("DYN_COMPUTE_STACK_SIZE"), "compute_stack_size");
  EXPECT_EQ(key("DYN_COMPUTE_THREAD_PREFIX"), "compute_thread_prefix");
  EXPECT_EQ(key("DYN_HEALTH_CHECK_ENABLED"), "health_check_enabled");
  EXPECT_EQ(key("DYN_CANARY_WAIT_TIME"), "canary_wait_time_secs");
  EXPECT_EQ(key("DYN_HEALTH_CHECK_REQUEST_TIMEOUT"), "health_check_request_timeout_secs");
}

TEST(Catalogue, TheDocumentationIsRenderedFromIt) {
  const auto page = base::read_file(kRoot / "docs" / "configuration.md");
  ASSERT_TRUE(page) << page.error().message();
  EXPECT_EQ(*page, catalogue_markdown())
      << "renew it: ./x build -p config_catalogue && "
         "build/dev/bin/dynamo_config_catalogue > docs/configuration.md";
}

// The sources of the product name no variable that is not listed.
TEST(Catalogue, EveryVariableNamedInTheSourcesIsListed) {
  const std::set<std::string> listed = names();
  const std::regex name("\"(DYN_[A-Z0-9_]+)\"");
  for (const char* folder : {"src", "apps"}) {
    for (const auto& file : std::filesystem::recursive_directory_iterator(kRoot / folder)) {
      const std::string path = file.path().string();
      if (!path.ends_with(".cpp") && !path.ends_with(".h")) continue;
      if (path.ends_with("_test.cpp") || path.ends_with("src/config/catalogue.cpp")) continue;
      const auto text = base::read_file(path);
      ASSERT_TRUE(text);
      for (std::sregex_iterator it(text->begin(), text->end(), name), end; it != end; ++it)
        EXPECT_TRUE(listed.contains((*it)[1])) << (*it)[1] << " in " << path;
    }
  }
}

}  // namespace
}  // namespace dynamo::config::catalogue_test
