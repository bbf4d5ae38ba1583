// SPDX-License-Identifier: Apache-2.0
// Schemas, regular expressions and grammars of clients. The first byte of an input picks what reads
// it.
#include <dynamo/base/assert.h>
#include <dynamo/base/json.h>
#include <dynamo/llm/protocols/preprocessed_request.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "engines/batching/grammar/earley_matcher.h"
#include "engines/batching/grammar/gbnf_grammar.h"
#include "engines/batching/grammar/gbnf_rules.h"
#include "engines/batching/grammar/guided_decoding.h"
#include "engines/batching/grammar/regex_gbnf.h"

namespace dynamo::engines::batching {
namespace {

/// What we write ourselves is always a grammar, if perhaps one that is too large.
void check_ours(std::string_view gbnf) {
  const auto parsed = grammar::parse_gbnf(gbnf);
  DYN_ASSERT(parsed || parsed.error().message().contains("too large"));
}
void check(const Result<GuidedGrammar>& guided) {
  if (guided && !guided->gbnf.empty()) check_ours(guided->gbnf);
}

void schema(std::string_view text) {
  auto json = parse_json(text);
  if (!json) return;
  llm::GuidedDecoding guided;
  guided.json = *std::move(json);
  check(gbnf_of(guided));
}
void regex(std::string_view text) {
  llm::GuidedDecoding guided;
  guided.regex = std::string(text);
  check(gbnf_of(guided));
}
void pattern(std::string_view text) {
  grammar::GbnfRules rules;
  const auto root = grammar::regex_to_gbnf(text, grammar::RegexPlace::json_string, rules);
  if (root && rules.check_size()) check_ours(rules.text(*root));
}
void choice(std::string_view text) {
  llm::GuidedDecoding guided;
  guided.choice.emplace(1, std::string(text));
  check(gbnf_of(guided));
}
void gbnf(std::string_view text) {
  auto parsed = grammar::parse_gbnf(text);
  if (!parsed) return;
  // Its own text is as good as any other to follow it with.
  grammar::EarleyMatcher matcher(std::make_shared<const grammar::GbnfGrammar>(*std::move(parsed)));
  matcher.set_work_limit(matcher.work() + 100'000);
  const auto start = matcher.mark();
  const bool empty_is_complete = matcher.complete();
  for (const char c : text) {
    if (!matcher.feed(static_cast<unsigned char>(c))) {
      matcher.go_back(start);
      DYN_ASSERT(matcher.complete() == empty_is_complete);
    }
  }
  matcher.forget_the_past();
}

constexpr std::array kTargets{schema, regex, pattern, choice, gbnf};

}  // namespace
}  // namespace dynamo::engines::batching

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using dynamo::engines::batching::kTargets;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  kTargets[data[0] % kTargets.size()](text);
  return 0;
}
