// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/grammar/json_text_rules.h"

#include <array>

namespace dynamo::engines::batching::grammar {
namespace {

// RFC 3339 and RFC 4122. Days of a month are not counted.
constexpr std::string_view kDate =
    R"([0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | [12] [0-9] | "3" [01]))";
constexpr std::string_view kTime =
    R"(([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,9})? ("Z" | [+\-] ([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9]))";
constexpr std::string_view kUuid =
    R"([0-9a-fA-F]{8} "-" [0-9a-fA-F]{4} "-" [0-9a-fA-F]{4} "-" [0-9a-fA-F]{4} "-" [0-9a-fA-F]{12})";

}  // namespace

std::string JsonTextRules::blank() {
  return rules_.add_named("blank", R"(| " " | "\n" [ \t]{0,20})");
}

std::string JsonTextRules::character() {
  return rules_.add_named("character",
                          R"x([^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))x");
}

std::string JsonTextRules::string() {
  return rules_.add_named("string", R"("\"" )" + character() + R"(* "\"")");
}

std::string JsonTextRules::integer() {
  return rules_.add_named("integer", R"("-"? ("0" | [1-9] [0-9]{0,17}))");
}

std::string JsonTextRules::number() {
  return rules_.add_named("number", integer() + R"( ("." [0-9]{1,17})? ([eE] [\-+]? [0-9]{1,3})?)");
}

std::string JsonTextRules::value() {
  const std::string member = string() + R"( ":" )" + blank() + " value";
  rules_.add_named(
      "object", open('{') + " (" + member + " (" + comma() + " " + member + ")*)? " + close('}'));
  rules_.add_named("array", open('[') + " (value (" + comma() + " value)*)? " + close(']'));
  return rules_.add_named(
      "value", "object | array | string | " + number() + R"( | "true" | "false" | "null")");
}

std::optional<std::string> JsonTextRules::format(std::string_view name) {
  if (name == "date") return rules_.add(std::string(kDate));
  if (name == "time") return rules_.add(std::string(kTime));
  if (name == "uuid") return rules_.add(std::string(kUuid));
  if (name == "date-time") {
    return rules_.add(std::string(kDate)) + R"( "T" )" + rules_.add(std::string(kTime));
  }
  return std::nullopt;
}

}  // namespace dynamo::engines::batching::grammar
