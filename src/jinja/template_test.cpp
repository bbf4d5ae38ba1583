// SPDX-License-Identifier: Apache-2.0
#include <dynamo/jinja/template.h>

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::jinja {
namespace template_test {
namespace {

Json json(std::string_view text) {
  auto parsed = parse_json(text);
  EXPECT_TRUE(parsed.has_value());
  return parsed ? *std::move(parsed) : Json();
}

std::string render(std::string_view source, std::string_view context = "{}",
                   const RenderOptions& options = {}) {
  const Json members = json(context);
  const auto code = Template::compile(source);
  if (!code) return code.error().reason() + ": " + code.error().message();
  Context variables;
  variables.set_members(members);
  std::string out;
  const auto done = code->render(variables, out, options);
  return done ? out : done.error().reason() + ": " + done.error().message();
}

TEST(Template, RendersAConversationFromJsonViews) {
  EXPECT_EQ(render("{% for m in messages %}<|{{ m.role }}|>{{ m['content'] }}\n{% endfor %}"
                   "{% if add_generation_prompt %}<|assistant|>{% endif %}",
                   R"({"messages": [{"role": "user", "content": "Hi"}],
                       "add_generation_prompt": true})"),
            "<|user|>Hi\n<|assistant|>");
}

TEST(Template, AppendsToTheOutputAndRestoresItOnFailure) {
  const auto good = Template::compile("b");
  const auto bad = Template::compile("b{{ none + 1 }}");
  ASSERT_TRUE(good && bad);
  std::string out = "a";
  EXPECT_TRUE(good->render({}, out).has_value());
  EXPECT_EQ(out, "ab");
  EXPECT_FALSE(bad->render({}, out).has_value());
  EXPECT_EQ(out, "ab");
}

TEST(Template, LaterContextValuesReplaceEarlierOnes) {
  const auto code = Template::compile("{{ a }} {{ b }} {{ c }} {{ d }}");
  ASSERT_TRUE(code);
  const Json kwargs = json(R"({"a": [1, 2.5], "d": 7})");
  Context context;
  context.set("a", "x").set("b", "text").set("c", true).set_none("d").set_members(kwargs);
  std::string out;
  ASSERT_TRUE(code->render(context, out));
  EXPECT_EQ(out, "[1, 2.5] text True 7");
}

TEST(Template, RaisedTextIsTheMessageVerbatim) {
  const auto code = Template::compile("\n{{ raise_exception('No \"system\" here!') }}", "m");
  ASSERT_TRUE(code);
  std::string out;
  const auto done = code->render({}, out);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Errc::invalid_argument);
  EXPECT_EQ(done.error().reason(), reason::kRaise);
  EXPECT_EQ(done.error().message(), "No \"system\" here!");
  EXPECT_EQ(*done.error().details().find("line"), Json(2));
  EXPECT_EQ(*done.error().details().find("template"), Json("m"));
}

TEST(Template, ErrorsNameLineAndExpression) {
  EXPECT_EQ(render("a\n{% if true %}\n{{ m.x.y }}{% endif %}", R"({"m": {}})"),
            "template_undefined: template 'chat_template', line 3: 'dict object' has no attribute"
            " 'x' (in `m.x.y`)");
  EXPECT_EQ(render("{{ 'a' + 1 }}"),
            "template_type: template 'chat_template', line 1: can only concatenate str (not"
            " \"int\") to str (in `'a' + 1`)");
  EXPECT_EQ(render("{{ d.update({}) }}", R"({"d": {}})"),
            "template_security: template 'chat_template', line 1: access to attribute 'update' of"
            " 'dict' object is unsafe. (in `d.update({})`)");
}

TEST(Template, SourcesThatDoNotCompileSayWhere) {
  EXPECT_EQ(render("a\n{% for x in %}{% endfor %}"),
            "template_syntax: template 'chat_template', line 2: Expected an expression, got 'end of"
            " statement block'");
  EXPECT_EQ(render("{{ x | nope }}"),
            "template_syntax: template 'chat_template', line 1: No filter named 'nope'.");
  EXPECT_EQ(render("{% if x %}"),
            "template_syntax: template 'chat_template', line 1: Unexpected end of template. Jinja"
            " was looking for the following tags: 'elif' or 'else' or 'endif'. The innermost block"
            " that needs to be closed is 'if'.");
  EXPECT_TRUE(render("{{ '\xff' }}").starts_with("template_syntax"));
  EXPECT_TRUE(render(std::string(5'000'000, 'a')).starts_with("template_limit"));
  EXPECT_TRUE(render("{{ " + std::string(2000, '(') + "1" + std::string(2000, ')') + " }}")
                  .starts_with("template_syntax"));
}

TEST(Template, UnknownFiltersInConditionsFailOnlyWhenReached) {
  EXPECT_EQ(render("{% if false %}{{ x | nope }}{% endif %}ok"), "ok");
  EXPECT_TRUE(render("{% if true %}{{ x | nope }}{% endif %}").starts_with("template_type"));
}

TEST(Template, EndlessWorkEndsAtTheBudget) {
  RenderOptions options;
  options.budget = {
      .steps = 100'000, .output_bytes = 1'000'000, .memory_bytes = 4'000'000, .recursion = 100};
  for (const std::string_view source :
       {"{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}",
        "{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
        "{{ 'x' * 10000000000 }}",
        "{{ [1] * 10000000000 }}",
        "{{ 'x' | center(10000000000) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ (['x' * 1000] * 1000) | join('y' * 10000) }}",
        "{% set ns = namespace(s='x') %}{% for i in range(99999) %}{% set ns.s = ns.s + ns.s %}"
        "{% endfor %}",
        "{% set ns = namespace(s='xx') %}{% for i in range(99999) %}"
        "{% set ns.s = ns.s.replace('x', ns.s) %}{% endfor %}",
        "{% set ns = namespace(g=[1]) %}{% for i in range(9999) %}"
        "{% set ns.g = ns.g | map('string') %}{% endfor %}{{ ns.g | list }}",
        "{% set ns = namespace() %}{% set ns.self = ns %}{{ ns }}",
        "{{ range(10000000) | list }}",
        "{{ 10 ** 10000000 }}",
        "{{ 52 ** 181811 }}",
        "{{ 2 ** 16385 > 0 }}",
        "{% for i in range(99999) %}{% set x = (7 ** 5000) ~ '' %}{% endfor %}",
        "{% for i in range(99999) %}{% set x = 7 ** 5000 // 3 ** 4000 %}{% endfor %}"}) {
    EXPECT_TRUE(render(source, "{}", options).starts_with("template_limit")) << source;
  }
}

TEST(Template, SchemasAsDeepAsJsonMayBeAreRenderedByRecursion) {
  std::string nested = "1";
  for (int i = 0; i < 120; ++i) nested = R"({"x": )" + nested + "}";
  EXPECT_EQ(render("{% macro m(v) %}{% if v is mapping %}({{ m(v.x) }}){% else %}{{ v }}{% endif %}"
                   "{% endmacro %}{{ m(v) }}",
                   R"({"v": )" + nested + "}"),
            std::string(120, '(') + "1" + std::string(120, ')'));
}

TEST(Template, TheClockIsInjected) {
  ManualClock clock;
  clock.set_system(std::chrono::sys_days{std::chrono::year{2026} / 8 / 5} + std::chrono::hours{23});
  RenderOptions options;
  options.clock = &clock;
  options.utc_offset = std::chrono::hours{2};
  EXPECT_EQ(render("{{ strftime_now('%d %b %Y|%-d|%B|%f|%z') }}", "{}", options),
            "06 Aug 2026|6|August|000000|");
}

TEST(Template, ManyThreadsRenderOneTemplate) {
  const auto code = Template::compile(
      "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + m.v %}{% endfor %}"
      "{{ ns.n }}");
  ASSERT_TRUE(code);
  const Json members = json(R"({"messages": [{"v": 1}, {"v": 2}, {"v": 3}]})");
  std::vector<std::thread> threads;
  std::vector<int> good(4);
  for (int& count : good) {
    threads.emplace_back([&code, &members, &count] {
      for (int i = 0; i < 200; ++i) {
        Context context;
        context.set_members(members);
        std::string out;
        count += code->render(context, out) && out == "6" ? 1 : 0;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(good, (std::vector<int>{200, 200, 200, 200}));
}

TEST(TemplateFacts, SeeWhatTheCodeReadsAndNotWhatItPrints) {
  const auto code = Template::compile(
      "tools enable_thinking documents {# reasoning_content #}"
      "{% for m in messages %}{{ m.content }}{% endfor %}"
      "{% if add_generation_prompt %}{{ strftime_now('%Y') }}{% endif %}");
  ASSERT_TRUE(code);
  const Facts& f = code->facts();
  EXPECT_FALSE(f.reads_tools);
  EXPECT_FALSE(f.reads_documents);
  EXPECT_FALSE(f.reads_enable_thinking);
  EXPECT_FALSE(f.reads_reasoning_content);
  EXPECT_TRUE(f.reads_add_generation_prompt);
  EXPECT_TRUE(f.reads_clock);
  EXPECT_TRUE(code->reads_variable("messages"));
  EXPECT_TRUE(code->mentions("content"));
  EXPECT_FALSE(code->mentions("role"));
  EXPECT_TRUE(code->reads_attribute("content"));
}

TEST(TemplateFacts, FindTheStringTestOfArguments) {
  const auto tests = [](std::string_view source) {
    const auto code = Template::compile(source);
    return code && code->facts().tests_arguments_is_string;
  };
  EXPECT_TRUE(tests("{{ 1 if tool_call.arguments is string else 2 }}"));
  EXPECT_TRUE(tests("{{ 1 if t.function.arguments is string }}"));
  EXPECT_FALSE(tests("{{ 1 if t.arguments is not string }}"));
  EXPECT_FALSE(tests("{{ 1 if t['function']['arguments'] is string }}"));
  EXPECT_TRUE(tests("{% set arguments = t.arguments %}{% if arguments is string %}{% endif %}"));
  EXPECT_FALSE(tests("{{ 1 if m.content is string }}"));
  EXPECT_FALSE(tests("arguments is string"));
}

TEST(TemplateFacts, ContentArraysAreNeededWhenOnlyTheyRender) {
  const auto needs = [](std::string_view source) {
    const auto code = Template::compile(source);
    return code && code->facts().needs_content_arrays;
  };
  EXPECT_TRUE(
      needs("{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}"
            "{% endfor %}"));
  EXPECT_FALSE(needs("{% for m in messages %}{{ m.content }}{% endfor %}"));
  EXPECT_FALSE(
      needs("{% for m in messages %}{% if m.content is string %}{{ m.content }}"
            "{% else %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}"
            "{% endfor %}"));
}

}  // namespace
}  // namespace template_test
}  // namespace dynamo::jinja
