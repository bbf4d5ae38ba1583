// SPDX-License-Identifier: Apache-2.0
#include <dynamo/jinja/python_json.h>

#include <string>

#include <gtest/gtest.h>

namespace dynamo::jinja {
namespace python_json_test {
namespace {

std::string dump(std::string_view text, const PythonJsonStyle& style = {}) {
  std::string out = "|";
  append_python_json(out, *parse_json(text), style);
  return out;
}

TEST(PythonJson, WritesAsJsonDumpsDoes) {
  EXPECT_EQ(dump(R"({"b":[1,2.0,1e-7,null,true],"a":{},"é":"\u0001\n\"\\/"})"),
            "|{\"b\": [1, 2.0, 1e-07, null, true], \"a\": {}, \"é\": \"\\u0001\\n\\\"\\\\/\"}");
  EXPECT_EQ(dump("[18446744073709551615,-9223372036854775808]"),
            "|[18446744073709551615, -9223372036854775808]");
}

TEST(PythonJson, SortsAndTightensWhenAsked) {
  EXPECT_EQ(
      dump(R"({"b":{"z":1,"a":[{"y":1,"x":2}]},"a":2})", {.sort_keys = true, .compact = true}),
      R"(|{"a":2,"b":{"a":[{"x":2,"y":1}],"z":1}})");
}

}  // namespace
}  // namespace python_json_test
}  // namespace dynamo::jinja
