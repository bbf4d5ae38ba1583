// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>
#include <dynamo/jinja/template.h>

#include <chrono>
#include <iostream>
#include <map>
#include <optional>
#include <string>

#include "kinds.h"

/// Chat templates: real ones with many inputs, and small ones per engine feature.
namespace dynamo::conformance {
namespace {

using jinja::Context;
using jinja::Template;

/// "2026-08-21T09:05:07", the time at which the expectations were computed.
std::chrono::system_clock::time_point parse_frozen_now(const Json* meta) {
  using namespace std::chrono;
  int y = 2026;
  unsigned m = 8;
  unsigned d = 21;
  int h = 9;
  int min = 5;
  int s = 7;
  if (const Json* text = meta ? meta->find("frozen_now") : nullptr; text && text->if_string()) {
    std::sscanf(text->if_string()->c_str(), "%d-%u-%uT%d:%d:%d", &y, &m, &d, &h, &min, &s);
  }
  return sys_days{year{y} / month{m} / day{d}} + hours{h} + minutes{min} + seconds{s};
}

struct Outcome {
  std::string stage;  ///< "compile", "render", or empty
  std::string reason;
  std::string text;  ///< rendering or message
};

Outcome render(const Result<Template>& code, const Context& context, const Clock& clock) {
  if (!code) return {"compile", code.error().reason(), code.error().message()};
  jinja::RenderOptions options;
  options.clock = &clock;
  options.utc_offset = std::chrono::seconds{0};
  std::string out;
  if (const auto done = code->render(context, out, options); !done) {
    return {"render", done.error().reason(), done.error().message()};
  }
  return {"", "", std::move(out)};
}

void check(Tally& tally, std::string_view id, const Json& expected, const Outcome& got) {
  const std::string shown = got.stage.empty() ? got.text : got.stage + " error: " + got.text;
  if (const Json* rendered = expected.find("rendered")) {
    if (got.stage.empty() && got.text == *rendered->if_string()) return tally.pass();
    return tally.fail(id, *rendered->if_string(), shown);
  }
  const Json* error = expected.find("error");
  const std::string stage = *error->find("stage")->if_string();
  const std::string type = *error->find("type")->if_string();
  const std::string message = *error->find("message")->if_string();
  bool right = got.stage == stage;
  // Only raise_exception's text is part of the contract.
  if (type == "TemplateError") {
    right = right && got.reason == jinja::reason::kRaise && got.text == message;
  }
  if (right) return tally.pass();
  tally.fail(id, stage + " error: " + type + ": " + message, shown);
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string case_id(const Json& json) {
  return *json.find("id")->if_string();
}

}  // namespace

Result<void> run_templates(const Options& options, Tally& tally) {
  for (const std::string& file : options.files) {
    const std::string folder = folder_of(file);
    DYN_TRY(const Json cases, read_json(file));
    DYN_TRY(const Json templates, read_json(folder + "/templates.json"));
    DYN_TRY(const Json inputs, read_json(folder + "/inputs.json"));
    ManualClock clock;
    clock.set_system(parse_frozen_now(templates.find("meta")));
    std::map<std::string, std::pair<Result<Template>, const Json*>> compiled;
    for (const Json& entry : *templates.find("templates")->if_array()) {
      DYN_TRY(const std::string source,
              base::read_file(folder + "/" + *entry.find("file")->if_string()));
      compiled.emplace(case_id(entry),
                       std::pair{Template::compile(source, case_id(entry)), entry.find("tokens")});
    }
    for (const Json& entry : *cases.if_array()) {
      const auto at = compiled.find(*entry.find("template")->if_string());
      const Json* input = inputs.find(*entry.find("input")->if_string());
      if (at == compiled.end() || !input) {
        tally.skip(case_id(entry), "its template or input is not there");
        continue;
      }
      Context context;
      context.set("messages", *input->find("messages"));
      for (const std::string_view name : {"tools", "documents"}) {
        if (const Json* value = input->find(name)) {
          context.set(name, *value);
        } else {
          context.set_none(name);
        }
      }
      const Json* generate = input->find("add_generation_prompt");
      context.set("add_generation_prompt", !generate || *generate->if_bool());
      if (at->second.second) context.set_members(*at->second.second);
      if (const Json* kwargs = input->find("kwargs")) context.set_members(*kwargs);
      check(tally, case_id(entry), *entry.find("expected"),
            render(at->second.first, context, clock));
    }
  }
  return {};
}

Result<void> run_jinja_features(const Options& options, Tally& tally) {
  for (const std::string& file : options.files) {
    DYN_TRY(const Json root, read_json(file));
    ManualClock clock;
    clock.set_system(parse_frozen_now(root.find("meta")));
    for (const Json& entry : *root.find("cases")->if_array()) {
      Context context;
      context.set_members(*root.find("contexts")->find(*entry.find("context")->if_string()));
      const auto code = Template::compile(*entry.find("template")->if_string(), case_id(entry));
      check(tally, case_id(entry), *entry.find("expected"), render(code, context, clock));
    }
  }
  return {};
}

int render_lines() {
  std::ios::sync_with_stdio(false);
  ManualClock clock;
  clock.set_system(parse_frozen_now(nullptr));
  std::map<std::string, Result<Template>> compiled;
  for (std::string line; std::getline(std::cin, line);) {
    std::string answer;
    JsonWriter out(answer);
    const auto request = parse_json(line);
    const Json* source = request ? request->find("source") : nullptr;
    if (!source || !source->if_string()) {
      out.begin_object().member("fault", "expected {\"source\", \"context\"}").end_object();
      std::cout << answer << std::endl;
      continue;
    }
    auto at = compiled.find(*source->if_string());
    if (at == compiled.end()) {
      if (compiled.size() > 512) compiled.clear();
      at = compiled.emplace(*source->if_string(), Template::compile(*source->if_string())).first;
    }
    Context context;
    if (const Json* members = request->find("context")) context.set_members(*members);
    const Outcome outcome = render(at->second, context, clock);
    out.begin_object();
    if (outcome.stage.empty()) {
      out.member("rendered", outcome.text);
    } else {
      out.key("error").begin_object();
      out.member("stage", outcome.stage).member("reason", outcome.reason);
      out.member("message", outcome.text).end_object();
    }
    out.end_object();
    std::cout << answer << std::endl;
  }
  return 0;
}

}  // namespace dynamo::conformance
