// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engines/batching/grammar/gbnf_rules.h"

namespace dynamo::engines::batching::grammar {

/// The pieces that JSON texts are made of. Each function returns a symbol or a sequence of symbols,
/// and adds the rules it needs once.
class JsonTextRules {
 public:
  explicit JsonTextRules(GbnfRules& rules) : rules_(rules) {}

  /// What may stand between tokens: nothing, a space, or a line break with indentation.
  std::string blank();
  std::string character();  ///< of a string
  std::string string();
  std::string integer();
  std::string number();
  std::string value();  ///< any JSON value

  std::string open(char bracket) { return quoted(bracket) + " " + blank(); }
  std::string close(char bracket) { return blank() + " " + quoted(bracket); }
  std::string comma() { return quoted(',') + " " + blank(); }
  /// The inside of a string of this `format`; none when the format is not one we know.
  std::optional<std::string> format(std::string_view name);

 private:
  static std::string quoted(char c) { return std::string("\"") + c + '"'; }
  GbnfRules& rules_;
};

}  // namespace dynamo::engines::batching::grammar
