// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/json.h>
#include <dynamo/base/rng.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace dynamo::base::json_write_test {
namespace {

std::string text(double value) {
  return Json(value).dump();
}
std::string text(float value) {
  std::string out;
  JsonWriter(out).value(value);
  return out;
}
std::string json_string(std::string_view value) {
  std::string out;
  append_json_string(out, value);
  return out;
}

TEST(JsonWriter, WritesDoublesAsTheReferenceDoes) {
  const std::pair<double, std::string_view> rows[] = {
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {1.0, "1.0"},
      {-1.5, "-1.5"},
      {0.7, "0.7"},
      {0.1 + 0.2, "0.30000000000000004"},
      {100.0, "100.0"},
      {123456.789, "123456.789"},
      {1e-4, "0.0001"},
      {1e-5, "0.00001"},
      {1.5e-5, "0.000015"},
      {1e-6, "1e-6"},
      {1.5e-6, "1.5e-6"},
      {1e-7, "1e-7"},
      {1e15, "1000000000000000.0"},
      {1e16, "1e16"},
      {1.5e15, "1500000000000000.0"},
      {1234567890123456.0, "1234567890123456.0"},
      {12345678901234567.0, "1.2345678901234568e16"},
      {9007199254740993.0, "9007199254740992.0"},
      {1e21, "1e21"},
      {1.7976931348623157e308, "1.7976931348623157e308"},
      {5e-324, "5e-324"},
      {2.2250738585072014e-308, "2.2250738585072014e-308"},
  };
  for (const auto& [value, expected] : rows) EXPECT_EQ(text(value), expected);
}

TEST(JsonWriter, WritesFloatsShortestInTheirOwnWidth) {
  const std::pair<float, std::string_view> rows[] = {
      {0.0F, "0.0"},
      {-0.0F, "-0.0"},
      {0.7F, "0.7"},
      {1.0F, "1.0"},
      {0.1F, "0.1"},
      {-3.25F, "-3.25"},
      {1e-5F, "0.00001"},
      {1e-6F, "0.000001"},
      {1e-7F, "1e-7"},
      {1e12F, "1000000000000.0"},
      {1e13F, "1e13"},
      {16777216.0F, "16777216.0"},
      {3.4028235e38F, "3.4028235e38"},
      {1e-45F, "1e-45"},
  };
  for (const auto& [value, expected] : rows) EXPECT_EQ(text(value), expected);
  EXPECT_EQ(text(static_cast<double>(0.7F)), "0.699999988079071");
}

TEST(JsonWriter, RandomFloatsRoundTripBitExact) {
  Rng rng(44);
  for (int i = 0; i < 50'000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(rng()));
    if (!std::isfinite(value)) continue;
    const std::string written = text(value);
    float back = 0;
    std::from_chars(written.data(), written.data() + written.size(), back);
    ASSERT_EQ(std::bit_cast<std::uint32_t>(value), std::bit_cast<std::uint32_t>(back)) << written;
  }
}

TEST(JsonWriter, NumbersThatJsonLacksAreNull) {
  EXPECT_EQ(text(std::nan("")), "null");
  EXPECT_EQ(text(HUGE_VAL), "null");
  EXPECT_EQ(text(-HUGE_VALF), "null");
}

TEST(JsonWriter, WritesIntegersExactly) {
  EXPECT_EQ(Json(std::numeric_limits<std::int64_t>::min()).dump(), "-9223372036854775808");
  EXPECT_EQ(Json(std::numeric_limits<std::int64_t>::max()).dump(), "9223372036854775807");
  EXPECT_EQ(Json(std::numeric_limits<std::uint64_t>::max()).dump(), "18446744073709551615");
  EXPECT_EQ(Json(0).dump(), "0");
}

TEST(JsonWriter, EscapesWhatMustBeEscapedAndNothingElse) {
  for (int c = 0; c < 0x20; ++c) {
    std::string expected;
    switch (c) {
      case '\b':
        expected = "\\b";
        break;
      case '\t':
        expected = "\\t";
        break;
      case '\n':
        expected = "\\n";
        break;
      case '\f':
        expected = "\\f";
        break;
      case '\r':
        expected = "\\r";
        break;
      default:
        expected = std::string("\\u00") + "01"[c / 16] + "0123456789abcdef"[c % 16];
    }
    const char byte = static_cast<char>(c);
    EXPECT_EQ(json_string(std::string_view(&byte, 1)), "\"" + expected + "\"");
  }
  EXPECT_EQ(json_string("\"\\"), R"("\"\\")");
  EXPECT_EQ(json_string("/'<>&\x7F é€😀\u2028"), "\"/'<>&\x7F é€😀\u2028\"");
}

TEST(JsonWriter, FindsAnEscapeAtEveryPosition) {
  for (const char c : {'"', '\\', '\n', '\x1F', '\0'}) {
    for (std::size_t size = 1; size < 40; ++size) {
      for (std::size_t at = 0; at < size; ++at) {
        // Bytes next to the special ones and with the high bit set must not be mistaken for them.
        std::string value(size, at % 2 == 0 ? '\x80' : ' ');
        value[at] = c;
        const bool long_form = c == '\x1F' || c == '\0';
        ASSERT_EQ(json_string(value).size(), size + 2 + (long_form ? 5 : 1));
      }
    }
  }
}

TEST(JsonWriter, PlacesCommas) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.member("a", 1).member("b", "x").member("c", std::string("y")).member("d", true);
  json.key("list").begin_array().value(1).value(2.5).null().begin_object().end_object();
  json.begin_array().end_array().end_array();
  json.member_if("absent", std::optional<int>()).member_if("present", std::optional<int>(3));
  json.member_or_null("none", std::optional<std::string>());
  json.member_or_null("some", std::optional<std::string>("z"));
  json.key("raw").raw("[1,2]").member("json", Json::object({{"k", nullptr}}));
  json.end_object();
  EXPECT_EQ(out,
            R"({"a":1,"b":"x","c":"y","d":true,"list":[1,2.5,null,{},[]],"present":3,"none":null,)"
            R"("some":"z","raw":[1,2],"json":{"k":null}})");
  EXPECT_TRUE(parse_json(out));
}

TEST(JsonWriter, AppendsToWhatIsThere) {
  std::string out = "data: ";
  JsonWriter(out).begin_object().member("x", std::uint64_t{1}).end_object();
  out += "\n\n";
  EXPECT_EQ(out, "data: {\"x\":1}\n\n");
}

TEST(Json, PrettyPrintsLikeTheReference) {
  const Json value = *parse_json(R"({"a":[1,{"b":[]}],"c":{},"d":"x"})");
  EXPECT_EQ(value.dump_pretty(),
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {},\n  \"d\": "
            "\"x\"\n}");
  EXPECT_EQ(Json::array().dump_pretty(), "[]");
  EXPECT_EQ(Json(1).dump_pretty(4), "1");
  EXPECT_EQ(parse_json(value.dump_pretty(4))->dump(), value.dump());
}

}  // namespace
}  // namespace dynamo::base::json_write_test
