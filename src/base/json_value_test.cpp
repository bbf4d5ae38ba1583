// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/json.h>

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace dynamo::base::json_value_test {
namespace {

constexpr std::int64_t kInt64Min = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kInt64Max = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t kUint64Max = std::numeric_limits<std::uint64_t>::max();

std::string keys(const JsonObject& object) {
  std::string text;
  for (const auto& member : object) text += member.key + ",";
  return text;
}

JsonObject numbered(int count) {
  JsonObject object;
  for (int i = 0; i < count; ++i) object.set("k" + std::to_string(i), i);
  return object;
}

TEST(JsonObject, KeepsTheOrderOfInsertion) {
  JsonObject object{{"zebra", 1}, {"apple", 2}, {"mango", 3}};
  EXPECT_EQ(keys(object), "zebra,apple,mango,");
  object.set("apple", "new");
  EXPECT_EQ(keys(object), "zebra,apple,mango,");
  EXPECT_EQ(*object.find("apple")->if_string(), "new");
  object["berry"];
  EXPECT_EQ(keys(object), "zebra,apple,mango,berry,");
  EXPECT_TRUE(object.find("berry")->is_null());
}

TEST(JsonObject, FindsEveryMemberWithAndWithoutItsIndex) {
  for (const int count : {0, 1, 7, 8, 9, 10, 31, 32, 33, 1000}) {
    const JsonObject object = numbered(count);
    ASSERT_EQ(object.size(), static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      const Json* found = object.find("k" + std::to_string(i));
      ASSERT_NE(found, nullptr) << i << " of " << count;
      EXPECT_EQ(found->as_int64(), i);
    }
    EXPECT_EQ(object.find("absent"), nullptr);
    EXPECT_FALSE(object.contains(""));
  }
}

TEST(JsonObject, ErasingKeepsTheRest) {
  JsonObject object = numbered(20);
  for (int i = 0; i < 20; i += 2) EXPECT_TRUE(object.erase("k" + std::to_string(i)));
  EXPECT_FALSE(object.erase("k0"));
  EXPECT_FALSE(object.erase("never"));
  EXPECT_EQ(object.size(), 10u);
  for (int i = 1; i < 20; i += 2) EXPECT_EQ(object.find("k" + std::to_string(i))->as_int64(), i);
  EXPECT_TRUE(object.erase("k1"));
  EXPECT_TRUE(object.erase("k3"));
  object.set("k1", 100);
  EXPECT_EQ(keys(object), "k5,k7,k9,k11,k13,k15,k17,k19,k1,");
  EXPECT_EQ(object.find("k1")->as_int64(), 100);
}

TEST(JsonObject, CopiesAndMovesAreWhole) {
  JsonObject object = numbered(12);
  JsonObject copy = object;
  copy.set("k3", "changed");
  EXPECT_EQ(object.find("k3")->as_int64(), 3);
  EXPECT_EQ(*copy.find("k3")->if_string(), "changed");
  const JsonObject moved = std::move(copy);
  EXPECT_EQ(*moved.find("k3")->if_string(), "changed");
  object = moved;
  EXPECT_EQ(object, moved);
  const JsonObject& same = object;
  object = same;
  EXPECT_EQ(object.size(), 12u);
}

TEST(JsonObject, EqualityIgnoresOrder) {
  EXPECT_EQ((JsonObject{{"a", 1}, {"b", 2}}), (JsonObject{{"b", 2}, {"a", 1}}));
  EXPECT_NE((JsonObject{{"a", 1}}), (JsonObject{{"a", 1}, {"b", 2}}));
  EXPECT_NE((JsonObject{{"a", 1}}), (JsonObject{{"a", 2}}));
  EXPECT_NE((JsonObject{{"a", 1}}), (JsonObject{{"b", 1}}));
}

TEST(Json, KnowsItsKind) {
  struct Row {
    Json value;
    Json::Kind kind;
    std::string_view name;
  };
  const Row rows[] = {{Json(), Json::Kind::null, "null"},
                      {nullptr, Json::Kind::null, "null"},
                      {true, Json::Kind::boolean, "boolean"},
                      {-1, Json::Kind::integer, "integer"},
                      {7u, Json::Kind::integer, "integer"},
                      {kUint64Max, Json::Kind::unsigned_integer, "integer"},
                      {1.0, Json::Kind::real, "number"},
                      {"text", Json::Kind::string, "string"},
                      {std::string_view("text"), Json::Kind::string, "string"},
                      {Json::array(), Json::Kind::array, "array"},
                      {Json::object(), Json::Kind::object, "object"}};
  for (const Row& row : rows) {
    EXPECT_EQ(row.value.kind(), row.kind) << row.name;
    EXPECT_EQ(row.value.kind_name(), row.name);
  }
}

TEST(Json, ConvertsNumbersOnlyExactly) {
  EXPECT_EQ(Json(kInt64Min).as_int64(), kInt64Min);
  EXPECT_EQ(Json(kInt64Min).as_uint64(), std::nullopt);
  EXPECT_EQ(Json(kUint64Max).as_uint64(), kUint64Max);
  EXPECT_EQ(Json(kUint64Max).as_int64(), std::nullopt);
  EXPECT_EQ(Json(kInt64Max).as_uint64(), static_cast<std::uint64_t>(kInt64Max));
  EXPECT_EQ(Json(3.0).as_int64(), 3);
  EXPECT_EQ(Json(-0.0).as_int64(), 0);
  EXPECT_EQ(Json(3.5).as_int64(), std::nullopt);
  EXPECT_EQ(Json(0x1p63).as_int64(), std::nullopt);
  EXPECT_EQ(Json(0x1p63).as_uint64(), std::uint64_t{1} << 63);
  EXPECT_EQ(Json(-0x1p63).as_int64(), kInt64Min);
  EXPECT_EQ(Json(0x1p64).as_uint64(), std::nullopt);
  EXPECT_EQ(Json(std::nan("")).as_int64(), std::nullopt);
  EXPECT_EQ(Json(HUGE_VAL).as_uint64(), std::nullopt);
  EXPECT_EQ(Json(7).as_double(), 7.0);
  EXPECT_EQ(Json(kUint64Max).as_double(), 0x1p64);
  for (const Json& other : {Json("7"), Json(true), Json(), Json::array()}) {
    EXPECT_EQ(other.as_int64(), std::nullopt);
    EXPECT_EQ(other.as_uint64(), std::nullopt);
    EXPECT_EQ(other.as_double(), std::nullopt);
  }
}

TEST(Json, ComparesNumbersByValue) {
  EXPECT_EQ(Json(1), Json(1.0));
  EXPECT_EQ(Json(1u), Json(1));
  EXPECT_EQ(Json(std::uint64_t{1} << 63), Json(0x1p63));
  EXPECT_NE(Json((std::int64_t{1} << 53) + 1), Json(0x1p53));
  EXPECT_NE(Json(kUint64Max), Json(0x1p64));
  EXPECT_NE(Json(1), Json(1.5));
  EXPECT_NE(Json(1), Json("1"));
  EXPECT_NE(Json(1), Json(true));
  EXPECT_NE(Json(), Json(false));
  EXPECT_EQ(Json(Json::Array{1, 2.0}), Json(Json::Array{1.0, 2}));
}

TEST(Json, IndexingMakesContainersOfNull) {
  Json value;
  value["a"]["b"] = 1;
  value["list"].push_back("x");
  value["list"].push_back(nullptr);
  EXPECT_EQ(value.dump(), R"({"a":{"b":1},"list":["x",null]})");
  EXPECT_EQ(value.find("list")->at(0)->dump(), "\"x\"");
  EXPECT_EQ(value.find("list")->at(2), nullptr);
  EXPECT_EQ(value.find("none"), nullptr);
  EXPECT_EQ(value.at(0), nullptr);
  EXPECT_EQ(Json(3).find("a"), nullptr);
}

TEST(JsonDeathTest, IndexingAnotherKindIsADefect) {
  Json number(3);
  EXPECT_DEATH(number["a"], "assertion failed");
  EXPECT_DEATH(number.push_back(1), "assertion failed");
}

TEST(Json, FollowsPointers) {
  // The examples of RFC 6901 section 5.
  const Json value = *parse_json(
      R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8})");
  EXPECT_EQ(value.pointer(""), &value);
  EXPECT_EQ(value.pointer("/foo")->dump(), R"(["bar","baz"])");
  EXPECT_EQ(*value.pointer("/foo/0"), "bar");
  EXPECT_EQ(*value.pointer("/foo/1"), "baz");
  EXPECT_EQ(*value.pointer("/"), 0);
  EXPECT_EQ(*value.pointer("/a~1b"), 1);
  EXPECT_EQ(*value.pointer("/c%d"), 2);
  EXPECT_EQ(*value.pointer("/e^f"), 3);
  EXPECT_EQ(*value.pointer("/i\\j"), 5);
  EXPECT_EQ(*value.pointer("/k\"l"), 6);
  EXPECT_EQ(*value.pointer("/ "), 7);
  EXPECT_EQ(*value.pointer("/m~0n"), 8);
  for (const std::string_view path : {"foo", "/foo/2", "/foo/00", "/foo/-", "/foo/", "/foo/0/x",
                                      "/m~n", "/m~2n", "/m~", "/foo/99999999999999999999"})
    EXPECT_EQ(value.pointer(path), nullptr) << path;
}

TEST(Json, CopiesAreDeep) {
  Json first = *parse_json(R"({"a":[1,{"b":2}]})");
  const Json second = first;
  first["a"].push_back(3);
  EXPECT_EQ(second.dump(), R"({"a":[1,{"b":2}]})");
  const Json third = std::move(first);
  EXPECT_EQ(third.dump(), R"({"a":[1,{"b":2},3]})");
}

}  // namespace
}  // namespace dynamo::base::json_value_test
