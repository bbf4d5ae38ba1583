// SPDX-License-Identifier: Apache-2.0
#include <dynamo/config/logging.h>

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace dynamo::config::logging_test {
namespace {

class LogOptionsTest : public ::testing::Test {
 protected:
  LogOptionsTest() {
    ::unsetenv("DYN_LOG");
    std::string name = (std::filesystem::temp_directory_path() / "dynamo-log-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~LogOptionsTest() override {
    ::unsetenv("DYN_LOG");
    std::filesystem::remove_all(folder_);
  }

  std::filesystem::path file(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name) << content;
    return folder_ / name;
  }

  static std::string filter(const std::vector<std::filesystem::path>& files) {
    const auto options = log_options(files);
    EXPECT_TRUE(options) << options.error().message();
    return options ? options->filter : "";
  }

  std::filesystem::path folder_;
};

TEST_F(LogOptionsTest, WithoutFilesTheEnvironmentDecides) {
  EXPECT_EQ(filter({}), "info");
  EXPECT_EQ(filter({folder_ / "absent"}), "info");
  ::setenv("DYN_LOG", "debug,a=trace", 1);
  EXPECT_EQ(filter({}), "debug,a=trace");
}

TEST_F(LogOptionsTest, ALaterFileReplacesTheLevelAndAddsTargets) {
  const auto first =
      file("a.toml", "log_level = \"warn\"\n[log_filters]\n\"runtime::http\" = \"debug\"\n");
  const auto second = file("b.toml", "log_level = \"error\"\n[log_filters]\nllm = \"trace\"\n");
  EXPECT_EQ(filter({first, second}), "error,runtime::http=debug,llm=trace");
}

TEST_F(LogOptionsTest, TheEnvironmentReplacesTheLevelAndComesLast) {
  const auto first = file("a.toml", "log_level = \"warn\"\n[log_filters]\nllm = \"debug\"\n");
  ::setenv("DYN_LOG", "info,llm=off", 1);
  EXPECT_EQ(filter({first}), "llm=debug,info,llm=off");
}

TEST_F(LogOptionsTest, OtherMembersAndOtherTextAreErrors) {
  EXPECT_NE(log_options({file("a.toml", "level = \"warn\"\n")}).error().message().find("'level'"),
            std::string::npos);
  EXPECT_EQ(log_options({file("b.toml", "log_level =\n")}).error().code(), Errc::invalid_argument);
}

}  // namespace
}  // namespace dynamo::config::logging_test
