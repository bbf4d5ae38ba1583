// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/grammar/guided_decoding.h"

#include <dynamo/base/utf8.h>

#include <utility>

#include "engines/batching/grammar/char_set.h"
#include "engines/batching/grammar/gbnf_rules.h"
#include "engines/batching/grammar/json_schema_gbnf.h"
#include "engines/batching/grammar/regex_gbnf.h"

namespace dynamo::engines::batching {
namespace {

std::unexpected<Error> of_field(Error error, const char* field) {
  return fail(std::move(error).with_param(field));
}

Result<GuidedGrammar> finished(Result<std::string> root, const grammar::GbnfRules& rules,
                               const char* field) {
  if (!root) return of_field(std::move(root).error(), field);
  if (auto size = rules.check_size(); !size) return of_field(std::move(size).error(), field);
  return GuidedGrammar{rules.text(*root), field};
}

}  // namespace

Result<GuidedGrammar> gbnf_of(const llm::GuidedDecoding& guided) {
  using grammar::GbnfRules;
  GbnfRules rules;
  if (guided.json) {
    return finished(grammar::json_schema_to_gbnf(*guided.json, rules), rules, "guided_json");
  }
  if (guided.regex) {
    return finished(grammar::regex_to_gbnf(*guided.regex, grammar::RegexPlace::whole_answer, rules),
                    rules, "guided_regex");
  }
  if (guided.choice && !guided.choice->empty()) {
    std::string root;
    for (const std::string& option : *guided.choice) {
      if (!base::is_valid_utf8(option)) {
        return of_field(Error(Errc::invalid_argument, "a choice is not UTF-8"), "guided_choice");
      }
      root += (root.empty() ? "" : " | ") + grammar::gbnf_literal(option);
    }
    return finished(rules.add(std::move(root)), rules, "guided_choice");
  }
  if (guided.grammar) {
    return GuidedGrammar{*guided.grammar, "guided_grammar"};
  }
  if (guided.whitespace_pattern) {
    return of_field(Error(Errc::unimplemented, "guided_whitespace_pattern is not supported"),
                    "guided_whitespace_pattern");
  }
  if (guided.structural_tag) {
    return of_field(Error(Errc::unimplemented, "structural_tag is not supported"),
                    "structural_tag");
  }
  return GuidedGrammar{};
}

}  // namespace dynamo::engines::batching
