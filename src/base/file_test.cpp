// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace dynamo::base::file_test {
namespace {

class ReadFile : public ::testing::Test {
 protected:
  ReadFile() {
    std::string name =
        (std::filesystem::temp_directory_path() / "dynamo-file-test-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~ReadFile() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(std::string_view name, std::string_view content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }

  std::filesystem::path folder_;
};

TEST_F(ReadFile, GivesTheWholeContent) {
  const std::string large(100'000, 'x');
  EXPECT_EQ(read_file(write("a", std::string_view("a\0b", 3))), std::string_view("a\0b", 3));
  EXPECT_EQ(read_file(write("empty", "")), "");
  EXPECT_EQ(read_file(write("large", large)), large);
}

TEST_F(ReadFile, ReadsFilesThatDoNotKnowTheirSize) {
  const auto status = read_file("/proc/self/status");
  ASSERT_TRUE(status);
  EXPECT_TRUE(status->starts_with("Name:"));
}

TEST_F(ReadFile, NamesTheFileThatIsAbsent) {
  const auto path = folder_ / "absent";
  const auto result = read_file(path);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Errc::not_found);
  EXPECT_NE(result.error().message().find(path.string()), std::string::npos);
}

TEST_F(ReadFile, RefusesAFolder) {
  EXPECT_FALSE(read_file(folder_));
}

TEST_F(ReadFile, KeepsItsLimit) {
  const auto path = write("ten", "0123456789");
  EXPECT_EQ(read_file(path, 10), "0123456789");
  const auto result = read_file(path, 9);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Errc::payload_too_large);
  EXPECT_EQ(read_file("/proc/self/status", 9).error().code(), Errc::payload_too_large);
}

using ReadFileDeathTest = ReadFile;

TEST_F(ReadFileDeathTest, SaysWhenItIsNotAllowed) {
  const auto path = write("secret", "x");
  std::filesystem::permissions(path, std::filesystem::perms::none);
  // In a process of its own, because root may read every file and must become somebody else.
  constexpr uid_t kNobody = 65534;
  EXPECT_EXIT(
      {
        if (::geteuid() == 0 && ::seteuid(kNobody) != 0) std::_Exit(2);
        const auto result = read_file(path);
        std::_Exit(!result && result.error().code() == Errc::permission_denied ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace dynamo::base::file_test
