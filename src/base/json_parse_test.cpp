// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/json.h>
#include <dynamo/base/rng.h>
#include <dynamo/base/utf8.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include <gtest/gtest.h>

#include "base/json_oracle.h"

namespace dynamo::base::json_parse_test {
namespace {

using namespace std::string_literals;

std::string nested(std::size_t depth, char open = '[', char close = ']') {
  return std::string(depth, open) + std::string(depth, close);
}

// simdjson must agree with the reader wherever it means to.
void expect_agreement(std::string_view text) {
  if (detail::oracle_may_differ(text)) return;
  const auto mine = parse_json(text);
  const auto theirs = detail::oracle_parse(text);
  ASSERT_EQ(mine.has_value(), theirs.has_value()) << ::testing::PrintToString(std::string(text));
  if (mine) {
    EXPECT_TRUE(detail::same_json(*mine, *theirs)) << ::testing::PrintToString(std::string(text));
  }
}

std::string message(std::string_view text) {
  const auto result = parse_json(text);
  EXPECT_FALSE(result) << text;
  if (result) return {};
  EXPECT_EQ(result.error().code(), Errc::invalid_argument);
  return result.error().message();
}

constexpr std::string_view kSample =
    R"( {"model":"m","messages":[{"role":"user","content":"Grüße \u00e9\ud83d\ude00 \"x\"\\\n\/"}],)"
    R"("temperature":0.7,"max_tokens":-12,"big":18446744073709551615,"e":1.5E-7,"list":[true,false,null,[],{}],)"
    R"("stop":["a","b"],"seed":9223372036854775807,"m":-0.0,"k":{"a":{"b":{"c":[[[]]]}}}} )";

TEST(JsonParse, AcceptsWhatTheReferenceAccepts) {
  struct Case {
    std::string text;
    std::string dump;
  };
  const Case cases[] = {
      {"0", "0"},
      {"-0", "-0.0"},  // serde_json: a double
      {"-0.0", "-0.0"},
      {"0e5", "0.0"},
      {"-1", "-1"},
      {" \t\r\n1 \t\r\n", "1"},
      {"9223372036854775807", "9223372036854775807"},
      {"9223372036854775808", "9223372036854775808"},
      {"18446744073709551615", "18446744073709551615"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"18446744073709551616", "1.8446744073709552e19"},
      {"-9223372036854775809", "-9.223372036854776e18"},
      {"123456789012345678901234567890", "1.2345678901234568e29"},
      {"1.0", "1.0"},
      {"1E5", "100000.0"},
      {"1e+5", "100000.0"},
      {"1e-5", "0.00001"},
      {"1e-400", "0.0"},
      {"-1e-400", "-0.0"},
      {"1e-99999999999999999999", "0.0"},
      {"0e99999999999999999999", "0.0"},
      {"0." + std::string(400, '0') + "1", "0.0"},
      {"1" + std::string(300, '0'), "1e300"},
      {"5e-324", "5e-324"},
      {"1.7976931348623157e308", "1.7976931348623157e308"},
      {"2.2250738585072011e-308", "2.225073858507201e-308"},
      {"true", "true"},
      {"false", "false"},
      {"null", "null"},
      {"\"\"", "\"\""},
      {"[]", "[]"},
      {"{}", "{}"},
      {"[ ]", "[]"},
      {"{ }", "{}"},
      {"[1 , 2]", "[1,2]"},
      {"{\"a\" : 1 , \"b\" : 2}", "{\"a\":1,\"b\":2}"},
      {R"({"":{"":""}})", R"({"":{"":""}})"},
      {R"("\"\\\/\b\f\n\r\t")", R"("\"\\/\b\f\n\r\t")"},
      {R"("\u0041\u00e9\u20AC\ud83d\ude00")", "\"Aé€😀\""},
      {R"("\u0000\u001f")", R"("\u0000\u001f")"},
      {"\"\x7F\"", "\"\x7F\""},
      {"\"é€😀\uFEFF\"", "\"é€😀\uFEFF\""},
      {R"("-0 is text")", R"("-0 is text")"},
      {R"("a\\ud800")", R"("a\\ud800")"},
      {nested(128), nested(128)},
  };
  for (const Case& c : cases) {
    const auto value = parse_json(c.text);
    ASSERT_TRUE(value) << c.text << ": " << value.error().message();
    EXPECT_EQ(value->dump(), c.dump);
    expect_agreement(c.text);
  }
}

TEST(JsonParse, RefusesWhatTheReferenceRefuses) {
  const std::string cases[] = {
      "",
      " ",
      "\n",
      "nul",
      "nulL",
      "tru",
      "TRUE",
      "falsey",
      "truefalse",
      "None",
      "undefined",
      "01",
      "-01",
      "00",
      "+1",
      "-",
      "1.",
      ".5",
      "-.5",
      "1.e5",
      "1e",
      "1e+",
      "1E-",
      "0x10",
      "1_000",
      "NaN",
      "-NaN",
      "Infinity",
      "-Infinity",
      "inf",
      "1e400",
      "-1e400",
      "1e99999999999999999999",
      "1" + std::string(309, '0'),
      "1 2",
      "1,",
      "- 1",
      "1a",
      "[",
      "]",
      "[1",
      "[1,",
      "[1,]",
      "[,1]",
      "[,]",
      "[1 2]",
      "[1,,2]",
      "[1}",
      "{",
      "}",
      "{]",
      "{\"a\"",
      "{\"a\":",
      "{\"a\":1",
      "{\"a\":1,",
      "{\"a\":1,}",
      "{,}",
      "{\"a\" 1}",
      "{\"a\":}",
      "{\"a\":1 \"b\":2}",
      "{a:1}",
      "{'a':1}",
      "{1:1}",
      "{null:1}",
      "{\"a\":1}}",
      "[]]",
      "'a'",
      "\"",
      "\"a",
      "\"\\\"",
      "\"\\",
      "\"\\x\"",
      "\"\\a\"",
      "\"\\'\"",
      "\"\\0\"",
      "\"\\u\"",
      "\"\\u12\"",
      "\"\\u123\"",
      "\"\\u123g\"",
      "\"\\U0041\"",
      "\"\\u00g0\"",
      R"("\ud800")",
      R"("\udc00")",
      R"("\ud800x")",
      R"("\ud800\n")",
      R"("\ud800\u0041")",
      R"("\ud800\ud800")",
      R"("\udbff\ue000")",
      R"("\ude00\ud83d")",
      R"("\ud83d\u")",
      R"("\ud83d\ude0")",
      "\"a\nb\"",
      "\"a\tb\"",
      "\"\x01\"",
      "\"\x1F\"",
      "\"\0\""s,
      "\0"s,
      "1\0"s,
      "\xEF\xBB\xBF{}",
      "\"\xFF\"",
      "\"\xC3\"",
      "\"\xC0\xAF\"",
      "\"\xED\xA0\x80\"",
      "\"\xF4\x90\x80\x80\"",
      "\"\xE2\x82\"",
      "\xA0",
      "\v1",
      "\f1",
      "// c\n1",
      "/* c */ 1",
      "1 // c",
      "{\"a\":1;}",
      "[1;2]",
      nested(129),
      nested(129, '{', '}'),
      nested(100'000),
      std::string(100'000, '['),
      std::string(100'000, '{'),
  };
  for (const std::string& text : cases) {
    EXPECT_FALSE(parse_json(text)) << text.substr(0, 50);
    expect_agreement(text);
  }
}

TEST(JsonParse, DepthOf128IsReadAnd129IsNot) {
  const auto object = [](std::size_t depth) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += "{\"a\":";
    return text + "1" + std::string(depth, '}');
  };
  const auto parse = [&](const std::string& text, std::size_t limit) {
    return parse_json(text, {.depth_limit = limit}).has_value();
  };
  EXPECT_TRUE(parse(nested(128), 128));
  EXPECT_FALSE(parse(nested(129), 128));
  EXPECT_TRUE(parse(object(128), 128));
  EXPECT_FALSE(parse(object(129), 128));
  EXPECT_TRUE(parse("1", 0));
  EXPECT_FALSE(parse("[]", 0));
  EXPECT_TRUE(parse("[[]]", 2));
  EXPECT_FALSE(parse("[[],[[]]]", 2));
  EXPECT_NE(message(nested(129)).find("nested too deeply"), std::string::npos);
}

TEST(JsonParse, DuplicateKeysKeepTheLastValueAtTheFirstPlace) {
  constexpr std::string_view kText = R"({"a":1,"b":2,"a":3,"c":4,"b":{"x":5}})";
  constexpr std::string_view kDump = R"({"a":3,"b":{"x":5},"c":4})";
  EXPECT_EQ(parse_json(kText)->dump(), kDump);
}

TEST(JsonParse, DuplicateMembersOfTheOutermostObjectCanBeRefused) {
  const JsonParseOptions options{.unique_members = true};
  EXPECT_EQ(parse_json(R"({"a":{"x":1,"x":2},"b":[{"a":1,"a":2}]})", options)->dump(),
            R"({"a":{"x":2},"b":[{"a":2}]})");
  const auto twice = parse_json("{\"a\":1,\n\"b\":2,\"\\u0061\":3}", options);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().message().find("duplicate field `a` at line 2"), 0U)
      << twice.error().message();
}

TEST(JsonParse, KeepsTheOrderOfKeys) {
  std::string text = "{";
  for (int i = 999; i >= 0; --i)
    text += (i < 999 ? ",\"" : "\"") + std::to_string(i * 7919 % 1000) + "\":1";
  text += "}";
  EXPECT_EQ(parse_json(text)->dump(), text);
}

TEST(JsonParse, NamesWhatWasExpectedAndWhere) {
  EXPECT_EQ(message(""), "expected a value, got end of text at line 1 column 1");
  EXPECT_EQ(message("[1,\n 2,]"), "expected a value, got ']' at line 2 column 4");
  EXPECT_EQ(message("{\"a\" 1}"), "expected ':' after an object key, got '1' at line 1 column 6");
  EXPECT_EQ(message("{\"a\":1 \"b\"}"),
            "expected ',' or '}' in an object, got '\"' at line 1 column 8");
  EXPECT_EQ(message("{\"a\":1,}"), "expected a quoted object key, got '}' at line 1 column 8");
  EXPECT_EQ(message("[1 2]"), "expected ',' or ']' in an array, got '2' at line 1 column 4");
  EXPECT_EQ(message("[1"), "expected ',' or ']' in an array, got end of text at line 1 column 3");
  EXPECT_EQ(message("1 é"), "expected end of text after the value, got 'é' at line 1 column 3");
  EXPECT_EQ(message("[\"éé\",x]"), "expected a value, got 'x' at line 1 column 7");
  EXPECT_EQ(message("\"a\nb\""), "unescaped control character 0x0a in a string at line 1 column 3");
  EXPECT_EQ(message("\"abc"), "string is not terminated at line 1 column 1");
  EXPECT_EQ(message("\"\\q\""),
            "expected an escape (one of \"\\/bfnrtu) after '\\', got 'q' at line 1 column 3");
  EXPECT_EQ(message("[\"\\ud800\"]"), "lone surrogate in a '\\u' escape at line 1 column 3");
  EXPECT_EQ(message("[01]"), "number with a leading zero at line 1 column 2");
  EXPECT_EQ(message("[1e400]"), "number out of range at line 1 column 2");
  EXPECT_EQ(message("[tru]"), "expected 'true', got ']' at line 1 column 5");
  EXPECT_EQ(message("\"\xFF\""), "invalid UTF-8 at line 1 column 2");
}

TEST(JsonParse, AMessageIsValidTextWhateverCame) {
  EXPECT_EQ(message("[\xE0]"), "expected a value, got byte 0xe0 at line 1 column 2");
  EXPECT_EQ(message("{\"a\\\xFF\":1}"),
            "expected an escape (one of \"\\/bfnrtu) after '\\', got byte 0xff at line 1 column 5");
}

TEST(JsonParse, TheFirstFaultIsReported) {
  EXPECT_EQ(message("[x,\"\xFF\"]"), "expected a value, got 'x' at line 1 column 2");
}

TEST(JsonParse, KeepsItsSizeLimit) {
  const auto result = parse_json("[1,2]", {.size_limit_bytes = 4});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Errc::payload_too_large);
  EXPECT_TRUE(parse_json("[1,2]", {.size_limit_bytes = 5}));
}

TEST(JsonParse, KeepsItsLimitOfValues) {
  EXPECT_TRUE(parse_json(R"({"a":[1,2]})", {.value_limit = 4}));
  const auto result = parse_json(R"({"a":[1,2]})", {.value_limit = 3});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Errc::payload_too_large);
  EXPECT_EQ(result.error().message(), "too many values at line 1 column 9");
}

TEST(JsonParse, LenientRepairsControlCharactersAndUtf8) {
  const JsonParseOptions lenient{.lenient = true};
  EXPECT_EQ(*parse_json("{\"a\":\"x\ny\tz\"}", lenient)->find("a"), "x\ny\tz");
  EXPECT_EQ(*parse_json("\"\xFF\x01\"", lenient), "\xEF\xBF\xBD\x01"s);
  EXPECT_EQ(*parse_json("\"\xE2\x82\"", lenient), "\xEF\xBF\xBD"s);
  // Control characters outside strings are white space or faults as before.
  EXPECT_EQ(parse_json("[1,\n2]", lenient)->dump(), "[1,2]");
  EXPECT_FALSE(parse_json("[1,\x01 2]", lenient));
  // The error of a text that repair does not save is that of the text itself.
  EXPECT_EQ(parse_json("[\"a\nb\",]", lenient).error().message(),
            "unescaped control character 0x0a in a string at line 1 column 4");
  EXPECT_FALSE(parse_json("\"a\nb\""));
}

TEST(JsonParse, LenientLeavesValidTextsAlone) {
  const JsonParseOptions lenient{.lenient = true};
  EXPECT_TRUE(detail::same_json(*parse_json(kSample, lenient), *parse_json(kSample)));
  EXPECT_EQ(*parse_json(R"("a\\")", lenient), "a\\");
}

TEST(JsonParse, ATruncatedDocumentIsRefusedAtEveryByte) {
  ASSERT_TRUE(parse_json(kSample)) << message(kSample);
  const std::size_t end = kSample.find_last_not_of(' ') + 1;
  for (std::size_t size = 0; size < end; ++size) {
    EXPECT_FALSE(parse_json(kSample.substr(0, size))) << size;
    expect_agreement(kSample.substr(0, size));
  }
}

TEST(JsonParse, AgreesWithSimdjsonOnDamagedDocuments) {
  Rng rng(11);
  constexpr std::string_view kAlphabet = "{}[]\",:\\/eE+-.0123456789tfnu ud8\n\t\x01\xFF\x80";
  for (int round = 0; round < 5'000; ++round) {
    std::string text(kSample);
    for (std::uint64_t n = 1 + rng.below(3); n > 0; --n) {
      const std::size_t at = rng.below(text.size());
      const char byte = kAlphabet[rng.below(kAlphabet.size())];
      switch (rng.below(3)) {
        case 0:
          text[at] = byte;
          break;
        case 1:
          text.insert(at, 1, byte);
          break;
        default:
          text.erase(at, 1 + rng.below(3));
          break;
      }
    }
    expect_agreement(text);
    if (HasFailure()) break;
  }
}

double random_double(Rng& rng) {
  for (;;) {
    const auto value = std::bit_cast<double>(rng());
    if (std::isfinite(value)) return value;
  }
}

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

// A million with DYNAMO_LONG_TESTS=1 (under a second in a release build); a fifth of it otherwise.
TEST(JsonParse, RandomDoublesRoundTripBitExactBothWays) {
  const int rounds = std::getenv("DYNAMO_LONG_TESTS") != nullptr ? 1'000'000 : 200'000;
  constexpr int kBatch = 1000;
  Rng rng(42);
  for (int done = 0; done < rounds; done += kBatch) {
    Json::Array values;
    for (int i = 0; i < kBatch; ++i) values.emplace_back(random_double(rng));
    const std::string text = Json(values).dump();
    const auto parsed = parse_json(text);
    ASSERT_TRUE(parsed);
    const Json::Array& back = *parsed->if_array();
    ASSERT_EQ(back.size(), values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      ASSERT_TRUE(same_bits(*values[i].as_double(), *back[i].as_double())) << values[i].dump();
    ASSERT_EQ(parsed->dump(), text);
  }
}

// More digits than a double holds, at the borders where rounding is decided.
TEST(JsonParse, ReadsHalfwayNumbersExactly) {
  const std::pair<std::string_view, double> rows[] = {
      {"9007199254740993", 9007199254740993.0},  // an integer stays one; see below
      {"9007199254740993.0", 0x1p53},
      {"9007199254740993.00000000000000000000000000000000001", 0x1p53 + 2},
      {"0.1000000000000000055511151231257827021181583404541015625", 0.1},
      {"2.4703282292062327208e-324", 0.0},
      {"2.4703282292062328e-324", 5e-324},
      {"1.7976931348623158e308", 1.7976931348623157e308},
      {"179769313486231570000000000000000000000e270", 1.7976931348623157e308},
      {"0.000000000000000000000000000000000000001e40", 10.0},
  };
  for (const auto& [text, value] : rows) {
    const auto parsed = parse_json(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->as_double(), value) << text;
  }
  EXPECT_EQ(parse_json("9007199254740993")->as_int64(), 9007199254740993);
  EXPECT_FALSE(parse_json("1.7976931348623159e308"));
}

}  // namespace
}  // namespace dynamo::base::json_parse_test
