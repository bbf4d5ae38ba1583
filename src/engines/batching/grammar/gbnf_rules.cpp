// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/grammar/gbnf_rules.h"

namespace dynamo::engines::batching::grammar {

std::string GbnfRules::reserve() {
  std::string name = "r" + std::to_string(rules_.size());
  by_name_.emplace(name, rules_.size());
  rules_.emplace_back(name, std::string());
  return name;
}

void GbnfRules::define(const std::string& name, std::string body) {
  bytes_ += name.size() + body.size();
  rules_[by_name_.at(name)].second = std::move(body);
}

std::string GbnfRules::add(std::string body) {
  if (const auto known = by_body_.find(body); known != by_body_.end()) return known->second;
  std::string name = reserve();
  by_body_.emplace(body, name);
  define(name, std::move(body));
  return name;
}

std::string GbnfRules::add_named(std::string_view name, std::string_view body) {
  std::string out(name);
  if (by_name_.emplace(out, rules_.size()).second) {
    rules_.emplace_back(out, std::string(body));
    bytes_ += name.size() + body.size();
  }
  return out;
}

Result<void> GbnfRules::check_size() const {
  if (bytes_ > kGrammarBytesMax || rules_.size() > kGrammarRulesMax) {
    return fail(Errc::invalid_argument, "the schema is too large: its grammar has more than " +
                                            std::to_string(kGrammarRulesMax) + " rules or " +
                                            std::to_string(kGrammarBytesMax) + " bytes");
  }
  return {};
}

std::string GbnfRules::text(std::string_view root) const {
  std::string out = "root ::= ";
  out += root;
  out += '\n';
  for (const auto& [name, body] : rules_) {
    out += name;
    out += " ::= ";
    out += body;
    out += '\n';
  }
  return out;
}

std::string repeated(std::string_view item, std::size_t min, std::ptrdiff_t max) {
  std::string out(item);
  if (min == 1 && max == 1) return out;
  if (min == 0 && max == 1) return out + '?';
  if (min == 0 && max < 0) return out + '*';
  if (min == 1 && max < 0) return out + '+';
  if (max >= 0 && min == static_cast<std::size_t>(max))
    return out + '{' + std::to_string(min) + '}';
  return out + '{' + std::to_string(min) + ',' + (max < 0 ? "" : std::to_string(max)) + '}';
}

}  // namespace dynamo::engines::batching::grammar
