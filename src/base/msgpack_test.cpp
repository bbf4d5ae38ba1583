// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/msgpack.h>
#include <dynamo/base/rng.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::base::msgpack_test {
namespace {

std::string bytes(std::initializer_list<int> list) {
  std::string out;
  for (const int b : list) out.push_back(static_cast<char>(b));
  return out;
}

template <class T>
std::string packed(T value) {
  std::string out;
  MsgpackWriter(out).value(value);
  return out;
}

TEST(Msgpack, IntegersTakeTheirShortestForm) {
  EXPECT_EQ(packed(0), bytes({0x00}));
  EXPECT_EQ(packed(127), bytes({0x7f}));
  EXPECT_EQ(packed(128), bytes({0xcc, 0x80}));
  EXPECT_EQ(packed(255), bytes({0xcc, 0xff}));
  EXPECT_EQ(packed(256), bytes({0xcd, 0x01, 0x00}));
  EXPECT_EQ(packed(65536), bytes({0xce, 0x00, 0x01, 0x00, 0x00}));
  EXPECT_EQ(packed(std::uint64_t{1} << 32), bytes({0xcf, 0, 0, 0, 1, 0, 0, 0, 0}));
  EXPECT_EQ(packed(-1), bytes({0xff}));
  EXPECT_EQ(packed(-32), bytes({0xe0}));
  EXPECT_EQ(packed(-33), bytes({0xd0, 0xdf}));
  EXPECT_EQ(packed(-129), bytes({0xd1, 0xff, 0x7f}));
  EXPECT_EQ(packed(-32769), bytes({0xd2, 0xff, 0xff, 0x7f, 0xff}));
  EXPECT_EQ(packed(std::numeric_limits<std::int64_t>::min()),
            bytes({0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(Msgpack, EveryIntegerReadsBackAsItself) {
  std::vector<std::int64_t> values{0,
                                   1,
                                   -1,
                                   31,
                                   -31,
                                   -32,
                                   -33,
                                   127,
                                   128,
                                   std::numeric_limits<std::int64_t>::max(),
                                   std::numeric_limits<std::int64_t>::min()};
  for (int shift = 1; shift < 63; ++shift) {
    for (const std::int64_t offset : {-1, 0, 1}) {
      values.push_back((std::int64_t{1} << shift) + offset);
      values.push_back(-(std::int64_t{1} << shift) + offset);
    }
  }
  for (const std::int64_t v : values) {
    const std::string text = packed(v);
    EXPECT_EQ(MsgpackReader(text).integer().value(), v);
    EXPECT_EQ(MsgpackReader(text).integer_bits().value(), static_cast<std::uint64_t>(v));
    EXPECT_EQ(MsgpackReader(text).unsigned_integer().has_value(), v >= 0);
    EXPECT_EQ(MsgpackReader(text).real().value(), static_cast<double>(v));
  }
  const std::string most = packed(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(MsgpackReader(most).unsigned_integer().value(),
            std::numeric_limits<std::uint64_t>::max());
  EXPECT_FALSE(MsgpackReader(most).integer());
}

TEST(Msgpack, LengthsSwitchFormAtTheirBorders) {
  for (const std::size_t size : {0u, 31u, 32u, 255u, 256u, 65535u, 65536u}) {
    const std::string text(size, 'x');
    std::string out;
    MsgpackWriter(out).value(std::string_view(text));
    EXPECT_EQ(MsgpackReader(out).string().value(), text);
    out.clear();
    MsgpackWriter(out).binary(text);
    EXPECT_EQ(MsgpackReader(out).binary().value(), text);
  }
  for (const std::size_t size : {0u, 15u, 16u, 65535u, 65536u}) {
    std::string out;
    MsgpackWriter writer(out);
    writer.array(size);
    for (std::size_t i = 0; i < size; ++i) writer.nil();
    MsgpackReader reader(out);
    EXPECT_EQ(reader.array().value(), size);
    EXPECT_TRUE(MsgpackReader(out).skip());
  }
}

TEST(Msgpack, JsonSurvivesTheRoundTrip) {
  const Json value = *parse_json(
      R"({"a":1,"b":[true,false,null,-5,18446744073709551615,1.5,"text"],"c":{"d":{}},"e":[],"long key that needs a header":"é"})");
  std::string out;
  MsgpackWriter(out).value(value);
  EXPECT_EQ(parse_msgpack(out).value().dump(), value.dump());
}

TEST(Msgpack, ALengthIsNeverTrusted) {
  for (const std::string& text :
       {bytes({0xdd, 0xff, 0xff, 0xff, 0xff}), bytes({0xdf, 0xff, 0xff, 0xff, 0xff}),
        bytes({0xdb, 0xff, 0xff, 0xff, 0xff, 'x'}), bytes({0xc6, 0x7f, 0xff, 0xff, 0xff}),
        bytes({0xc9, 0xff, 0xff, 0xff, 0xff, 0}), bytes({0x9f}), bytes({0x8f, 0}), bytes({0xbf})}) {
    EXPECT_FALSE(MsgpackReader(text).skip());
    EXPECT_FALSE(parse_msgpack(text));
  }
}

TEST(Msgpack, NestingIsBounded) {
  const std::string deep(200, '\x91');
  EXPECT_FALSE(MsgpackReader(deep + '\xc0').skip());
  EXPECT_FALSE(parse_msgpack(deep + '\xc0'));
  EXPECT_TRUE(parse_msgpack(std::string(128, '\x91') + '\xc0'));
}

TEST(Msgpack, AWrongKindIsNamedWithItsPlace) {
  const std::string text = packed("text");
  MsgpackReader reader(text);
  const auto wrong = reader.integer();
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), Errc::protocol);
  EXPECT_EQ(wrong.error().message(), "MessagePack: expected an integer, found a string at byte 0");
  EXPECT_EQ(reader.string().value(), "text");  // a refused read consumes nothing
}

TEST(Msgpack, RandomBytesNeverCrash) {
  Rng rng(7);
  for (int round = 0; round < 20000; ++round) {
    std::string text(rng.below(40), '\0');
    for (char& c : text) c = static_cast<char>(rng());
    static_cast<void>(parse_msgpack(text).has_value());
    static_cast<void>(MsgpackReader(text).skip().has_value());
  }
}

TEST(Msgpack, EveryTruncationIsAnError) {
  std::string out;
  MsgpackWriter(out).value(
      *parse_json(R"({"a":[1,300,70000,5000000000,-1,-200,-40000,1.25,"abc"],"b":{"c":null}})"));
  for (std::size_t length = 0; length < out.size(); ++length)
    EXPECT_FALSE(parse_msgpack(out.substr(0, length)));
  EXPECT_FALSE(parse_msgpack(out + '\0'));
}

}  // namespace
}  // namespace dynamo::base::msgpack_test
