// SPDX-License-Identifier: Apache-2.0
#include <dynamo/parsers/output_parser.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "parsers/bytewise_parser.h"
#include "parsers/families.h"
#include "parsers/hostile_texts.h"

namespace dynamo::parsers {
namespace linear_work_test {
namespace {

std::string reasoning_of(const detail::ToolFamily& family) {
  if (family.name == "harmony") return "gpt_oss";
  return detail::find_reasoning_family(family.name) != nullptr ? std::string(family.name) : "qwen3";
}

/// Bytes that the machine was shown, over the bytes of the text.
double work(const detail::ToolFamily& family, std::string_view text) {
  auto parser = OutputParser::create(
      {.tool_parser = std::string(family.name), .reasoning_parser = reasoning_of(family)});
  auto* machine = dynamic_cast<detail::BytewiseParser*>(parser->get());
  if (machine == nullptr) return -1;
  std::vector<Event> events;
  for (const char& c : text) {
    machine->feed({&c, 1}, events);
    events.clear();
  }
  machine->finish(events, OutputEnd::stop);
  return static_cast<double>(machine->bytes_shown()) / static_cast<double>(text.size());
}

class LinearWork : public testing::TestWithParam<const detail::ToolFamily*> {};

// Counted, not timed. A marker of n bytes that is never completed is shown n / 2 times; a false
// start is shown again; nothing else may be.
TEST_P(LinearWork, HoldsForTextsMadeToCostMuch) {
  constexpr std::size_t kBytes = 500;
  for (const HostileText& hostile : hostile_texts(*GetParam())) {
    const double once = work(*GetParam(), hostile.of_size(kBytes));
    const double twice = work(*GetParam(), hostile.of_size(2 * kBytes));
    ASSERT_GE(once, 0);
    EXPECT_LE(twice, 80) << hostile.name();
    EXPECT_LE(twice, 1.6 * once + 2) << hostile.name();
  }
}

std::vector<const detail::ToolFamily*> families() {
  std::vector<const detail::ToolFamily*> all;
  for (const auto& family : detail::tool_families()) all.push_back(&family);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Families, LinearWork, testing::ValuesIn(families()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace linear_work_test
}  // namespace dynamo::parsers
