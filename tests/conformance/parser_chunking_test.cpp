// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>
#include <dynamo/parsers/batch.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "parser_case_files.h"

namespace dynamo::conformance {
namespace parser_chunking_test {
namespace {

using parsers::CallDelivery;
using parsers::Event;
using parsers::EventKind;
using parsers::OutputParser;

/// Events with adjacent pieces joined, byte for byte.
std::string signature(const std::vector<Event>& events) {
  std::string out;
  EventKind last = EventKind::call_end;
  for (const Event& event : events) {
    const bool piece = event.kind == EventKind::text || event.kind == EventKind::reasoning ||
                       event.kind == EventKind::call_arguments;
    if (!piece || event.kind != last)
      out += "\n" + std::to_string(static_cast<int>(event.kind)) + ":" +
             std::to_string(event.index) + ":" + (event.complete ? "" : "cut:");
    if (event.kind == EventKind::call_start) out += event.id + " ";
    out += event.text;
    last = event.kind;
  }
  return out;
}

/// Feeds `text` cut at the given places.
std::string parse_cut(const TextCase& text_case, CallDelivery delivery,
                      const std::vector<std::size_t>& cuts) {
  base::Rng rng(1);
  parsers::ParserOptions options = text_case.stream.options;
  options.tools = text_case.stream.tools;
  options.delivery = delivery;
  options.rng = &rng;
  auto parser = OutputParser::create(options);
  if (!parser) return parser.error().message();
  const std::string_view text = text_case.stream.text;
  std::vector<Event> events;
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    (*parser)->feed(text.substr(from, cut - from), events);
    from = cut;
  }
  (*parser)->feed(text.substr(from), events);
  (*parser)->finish(events);
  return signature(events);
}

std::string trimmed(std::string text) {
  const auto space = [](char c) { return c == ' ' || c == '\n'; };
  while (!text.empty() && space(text.back())) text.pop_back();
  while (!text.empty() && space(text.front())) text.erase(0, 1);
  return text;
}

class Chunking : public testing::TestWithParam<CallDelivery> {
 protected:
  void expect_same(const TextCase& text_case, const std::string& whole,
                   const std::vector<std::size_t>& cuts) {
    if (HasFailure()) return;
    const std::string got = parse_cut(text_case, GetParam(), cuts);
    if (got == whole) return;
    std::string places;
    for (const std::size_t cut : cuts) places += std::to_string(cut) + " ";
    ADD_FAILURE() << text_case.id << " cut at " << places << "\ntext " << text_case.stream.text
                  << "\nwhole " << whole << "\ngot " << got;
  }
};

TEST_P(Chunking, EveryCutOfAShortTextAndEachByteAloneGivesTheSameEvents) {
  for (const TextCase& text_case : text_cases()) {
    const std::size_t size = text_case.stream.text.size();
    const std::string whole = parse_cut(text_case, GetParam(), {});
    std::vector<std::size_t> every;
    for (std::size_t i = 1; i < size; ++i) every.push_back(i);
    expect_same(text_case, whole, every);
    if (size <= 400) {
      for (std::size_t i = 1; i < size; ++i) expect_same(text_case, whole, {i});
    }
    if (size <= 10) {
      for (std::size_t mask = 0; size > 0 && mask < (std::size_t{1} << (size - 1)); ++mask) {
        std::vector<std::size_t> cuts;
        for (std::size_t i = 1; i < size; ++i) {
          if ((mask >> (i - 1) & 1U) != 0) cuts.push_back(i);
        }
        expect_same(text_case, whole, cuts);
      }
    }
  }
}

TEST_P(Chunking, TwoHundredRandomSplitsGiveTheSameEvents) {
  base::Rng rng(20261124);
  for (const TextCase& text_case : text_cases()) {
    const std::size_t size = text_case.stream.text.size();
    if (size < 2) continue;
    const std::string whole = parse_cut(text_case, GetParam(), {});
    for (int i = 0; i < 200; ++i) {
      std::vector<std::size_t> cuts;
      const std::uint64_t step = 1 + rng.below(40);
      for (std::size_t at = 1 + rng.below(step); at < size; at += 1 + rng.below(step))
        cuts.push_back(at);
      expect_same(text_case, whole, cuts);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Deliveries, Chunking,
                         testing::Values(CallDelivery::incremental, CallDelivery::whole),
                         [](const auto& info) {
                           return info.param == CallDelivery::whole ? "Whole" : "Incremental";
                         });

// What a stream delivers is what the batch function finds.
TEST(ParserStream, GivesTheCallsOfTheBatchForWellFormedTexts) {
  int compared = 0;
  for (const TextCase& text_case : text_cases()) {
    const std::size_t own = text_case.id.find("/own/");
    if (own == std::string::npos || text_case.stream.options.tool_parser.empty()) continue;
    const std::string_view scenario = std::string_view(text_case.id).substr(own + 5);
    const auto is = [&](std::string_view name) { return scenario.starts_with(name); };
    if (!is("single") && !is("two") && !is("prefix") && !is("around") && !is("typed") &&
        !is("scalars") && !is("noargs") && !is("unicode_prose")) {
      continue;
    }
    const auto batch =
        parsers::parse_tool_calls(text_case.stream.options.tool_parser, text_case.stream.text,
                                  text_case.stream.tools, parsers::BatchMode::finalize);
    ASSERT_TRUE(batch);
    for (const std::size_t size : {std::size_t{1}, std::size_t{5}, text_case.stream.text.size()}) {
      parsers::ParserOptions options = text_case.stream.options;
      options.tools = text_case.stream.tools;
      auto parser = OutputParser::create(options);
      std::vector<Event> events;
      for (std::size_t at = 0; at < text_case.stream.text.size(); at += size) {
        (*parser)->feed(std::string_view(text_case.stream.text).substr(at, size), events);
      }
      (*parser)->finish(events);
      parsers::ParsedOutput stream;
      fold_events(events, stream);
      ASSERT_EQ(stream.calls.size(), batch->calls.size()) << text_case.id;
      for (std::size_t i = 0; i < stream.calls.size(); ++i) {
        EXPECT_EQ(stream.calls[i].name, batch->calls[i].name) << text_case.id;
        EXPECT_EQ(stream.calls[i].arguments, batch->calls[i].arguments) << text_case.id;
        EXPECT_TRUE(stream.calls[i].complete) << text_case.id;
      }
      std::string before;
      for (const Event& event : events) {
        if (event.kind == EventKind::call_start) break;
        if (event.kind == EventKind::text) before += event.text;
      }
      EXPECT_EQ(trimmed(before), trimmed(batch->content)) << text_case.id;
      ++compared;
    }
  }
  EXPECT_GT(compared, 300);
}

TEST(ParserCases, AreFound) {
  EXPECT_GT(text_cases().size(), 500U);
  if (!std::filesystem::exists(shared_parsers_folder())) {
    GTEST_SKIP() << "the cases of others are not at " << shared_parsers_folder();
  }
}

}  // namespace
}  // namespace parser_chunking_test
}  // namespace dynamo::conformance
