// SPDX-License-Identifier: Apache-2.0
#include "batch_mode.h"

#include <atomic>
#include <chrono>
#include <sstream>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::run::batch_mode_test {
namespace {

const std::string& content_of(const Json& request) {
  return *request.pointer("/messages/0/content")->if_string();
}

// Answers with the prompt itself; the first lines take longest, so that order must be made.
class Mirror : public Chat {
 public:
  Result<ChatAnswer> ask(const Json& request, const std::function<void(std::string_view)>&,
                         runtime::ContextPtr) override {
    const int now = ++running_;
    for (int most = most_.load(); most < now && !most_.compare_exchange_weak(most, now);) {
    }
    const std::string& text = content_of(request);
    std::this_thread::sleep_for(std::chrono::milliseconds(text.size() % 7));
    --running_;
    if (text == "fail") return fail(Errc::overloaded, "no room");
    return ChatAnswer{.text = text,
                      .reasoning = {},
                      .finish_reason = "stop",
                      .prompt_tokens = 3,
                      .completion_tokens = 2};
  }
  std::atomic<int> running_{0};
  std::atomic<int> most_{0};
};

std::vector<Json> answer(Chat& chat, const std::string& input, BatchSummary& summary,
                         std::size_t concurrency = 4) {
  std::istringstream in(input);
  std::ostringstream out;
  summary = answer_lines(chat, {}, in, out, concurrency, [](const BatchSummary&) {});
  std::vector<Json> lines;
  std::istringstream written(out.str());
  for (std::string line; std::getline(written, line);) lines.push_back(*parse_json(line));
  return lines;
}

TEST(BatchMode, KeepsInputOrderAndCountsTokens) {
  std::string input;
  for (int i = 0; i < 40; ++i)
    input += "{\"text\":\"" + std::string(static_cast<std::size_t>(40 - i), 'x') + "\"}\n";
  Mirror chat;
  BatchSummary summary;
  const auto lines = answer(chat, input, summary);
  ASSERT_EQ(lines.size(), 40u);
  for (std::size_t i = 0; i < lines.size(); ++i)
    EXPECT_EQ(lines[i].find("response")->if_string()->size(), 40 - i);
  EXPECT_EQ(summary.tokens_in, 120u);
  EXPECT_EQ(summary.tokens_out, 80u);
  EXPECT_EQ(summary.failed, 0u);
}

TEST(BatchMode, RunsNoMoreThanItsLimitAtOnce) {
  std::string input;
  for (int i = 0; i < 30; ++i) input += "{\"text\":\"abcdef\"}\n";
  Mirror chat;
  BatchSummary summary;
  answer(chat, input, summary, 3);
  EXPECT_LE(chat.most_.load(), 3);
}

TEST(BatchMode, ReportsEachFailureOnItsOwnLine) {
  Mirror chat;
  BatchSummary summary;
  const auto lines = answer(
      chat, "{\"text\":\"a\"}\n{broken\n\n{\"prompt\":1}\n{\"text\":\"fail\"}\n{\"text\":\"b\"}\n",
      summary);
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(*lines[0].find("response")->if_string(), "a");
  EXPECT_EQ(lines[1].find("line")->as_int64(), 2);
  EXPECT_NE(lines[2].find("error")->if_string()->find("\"text\""), std::string::npos);
  EXPECT_EQ(*lines[3].find("error")->if_string(), "no room");
  EXPECT_EQ(*lines[4].find("response")->if_string(), "b");
  EXPECT_EQ(summary.failed, 3u);
}

}  // namespace
}  // namespace dynamo::run::batch_mode_test
