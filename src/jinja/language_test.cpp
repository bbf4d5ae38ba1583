// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>
#include <dynamo/jinja/template.h>

#include <string>

#include <gtest/gtest.h>

namespace dynamo::jinja {
namespace language_test {
namespace {

// Small templates whose results come from Python's Jinja2: scoping, loops, values, filters,
// whitespace and errors, with the corners that templates have been seen to lean on.
TEST(Language, EqualsJinja2OnTheCasesOfTestdata) {
  const auto text =
      base::read_file(std::string(DYNAMO_SOURCE_DIR) + "/src/jinja/testdata/language.json");
  ASSERT_TRUE(text) << text.error().message();
  const auto root = parse_json(*text);
  ASSERT_TRUE(root) << root.error().message();
  for (const Json& entry : *root->find("cases")->if_array()) {
    const std::string& source = *entry.find("template")->if_string();
    SCOPED_TRACE(*entry.find("id")->if_string() + ": " + source);
    const Json* error = entry.find("error");
    const bool compiles = !error || *error->find("stage") == Json("render");
    const auto code = Template::compile(source);
    EXPECT_EQ(code.has_value(), compiles) << (code ? "" : code.error().message());
    if (!code) continue;
    Context context;
    context.set_members(*root->find("variables"));
    std::string out;
    const auto done = code->render(context, out);
    EXPECT_EQ(done.has_value(), error == nullptr) << (done ? out : done.error().message());
    if (!error) {
      EXPECT_EQ(out, *entry.find("rendered")->if_string());
    } else if (const Json* raised = error->find("raised"); raised && !done) {
      EXPECT_EQ(done.error().message(), *raised->if_string());
    }
  }
}

}  // namespace
}  // namespace language_test
}  // namespace dynamo::jinja
