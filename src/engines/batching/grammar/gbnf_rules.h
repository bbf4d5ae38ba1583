// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace dynamo::engines::batching::grammar {

/// Bounds on what a client may make the grammar engine hold and match.
inline constexpr std::size_t kGrammarBytesMax = 256 * 1024;
inline constexpr std::size_t kGrammarRulesMax = 20'000;
/// A counted repetition becomes that many rules; llama.cpp refuses more as well.
inline constexpr std::size_t kRepetitionsMax = 2000;
inline constexpr std::size_t kNestingMax = 64;

/// The rules of a grammar being written. Bodies that are equal share one rule.
class GbnfRules {
 public:
  /// The name of a rule with this body.
  std::string add(std::string body);
  /// A rule whose body comes later, because it may refer to itself.
  std::string reserve();
  void define(const std::string& name, std::string body);
  /// A rule under a fixed name, written at most once.
  std::string add_named(std::string_view name, std::string_view body);

  /// Errors: Errc::invalid_argument when the grammar has grown over its bounds.
  Result<void> check_size() const;
  /// All rules, with `root` made of this body.
  std::string text(std::string_view root) const;

 private:
  std::vector<std::pair<std::string, std::string>> rules_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::unordered_map<std::string, std::string> by_body_;
  std::size_t bytes_ = 0;
};

/// `item{min,max}` in GBNF; `item` must be one symbol. max < 0: unbounded.
std::string repeated(std::string_view item, std::size_t min, std::ptrdiff_t max);

}  // namespace dynamo::engines::batching::grammar
