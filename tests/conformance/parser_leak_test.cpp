// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "parser_case_files.h"
#include "parsers/families.h"

namespace dynamo::conformance {
namespace parser_leak_test {
namespace {

using parsers::CallDelivery;
using parsers::Event;
using parsers::OutputParser;

/// The markers of a case's tool family that are nothing but markup (a bracket or a word is prose
/// too).
std::vector<std::string> markup_of(const std::string& tool_parser) {
  using parsers::detail::ToolEngine;
  std::vector<std::string> markup;
  const auto* family = parsers::detail::find_tool_family(tool_parser);
  if (family == nullptr) return markup;
  if (family->engine == ToolEngine::harmony) {
    return {"<|start|>",     "<|end|>",    "<|message|>", "<|channel|>",
            "<|constrain|>", "<|return|>", "<|call|>"};
  }
  const auto grammar = parsers::detail::make_grammar(*family, {});
  if (grammar == nullptr) return markup;
  for (const auto& marker : grammar->text_markers()) {
    const std::string text(marker.text);
    if (text.size() > 1 && text != "functools" && text != "call:") markup.push_back(text);
  }
  return markup;
}

std::string content_of(const TextCase& text_case, std::string_view text, std::size_t piece,
                       CallDelivery delivery, parsers::OutputEnd end) {
  parsers::ParserOptions options = text_case.stream.options;
  options.tools = text_case.stream.tools;
  options.delivery = delivery;
  auto parser = OutputParser::create(options);
  if (!parser) return parser.error().message();
  std::vector<Event> events;
  for (std::size_t at = 0; at < text.size(); at += piece)
    (*parser)->feed(text.substr(at, piece), events);
  (*parser)->finish(events, end);
  parsers::ParsedOutput output;
  fold_events(events, output);
  return output.content;
}

TEST(ParserMarkup, NeverReachesTheContentWhereverTheOutputIsCutOff) {
  for (const TextCase& text_case : text_cases()) {
    std::vector<std::string> markup = markup_of(text_case.stream.options.tool_parser);
    if (markup.empty()) continue;
    if (const auto* thoughts =
            parsers::detail::find_reasoning_family(text_case.stream.options.reasoning_parser)) {
      markup.insert(markup.end(), thoughts->spec.openers.begin(), thoughts->spec.openers.end());
      markup.insert(markup.end(), thoughts->spec.closers.begin(), thoughts->spec.closers.end());
    }
    const std::string_view text = text_case.stream.text;
    const std::size_t step = text.size() > 2000 ? 37 : 1;
    for (std::size_t cut = 0; cut <= text.size(); cut += step) {
      const auto delivery = cut % 3 == 0 ? CallDelivery::whole : CallDelivery::incremental;
      const auto end = cut % 2 == 0 ? parsers::OutputEnd::length : parsers::OutputEnd::stop;
      const std::string content =
          content_of(text_case, text.substr(0, cut), 1 + cut % 7, delivery, end);
      for (const std::string& marker : markup) {
        ASSERT_FALSE(content.contains(marker))
            << text_case.id << " cut at " << cut << ": " << marker << " in " << content;
      }
    }
  }
}

}  // namespace
}  // namespace parser_leak_test
}  // namespace dynamo::conformance
