// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/file.h>
#include <dynamo/base/json.h>
#include <dynamo/parsers/output_parser.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "parser_cases.h"

/// The texts of all parser cases that can be found: this project's, and others' where the shared
/// folder lies beside the checkout (or in $DYNAMO_SHARED_DIR).
namespace dynamo::conformance {

struct TextCase {
  std::string id;
  StreamOfCase stream;
};

inline std::filesystem::path shared_parsers_folder() {
  const char* shared = std::getenv("DYNAMO_SHARED_DIR");
  const std::filesystem::path root = shared != nullptr ? shared : DYNAMO_SOURCE_DIR "/../shared";
  return root / "conformance" / "parsers";
}

/// The case files must outlive the texts (tools point into them), so they are never freed.
inline std::vector<TextCase> text_cases() {
  static const std::vector<Json>* files = [] {
    auto* read = new std::vector<Json>;
    const std::filesystem::path own = DYNAMO_SOURCE_DIR "/tests/conformance/cases/parsers";
    for (const auto& [folder, names] :
         {std::pair(own, std::vector<std::string>{"tool_calls_own", "unified_events"}),
          std::pair(shared_parsers_folder(),
                    std::vector<std::string>{"tool_calls", "reasoning", "reasoning_own", "harmony",
                                             "jail_stream", "recordings"})}) {
      for (const std::string& name : names) {
        const auto text = base::read_file(folder / (name + ".json"));
        if (!text) continue;
        if (auto cases = parse_json(*text)) read->push_back(*std::move(cases));
      }
    }
    return read;
  }();
  std::vector<TextCase> texts;
  std::set<std::string> seen;  // many cases are one text in several chunkings
  for (const Json& file : *files) {
    for (const Json& parser_case : *file.if_array()) {
      if (auto stream = stream_of(parser_case)) {
        const parsers::ParserOptions& options = stream->options;
        const std::string key = options.tool_parser + "\n" + options.reasoning_parser + "\n" +
                                std::to_string(static_cast<int>(options.starting_state)) +
                                std::to_string(static_cast<int>(options.tool_choice)) +
                                std::to_string(stream->tools.size()) +
                                (options.reasoning_delimiters ? "custom" : "") + "\n" +
                                stream->text;
        if (!options.reasoning_delimiters && !seen.insert(key).second) continue;
        texts.push_back({*parser_case.find("id")->if_string(), *std::move(stream)});
      }
    }
  }
  return texts;
}

}  // namespace dynamo::conformance
