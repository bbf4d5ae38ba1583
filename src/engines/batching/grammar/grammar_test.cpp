// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/json.h>
#include <dynamo/base/rng.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engines/batching/grammar/char_set.h"
#include "engines/batching/grammar/earley_matcher.h"
#include "engines/batching/grammar/gbnf_grammar.h"
#include "engines/batching/grammar/guided_decoding.h"
#include "engines/batching/grammar/integer_range.h"
#include "engines/batching/grammar/regex_gbnf.h"
#include "engines/batching/testing/gbnf_matcher.h"

namespace dynamo::engines::batching::grammar {
namespace grammar_test {
namespace {

using batching::testing::GbnfMatcher;

Result<std::string> gbnf_text(const llm::GuidedDecoding& guided) {
  DYN_TRY(GuidedGrammar made, gbnf_of(guided));
  return std::move(made).gbnf;
}
Result<std::string> gbnf_of_schema(std::string_view schema) {
  llm::GuidedDecoding guided;
  auto json = parse_json(schema);
  EXPECT_TRUE(json) << schema;
  guided.json = *std::move(json);
  return gbnf_text(guided);
}

void expect_language(const Result<std::string>& gbnf, const std::vector<std::string>& in,
                     const std::vector<std::string>& out) {
  ASSERT_TRUE(gbnf) << gbnf.error().describe();
  EXPECT_TRUE(parse_gbnf(*gbnf)) << parse_gbnf(*gbnf).error().message() << '\n' << *gbnf;
  GbnfMatcher matcher(*gbnf);
  for (const std::string& text : in) EXPECT_TRUE(matcher.matches(text)) << text << "\n" << *gbnf;
  for (const std::string& text : out) EXPECT_FALSE(matcher.matches(text)) << text << "\n" << *gbnf;
  // What generation follows, against the independent matcher above.
  auto parsed = parse_gbnf(*gbnf);
  ASSERT_TRUE(parsed) << parsed.error().message();
  const auto grammar = std::make_shared<const GbnfGrammar>(*std::move(parsed));
  const auto follows = [&](const std::string& text) {
    EarleyMatcher earley(grammar);
    for (const char c : text) {
      if (!earley.feed(static_cast<unsigned char>(c))) return false;
    }
    return earley.complete();
  };
  for (const std::string& text : in) EXPECT_TRUE(follows(text)) << text << "\n" << *gbnf;
  for (const std::string& text : out) EXPECT_FALSE(follows(text)) << text << "\n" << *gbnf;
}
void expect_schema(std::string_view schema, const std::vector<std::string>& in,
                   const std::vector<std::string>& out) {
  SCOPED_TRACE(schema);
  expect_language(gbnf_of_schema(schema), in, out);
}
void expect_regex(std::string_view pattern, const std::vector<std::string>& in,
                  const std::vector<std::string>& out) {
  SCOPED_TRACE(pattern);
  llm::GuidedDecoding guided;
  guided.regex = std::string(pattern);
  expect_language(gbnf_text(guided), in, out);
}

TEST(CharSet, IsTheUnionOfWhatWasAdded) {
  CharSet set;
  set.add('d', 'f');
  set.add('a', 'b');
  set.add('c');
  set.add('z');
  EXPECT_EQ(set.ranges(), (std::vector<CharSet::Range>{{'a', 'f'}, {'z', 'z'}}));
  EXPECT_EQ(set.to_gbnf(), "[a-fz]");
  EXPECT_EQ(set.complement().complement(), set);
  EXPECT_EQ(set.complement().to_gbnf(), "[^a-fz]");
  EXPECT_EQ(set.intersection({{'e', 'y'}}).to_gbnf(), "[ef]");
  EXPECT_EQ((CharSet{{'-', '-'}, {']', ']'}, {0x20AC, 0x20AC}, {0x1F600, 0x1F600}}).to_gbnf(),
            "[\\x2D\\x5D\\u20AC\\U0001F600]");
}

TEST(JsonSchema, ScalarTypes) {
  expect_schema(R"({"type":"string"})", {R"("")", R"("a\nb€😀")", R"("\u00e9")"},
                {"", "a", R"("a)", "\"a\nb\"", R"("\x")", "1"});
  expect_schema(R"({"type":"integer"})", {"0", "-7", "123456"},
                {"01", "1.5", "", "-", "+1", "1e3"});
  expect_schema(R"({"type":"number"})", {"0", "-7.25", "1e10", "1.5E-3"},
                {"01", ".5", "1.", "NaN"});
  expect_schema(R"({"type":"boolean"})", {"true", "false"}, {"True", "1", ""});
  expect_schema(R"({"type":"null"})", {"null"}, {"nil", ""});
  expect_schema(R"({"type":["string","null"],"maxLength":2})", {"null", R"("ab")"}, {R"("abc")"});
  expect_schema(R"({"type":"string","nullable":true})", {"null", R"("ab")"}, {"1"});
}

TEST(JsonSchema, AnyValue) {
  for (const char* schema : {"{}", "true", R"({"description":"anything"})"}) {
    expect_schema(schema,
                  {"null", "[]", "{}", R"({"a": [1, {"b": "c"}], "d": true})", "[1,2]", "-1.5e3"},
                  {"", "{a:1}", "[1,]", R"({"a":1,})", "nul"});
  }
  expect_schema(R"({"type":"object"})", {"{}", R"({"a":[1,{}]})"}, {"[]", "1"});
  expect_schema(R"({"type":"array"})", {"[]", R"([{},"a"])"}, {"{}", "1"});
}

TEST(JsonSchema, ObjectsHaveTheirPropertiesInOrder) {
  constexpr const char* kSchema =
      R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"boolean"},"c":{"type":"null"}},"required":["b"]})";
  expect_schema(kSchema,
                {R"({"b":true})", R"({"a":1,"b":true})", R"({"a": 1, "b": true, "c": null})",
                 R"({"b":false,"c":null})", "{\n  \"b\": true\n}"},
                {"{}", R"({"a":1})", R"({"b":true,"a":1})", R"({"b":true,})", R"({,"b":true})",
                 R"({"b":true,"x":1})", R"({"b":1})"});
  expect_schema(R"({"properties":{"a":{"type":"integer"},"b":{"type":"integer"}}})",
                {"{}", R"({"a":1})", R"({"b":1})", R"({"a":1,"b":2})"},
                {R"({"a":1"b":2})", R"({,})"});
  expect_schema(R"({"type":"object","properties":{},"additionalProperties":false})", {"{}"},
                {R"({"a":1})"});
}

TEST(JsonSchema, AdditionalProperties) {
  expect_schema(
      R"({"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":{"type":"boolean"}})",
      {R"({"a":1})", R"({"a":1,"x":true,"y":false})"}, {R"({"x":true})", R"({"a":1,"x":2})"});
  expect_schema(R"({"type":"object","additionalProperties":{"type":"integer"}})",
                {"{}", R"({"x":1,"y":2})"}, {R"({"x":"1"})"});
  expect_schema(R"({"type":"object","required":["k"]})", {R"({"k":1})", R"({"k":1,"z":[]})"},
                {"{}"});
}

TEST(JsonSchema, Arrays) {
  expect_schema(R"({"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3})",
                {"[1]", "[1, 2]", "[1,2,3]"}, {"[]", "[1,2,3,4]", "[true]", "[1,]"});
  expect_schema(R"({"type":"array","items":{"type":"integer"},"minItems":2})", {"[1,2]", "[1,2,3]"},
                {"[1]"});
  expect_schema(R"({"type":"array","items":{"type":"integer"},"maxItems":0})", {"[]"}, {"[1]"});
  expect_schema(
      R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"boolean"}],"items":false})",
      {"[1,true]"}, {"[1]", "[]", "[1,true,2]"});
  expect_schema(
      R"({"type":"array","prefixItems":[{"type":"integer"}],"items":{"type":"null"},"maxItems":2})",
      {"[1]", "[1,null]"}, {"[]", "[1,null,null]", "[1,1]"});
}

TEST(JsonSchema, EnumConstAndCombinations) {
  expect_schema(R"({"enum":["a\"b",1,null,{"x":[1]}]})", {R"("a\"b")", "1", "null", R"({"x":[1]})"},
                {"a", "2", R"({"x": [1]})"});
  expect_schema(R"({"const":"yes"})", {R"("yes")"}, {R"("no")"});
  expect_schema(R"({"anyOf":[{"type":"integer"},{"type":"null"}]})", {"1", "null"}, {"true"});
  expect_schema(R"({"oneOf":[{"type":"integer"},{"type":"null"}],"description":"x"})",
                {"1", "null"}, {"true"});
  expect_schema(
      R"({"type":"object","properties":{"k":{"const":1}},"required":["k"],"anyOf":[{"properties":{"a":{"const":2}},"required":["a"]},{"properties":{"b":{"const":3}},"required":["b"]}]})",
      {R"({"k":1,"a":2})", R"({"k":1,"b":3})"}, {R"({"k":1})", R"({"a":2})"});
  expect_schema(
      R"({"allOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"b":{"type":"null"}},"required":["b"]}]})",
      {R"({"a":1,"b":null})"}, {R"({"a":1})", R"({"b":null})"});
}

TEST(JsonSchema, ReferencesAndRecursion) {
  expect_schema(
      R"({"$defs":{"node":{"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["v","next"]}},"$ref":"#/$defs/node"})",
      {R"({"v":1,"next":null})", R"({"v":1,"next":{"v":2,"next":null}})"}, {R"({"v":1})"});
  expect_schema(R"({"type":"array","items":{"$ref":"#"}})", {"[]", "[[],[[]]]"}, {"[1]"});
  expect_schema(
      R"({"definitions":{"a":{"type":"object","properties":{"x":{"type":"null"}},"required":["x"]}},"allOf":[{"$ref":"#/definitions/a"}]})",
      {R"({"x":null})"}, {"{}"});
}

TEST(JsonSchema, Strings) {
  expect_schema(R"({"type":"string","minLength":2,"maxLength":3})",
                {R"("ab")", R"("a\nb")", R"("€€€")"}, {R"("a")", R"("abcd")"});
  expect_schema(R"({"type":"string","pattern":"^[a-z]+-\\d{2}$"})", {R"("ab-12")"},
                {R"("ab-1")", R"("-12")", R"("ab-123")"});
  expect_schema(R"({"type":"string","pattern":"b"})", {R"("b")", R"("abc")"}, {R"("ac")", R"("")"});
  expect_schema(R"({"type":"string","pattern":"^a|c$"})", {R"("ab")", R"("bc")", R"("a")"},
                {R"("ba")"});
  expect_schema(R"({"type":"string","pattern":"^a\"b\\\\c\\n$"})", {R"("a\"b\\c\n")"},
                {R"("a"b\c")"});
  expect_schema(R"({"type":"string","pattern":"^[\"x]$"})", {R"("\"")", R"("x")"}, {R"(""")"});
  // Control characters, DEL among them, stand as escapes.
  expect_schema(R"({"type":"string","pattern":"^\\u0001?\u007f$"})",
                {R"("\u0001\u007f")", R"("\u007f")"}, {R"("")", R"("\u0001")"});
  expect_schema(R"({"type":"string","format":"date-time"})",
                {R"("2026-11-24T22:13:25Z")", R"("2026-01-02T03:04:05.123+01:00")"},
                {R"("2026-13-24T22:13:25Z")", R"("2026-11-24")"});
  expect_schema(R"({"type":"string","format":"date"})", {R"("2026-11-24")"}, {R"("2026-1-2")"});
  expect_schema(R"({"type":"string","format":"uuid"})",
                {R"("123e4567-e89b-12d3-a456-426614174000")"}, {R"("123e4567")"});
  expect_schema(R"({"type":"string","format":"email"})", {R"("anything")"}, {"1"});
}

TEST(JsonSchema, IntegerBounds) {
  expect_schema(R"({"type":"integer","minimum":5,"maximum":120})",
                {"5", "9", "10", "99", "100", "120"}, {"4", "121", "0", "-5", "05"});
  expect_schema(R"({"type":"integer","exclusiveMinimum":0})", {"1", "999999"}, {"0", "-1"});
  expect_schema(R"({"type":"integer","maximum":-3})", {"-3", "-10", "-999"}, {"-2", "0", "3"});
  expect_schema(R"({"type":"integer","minimum":1.5,"exclusiveMaximum":3})", {"2"}, {"1", "3"});
}

TEST(IntegerRange, HoldsExactlyItsIntegers) {
  Rng rng(3);
  for (int i = 0; i < 60; ++i) {
    const auto a = static_cast<std::int64_t>(rng.below(2400)) - 1200;
    const auto b = a + static_cast<std::int64_t>(rng.below(i % 2 == 0 ? 30 : 1500));
    GbnfRules rules;
    const std::string root = integer_range_to_gbnf(a, b, rules);
    GbnfMatcher matcher(rules.text(root));
    for (std::int64_t v = a - 15; v <= b + 15; ++v) {
      ASSERT_EQ(matcher.matches(std::to_string(v)), a <= v && v <= b) << a << ' ' << b << ' ' << v;
    }
  }
  GbnfRules rules;
  const auto low = std::numeric_limits<std::int64_t>::min();
  const auto high = std::numeric_limits<std::int64_t>::max();
  GbnfMatcher all(rules.text(integer_range_to_gbnf(low, high, rules)));
  EXPECT_TRUE(all.matches(std::to_string(low)));
  EXPECT_TRUE(all.matches(std::to_string(high)));
  EXPECT_FALSE(all.matches("9223372036854775808"));
  GbnfMatcher top(rules.text(integer_range_to_gbnf(high, std::nullopt, rules)));
  EXPECT_TRUE(top.matches(std::to_string(high)));
}

TEST(JsonSchema, WhatWouldBeIgnoredIsRefusedByName) {
  const auto refused = [](std::string_view schema, Errc code, std::string_view part) {
    const auto gbnf = gbnf_of_schema(schema);
    ASSERT_FALSE(gbnf) << schema;
    EXPECT_EQ(gbnf.error().code(), code) << schema;
    EXPECT_NE(gbnf.error().message().find(part), std::string::npos) << gbnf.error().message();
    EXPECT_EQ(gbnf.error().param(), "guided_json");
  };
  refused(R"({"not":{"type":"string"}})", Errc::unimplemented, "'not'");
  refused(R"({"type":"number","minimum":1})", Errc::unimplemented, "'minimum'");
  refused(R"({"type":"array","uniqueItems":true})", Errc::unimplemented, "'uniqueItems'");
  refused(R"({"type":"object","properties":{"a":{"multipleOf":2,"type":"integer"}}})",
          Errc::unimplemented, "/properties/a");
  refused(R"({"$ref":"http://x/y"})", Errc::unimplemented, "$ref");
  refused(R"({"$ref":"#/nowhere"})", Errc::invalid_argument, "points nowhere");
  refused(R"({"type":"strin"})", Errc::invalid_argument, "strin");
  refused(R"({"type":"string","minLength":3,"maxLength":2})", Errc::invalid_argument, "maxLength");
  refused(R"({"type":"string","maxLength":100000})", Errc::unimplemented, "maxLength");
  refused(R"({"type":"integer","minimum":3,"maximum":2})", Errc::invalid_argument, "no integer");
  refused(R"x({"type":"string","pattern":"a(?=b)"})x", Errc::unimplemented, "pattern");
  refused(R"([1])", Errc::invalid_argument, "object");
  refused(R"({"enum":[]})", Errc::invalid_argument, "enum");
  refused(R"({"allOf":[{"$ref":"#"}]})", Errc::invalid_argument, "");
}

TEST(JsonSchema, SizeAndDepthAreBounded) {
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += R"({"type":"array","items":)";
  deep += "true" + std::string(100, '}');
  EXPECT_EQ(gbnf_of_schema(deep).error().code(), Errc::invalid_argument);
  std::string doubling = R"({"$ref":"#/$defs/d0","$defs":{)";
  for (int i = 0; i < 40; ++i) {
    const std::string next = R"({"$ref":"#/$defs/d)" + std::to_string(i + 1) + "\"}";
    doubling +=
        "\"d" + std::to_string(i) + R"(":{"type":"object","anyOf":[)" + next + "," + next + "]},";
  }
  doubling += R"("d40":{"type":"object"}}})";
  EXPECT_EQ(gbnf_of_schema(doubling).error().code(), Errc::invalid_argument);
  std::string wide = R"({"type":"object","properties":{)";
  for (int i = 0; i < 8000; ++i) {
    wide += (i > 0 ? "," : "") + std::string("\"p") + std::to_string(i) + R"(":{"type":"integer"})";
  }
  wide += "}}";
  EXPECT_EQ(gbnf_of_schema(wide).error().code(), Errc::invalid_argument);
}

TEST(Regex, WholeAnswers) {
  expect_regex("abc", {"abc"}, {"ab", "abcd", ""});
  expect_regex("^a|b$", {"a", "b"}, {"ab"});
  expect_regex("a*b+c?", {"b", "aabbc"}, {"a", "bcc"});
  expect_regex("(foo|ba[rz]){2,3}", {"foobar", "bazfoobar"}, {"foo", "foofoofoofoo"});
  expect_regex("x{3}", {"xxx"}, {"xx", "xxxx"});
  expect_regex("x{2,}", {"xx", "xxxxx"}, {"x"});
  expect_regex("x{,2}y", {"y", "xxy"}, {"xxxy"});
  expect_regex("a{b", {"a{b"}, {"ab"});
  expect_regex("[^a-c\\d]", {"x", "€", "-"}, {"a", "5", "xx"});
  expect_regex("[]a-]+", {"]", "a-"}, {"b"});
  expect_regex("\\w+@\\w+\\.com", {"me@here.com"}, {"me@here_com"});
  expect_regex(".", {"a", "é", "😀"}, {"\n", ""});
  expect_regex("(?:a)(?P<n>b)(?<m>c)", {"abc"}, {"ab"});
  expect_regex("a*?b", {"b", "aab"}, {"a"});
  expect_regex("\\x41\\u00e9\\t", {"Aé\t"}, {"A"});
  expect_regex("", {""}, {"a"});
  expect_regex("a||b", {"a", "", "b"}, {"ab"});
  expect_regex("x{0}y", {"y"}, {"xy"});
  expect_regex("\"\\\\", {"\"\\"}, {"\""});
}

TEST(Regex, WhatCannotBeDoneSaysWhatAndWhere) {
  const auto refused = [](std::string_view pattern, Errc code) {
    GbnfRules rules;
    const auto body = regex_to_gbnf(pattern, RegexPlace::whole_answer, rules);
    ASSERT_FALSE(body) << pattern;
    EXPECT_EQ(body.error().code(), code) << pattern;
    EXPECT_NE(body.error().message().find("at character"), std::string::npos);
  };
  for (const char* pattern : {"(?=a)", "(?!a)", "(?<=a)", "(?i)a", "\\1", "\\b", "\\p{L}", "a^b",
                              "(a$)b", "a$b", "(^a)"}) {
    refused(pattern, Errc::unimplemented);
  }
  for (const char* pattern : {"(", "(a", "a)", "[", "[a", "*a", "a**", "a{3,2}", "a{5000}", "\\",
                              "[b-a]", "\\xZZ", "(?<n", "\xff"}) {
    refused(pattern, Errc::invalid_argument);
  }
  refused(std::string(100, '(') + std::string(100, ')'), Errc::invalid_argument);
}

TEST(GuidedDecoding, ChoicesAndNothing) {
  llm::GuidedDecoding guided;
  guided.choice = std::vector<std::string>{"yes", "no \"way\"", "ä\n"};
  expect_language(gbnf_text(guided), {"yes", "no \"way\"", "ä\n"}, {"", "maybe"});
  EXPECT_EQ(*gbnf_text({}), "");
  guided = {};
  guided.backend = "xgrammar";
  EXPECT_EQ(*gbnf_text(guided), "");
  guided.whitespace_pattern = " ";
  EXPECT_EQ(gbnf_text(guided).error().code(), Errc::unimplemented);
  guided = {};
  guided.structural_tag = Json::object();
  EXPECT_EQ(gbnf_text(guided).error().param(), "structural_tag");
}

TEST(GbnfCheck, TakesWhatTheLibraryTakes) {
  for (const char* good :
       {"root ::= \"a\"", "root ::= \"a\" | [b-d] x*\nx ::= ( \"y\" |\n \"z\" ){1,3} # comment\n",
        "# start\nroot ::= [^\\x00-\\x1F\\]] . \"\\\"\" ", "root ::= x{2,}\nx ::= |\"q\"",
        "root ::= | \" \" | \"\\n\" [ \\t]{0,20}\r\n"}) {
    EXPECT_TRUE(parse_gbnf(good)) << good << ": " << parse_gbnf(good).error().message();
  }
  for (const char* bad :
       {"", "x ::= \"a\"", "root = \"a\"", "root ::= \"a", "root ::= [a", "root ::= (\"a\"",
        "root ::= *", "root ::= y", "root ::= \"a\"{3", "root ::= \"a\"{99999}", "root ::= \"\\q\"",
        "root ::= \"a\" )", "root ::= \"\\x4\""}) {
    EXPECT_FALSE(parse_gbnf(bad)) << bad;
  }
  const auto error = parse_gbnf("root ::= \"a\"\nx ::= %").error();
  EXPECT_NE(error.message().find("line 2, column 7"), std::string::npos) << error.message();
  EXPECT_EQ(parse_gbnf("root ::= <[12]>").error().code(), Errc::unimplemented);
  EXPECT_FALSE(parse_gbnf("root ::= " + std::string(1000, '(') + "\"a\"" + std::string(1000, ')')));
}

}  // namespace
}  // namespace grammar_test
}  // namespace dynamo::engines::batching::grammar
