// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/base/json.h>
#include <dynamo/base/log.h>

#include <chrono>
#include <cstdlib>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/log_filter.h"
#include "base/log_line.h"

namespace dynamo::base::log_test {
namespace {

using detail::format_line;
using detail::format_timestamp;
using detail::LogFilter;
using detail::LogLine;
using namespace std::chrono_literals;

// 2026-01-31T08:09:10.123456Z
constexpr SystemTime kTime{std::chrono::seconds(1769846950) + std::chrono::microseconds(123456)};

std::string line(LogLevel level, std::string_view target, std::string_view event,
                 std::initializer_list<LogField> fields, LogFormat format = LogFormat::readable,
                 bool ansi = false) {
  LogOptions how;
  how.format = format;
  how.ansi = ansi;
  return format_line({level, target, event, fields, std::source_location::current(), kTime}, how);
}

std::string jsonl(std::initializer_list<LogField> fields) {
  return line(LogLevel::info, "runtime::worker", "ready", fields, LogFormat::jsonl);
}

// The members behind "message", which are the same on every line here.
std::string jsonl_fields(std::initializer_list<LogField> fields) {
  const std::string text = jsonl(fields);
  const std::size_t at = text.find("\"ready\"");
  return text.substr(at + 7, text.size() - at - 9);
}

bool enabled(std::string_view filter, LogLevel level, std::string_view target) {
  const auto parsed = LogFilter::parse(filter);
  EXPECT_TRUE(parsed) << filter;
  return parsed && parsed->enabled(level, target);
}

// Lines caught while it lives.
class Caught {
 public:
  Caught() {
    set_log_sink([](std::string_view text,
                    void* user) { static_cast<Caught*>(user)->lines.emplace_back(text); },
                 this);
  }
  ~Caught() { set_log_sink(nullptr, nullptr); }
  std::vector<std::string> lines;
};

TEST(LogLine, ReadableIsTimeLevelTargetEventFields) {
  EXPECT_EQ(line(LogLevel::info, "runtime::http", "listening",
                 {{"port", 8000}, {"host", "127.0.0.1"}, {"tls", false}, {"ratio", 0.5}}),
            "2026-01-31T08:09:10.123456Z  INFO runtime::http: listening port=8000 host=127.0.0.1 "
            "tls=false ratio=0.5\n");
  EXPECT_EQ(line(LogLevel::error, "base", "x", {}), "2026-01-31T08:09:10.123456Z ERROR base: x\n");
}

TEST(LogLine, ReadableQuotesWhatIsNotOneWord) {
  EXPECT_EQ(line(LogLevel::warn, "t", "e",
                 {{"a", "two words"}, {"b", ""}, {"c", "x=y"}, {"d", "say \"hi\""}, {"e", "é"}}),
            "2026-01-31T08:09:10.123456Z  WARN t: e a=\"two words\" b=\"\" c=\"x=y\" "
            "d=\"say \\\"hi\\\"\" e=é\n");
}

TEST(LogLine, NoTextBreaksALine) {
  const std::string text =
      line(LogLevel::info, "t", "bad\nevent", {{"a", "x\ny\x1b[31m\x7F"}, {"b", "\xFF"}});
  EXPECT_EQ(text,
            "2026-01-31T08:09:10.123456Z  INFO t: \"bad\\nevent\" "
            "a=\"x\\ny\\u001b[31m\\u007f\" b=\xEF\xBF\xBD\n");
}

TEST(LogLine, AnsiDimsTimeAndTargetAndColoursTheLevel) {
  EXPECT_EQ(line(LogLevel::warn, "t", "e", {}, LogFormat::readable, true),
            "\x1b[2m2026-01-31T08:09:10.123456Z\x1b[0m \x1b[33m WARN\x1b[0m \x1b[2mt:\x1b[0m e\n");
}

TEST(LogLine, JsonlHasItsMembersInOrderThenTheFieldsSorted) {
  const std::string text = jsonl({{"zone", "a"}, {"component", "backend"}, {"port", 80}});
  const auto value = parse_json(text);
  ASSERT_TRUE(value);
  std::vector<std::string> keys;
  for (const auto& member : *value->if_object()) keys.push_back(member.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"time", "level", "file", "line", "target", "message",
                                            "component", "port", "zone"}));
  EXPECT_TRUE(text.starts_with(
      R"({"time":"2026-01-31T08:09:10.123456Z","level":"INFO","file":"src/base/log_test.cpp","line":)"))
      << text;
  EXPECT_TRUE(text.ends_with(
      R"("target":"runtime::worker","message":"ready","component":"backend","port":80,"zone":"a"})"
      "\n"))
      << text;
}

TEST(LogLine, JsonlWritesTextThatIsJsonAsJson) {
  EXPECT_EQ(jsonl_fields({{"a", "{\"x\":[1,2]}"}}), R"(,"a":{"x":[1,2]})");
  EXPECT_EQ(jsonl_fields({{"a", "17"}}), R"(,"a":17)");
  EXPECT_EQ(jsonl_fields({{"a", "17 b"}}), R"(,"a":"17 b")");
  EXPECT_EQ(jsonl_fields({{"a", "{x}"}}), R"(,"a":"{x}")");
  EXPECT_EQ(jsonl_fields({{"a", ""}}), R"(,"a":"")");
}

TEST(LogField, PrintsEachKindExactly) {
  EXPECT_EQ(jsonl_fields({{"a", std::numeric_limits<std::int64_t>::min()}}),
            ",\"a\":-9223372036854775808");
  EXPECT_EQ(jsonl_fields({{"a", std::numeric_limits<std::uint64_t>::max()}}),
            ",\"a\":18446744073709551615");
  EXPECT_EQ(jsonl_fields({{"a", std::numeric_limits<double>::quiet_NaN()}}), ",\"a\":null");
  EXPECT_EQ(jsonl_fields({{"a", std::string("s\"")}, {"b", true}}), ",\"a\":\"s\\\"\",\"b\":true");
  EXPECT_EQ(jsonl_fields({{"error", Error(Errc::not_found, "no key")}}),
            ",\"error\":\"not_found: no key\"");
}

TEST(LogTimestamp, HandlesRoundTimesAndTimesBeforeTheEpoch) {
  EXPECT_EQ(format_timestamp(SystemTime(), false), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_timestamp(SystemTime(-1us), false), "1969-12-31T23:59:59.999999Z");
  const std::string local = format_timestamp(kTime, true);
  EXPECT_EQ(local.size(), std::string("2026-01-31T08:09:10.123456+00:00").size()) << local;
}

TEST(LogFilter, ALevelHoldsForEveryTarget) {
  EXPECT_TRUE(enabled("info", LogLevel::info, "a"));
  EXPECT_FALSE(enabled("info", LogLevel::debug, "a"));
  EXPECT_TRUE(enabled("TRACE", LogLevel::trace, "a"));
  EXPECT_TRUE(enabled("4", LogLevel::debug, "a"));
  EXPECT_FALSE(enabled("off", LogLevel::error, "a"));
  EXPECT_TRUE(enabled("", LogLevel::info, "a"));
  EXPECT_FALSE(enabled(" , ", LogLevel::debug, "a"));
}

TEST(LogFilter, TheMostSpecificDirectiveWins) {
  constexpr std::string_view kFilter = "warn, runtime=info,runtime::http=debug ,llm=off";
  EXPECT_TRUE(enabled(kFilter, LogLevel::debug, "runtime::http"));
  EXPECT_TRUE(enabled(kFilter, LogLevel::debug, "runtime::http::tls"));
  EXPECT_FALSE(enabled(kFilter, LogLevel::debug, "runtime::https"));
  EXPECT_TRUE(enabled(kFilter, LogLevel::info, "runtime::https"));
  EXPECT_FALSE(enabled(kFilter, LogLevel::info, "runtimes"));
  EXPECT_FALSE(enabled(kFilter, LogLevel::error, "llm"));
  EXPECT_TRUE(enabled(kFilter, LogLevel::warn, "tokenizer"));
}

TEST(LogFilter, WithTargetsOnlyAllElseIsOff) {
  EXPECT_TRUE(enabled("runtime=debug", LogLevel::debug, "runtime"));
  EXPECT_FALSE(enabled("runtime=debug", LogLevel::error, "llm"));
  EXPECT_TRUE(enabled("runtime", LogLevel::trace, "runtime::x"));
}

TEST(LogFilter, TheReferencesCrateNamesStandForOurs) {
  EXPECT_TRUE(enabled("dynamo_runtime::http=debug", LogLevel::debug, "runtime::http"));
  EXPECT_TRUE(enabled("info,dynamo_llm=trace", LogLevel::trace, "llm::http"));
}

TEST(LogFilter, ALaterDirectiveForOneTargetReplacesTheEarlier) {
  EXPECT_FALSE(enabled("a=trace,a=warn", LogLevel::info, "a"));
  EXPECT_TRUE(enabled("info,debug", LogLevel::debug, "a"));
}

TEST(LogFilter, NamesTheDirectiveItCannotRead) {
  for (const std::string_view text :
       {"info,a=loud", "=info", "a=", "a b", "a=info=b", "a,b=\x01"}) {
    const auto parsed = LogFilter::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code(), Errc::invalid_argument);
  }
  EXPECT_NE(LogFilter::parse("info,a=loud").error().message().find("'a=loud'"), std::string::npos);
}

TEST(LogFilter, SpanSelectorsAreAcceptedWithoutEffect) {
  const auto parsed = LogFilter::parse("info,a[span{x=1}]=trace");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->ignored(), std::vector<std::string>{"a[span{x=1}]=trace"});
  EXPECT_FALSE(parsed->enabled(LogLevel::debug, "a"));
}

class Environment : public ::testing::Test {
 protected:
  Environment() { clear(); }
  ~Environment() override { clear(); }
  static void clear() {
    for (const char* name : {"DYN_LOG", "DYN_LOGGING_CONSOLE_FORMAT", "DYN_LOGGING_JSONL",
                             "DYN_SDK_DISABLE_ANSI_LOGGING", "DYN_LOG_USE_LOCAL_TZ"})
      ::unsetenv(name);
  }
};

TEST_F(Environment, GivesTheDefaultsWhenNothingIsSet) {
  const LogOptions options = log_options_from_environment();
  EXPECT_EQ(options.filter, "info");
  EXPECT_EQ(options.format, LogFormat::readable);
  EXPECT_FALSE(options.local_time);
}

TEST_F(Environment, TheConsoleFormatOverridesTheOldSwitch) {
  ::setenv("DYN_LOGGING_JSONL", "1", 1);
  EXPECT_EQ(log_options_from_environment().format, LogFormat::jsonl);
  ::setenv("DYN_LOGGING_CONSOLE_FORMAT", " ", 1);
  EXPECT_EQ(log_options_from_environment().format, LogFormat::jsonl);
  ::setenv("DYN_LOGGING_CONSOLE_FORMAT", "readable", 1);
  EXPECT_EQ(log_options_from_environment().format, LogFormat::readable);
  ::unsetenv("DYN_LOGGING_JSONL");
  ::setenv("DYN_LOGGING_CONSOLE_FORMAT", "JSONL", 1);
  EXPECT_EQ(log_options_from_environment().format, LogFormat::jsonl);
}

TEST_F(Environment, GivesFilterAndLocalTime) {
  ::setenv("DYN_LOG", "debug,a=trace", 1);
  ::setenv("DYN_LOG_USE_LOCAL_TZ", "yes", 1);
  const LogOptions options = log_options_from_environment();
  EXPECT_EQ(options.filter, "debug,a=trace");
  EXPECT_TRUE(options.local_time);
}

TEST(Log, FieldsAreEvaluatedOnlyForLinesThatAreWritten) {
  const Caught caught;
  int evaluated = 0;
  const auto count = [&] { return ++evaluated; };
  DYN_LOG_DEBUG("base::test", "hidden", {{"n", count()}});
  EXPECT_EQ(evaluated, 0);
  DYN_LOG_INFO("base::test", "shown", {{"n", count()}});
  DYN_LOG_WARN("base::test", "plain");
  ASSERT_EQ(caught.lines.size(), 2u);
  EXPECT_TRUE(caught.lines[0].ends_with(" INFO base::test: shown n=1\n"));
}

// Each of these gets a process of its own, because logging starts once per process.

int stop(bool good) {
  return good ? 0 : 1;
}

TEST(LogDeathTest, InitSetsFilterAndFormatOnce) {
  EXPECT_EXIT(
      {
        LogOptions options;
        options.filter = "warn,base=debug";
        options.format = LogFormat::jsonl;
        bool good = init_logging(options).has_value();
        good = good && init_logging({}).has_value();  // ignored
        good =
            good && log_enabled(LogLevel::debug, "base::x") && !log_enabled(LogLevel::info, "llm");
        DYN_LOG_DEBUG("base::x", "ready");
        std::_Exit(stop(good));
      },
      ::testing::ExitedWithCode(0), R"("level":"DEBUG".*"target":"base::x","message":"ready"\})");
}

TEST(LogDeathTest, ABadFilterIsAnErrorAndLeavesTheDefaults) {
  EXPECT_EXIT(
      {
        LogOptions options;
        options.filter = "nonsense=loud";
        const bool good = !init_logging(options).has_value();
        DYN_LOG_INFO("base", "still here");
        std::_Exit(stop(good));
      },
      ::testing::ExitedWithCode(0), "INFO base: still here");
}

TEST(LogDeathTest, ASpanSelectorIsReported) {
  EXPECT_EXIT(
      {
        LogOptions options;
        options.filter = "info,a[s]=trace";
        std::_Exit(stop(init_logging(options).has_value()));
      },
      ::testing::ExitedWithCode(0), "directive has a span selector; ignored directive=");
}

TEST(LogDeathTest, LinesOfManyThreadsAreNeverMixed) {
  EXPECT_EXIT(
      {
        int pipe_ends[2];
        bool good = ::pipe(pipe_ends) == 0 && ::dup2(pipe_ends[1], STDERR_FILENO) >= 0;
        ::close(pipe_ends[1]);
        std::string all;
        std::thread reader([&] {
          char buffer[4096];
          for (ssize_t n = 0; (n = ::read(pipe_ends[0], buffer, sizeof buffer)) > 0;)
            all.append(buffer, static_cast<std::size_t>(n));
        });
        std::vector<std::thread> writers;
        for (int t = 0; t < 4; ++t)
          writers.emplace_back([] {
            for (int i = 0; i < 500; ++i) DYN_LOG_INFO("base", "line", {{"text", "abcdefgh"}});
          });
        for (std::thread& writer : writers) writer.join();
        ::close(STDERR_FILENO);
        reader.join();
        std::size_t lines = 0;
        for (std::size_t at = 0; at < all.size(); ++lines) {
          const std::size_t end = all.find('\n', at);
          good = good && all.substr(at, end - at).ends_with(" INFO base: line text=abcdefgh");
          at = end + 1;
        }
        std::_Exit(stop(good && lines == 2000));
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(AssertDeathTest, ABrokenInvariantIsLoggedAndAborts) {
  const int three = 3;
  DYN_ASSERT(three == 3);
  EXPECT_DEATH(DYN_ASSERT(three == 4),
               "ERROR base::assert: assertion failed condition=\"three == 4\" file=.*line=");
}

}  // namespace
}  // namespace dynamo::base::log_test
