// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/utf8.h>
#include <dynamo/jinja/template.h>

#include <algorithm>

#include "jinja/binder.h"
#include "jinja/compiled.h"
#include "jinja/facts.h"
#include "jinja/failure.h"
#include "jinja/interpreter.h"
#include "jinja/parser.h"

namespace dynamo::jinja {
namespace {

using detail::Failure;
using detail::FailureKind;

constexpr std::size_t kSourceBytesMax = std::size_t{4} << 20;
/// Characters of an expression that a message quotes.
constexpr std::size_t kQuotedMax = 120;

std::string_view reason_of(FailureKind kind) noexcept {
  switch (kind) {
    case FailureKind::syntax:
      return reason::kSyntax;
    case FailureKind::raise:
      return reason::kRaise;
    case FailureKind::undefined:
      return reason::kUndefined;
    case FailureKind::type:
      return reason::kType;
    case FailureKind::security:
      return reason::kSecurity;
    case FailureKind::limit:
      return reason::kLimit;
  }
  return reason::kType;
}

Error make_error(const Template::Compiled& code, Failure&& failure, std::uint32_t line,
                 const detail::Expr* expression) {
  if (failure.line != 0) line = failure.line;
  Json details = Json::object({{"template", code.name}, {"line", line}});
  std::string message;
  if (failure.kind == FailureKind::raise) {
    message = std::move(failure.message);
  } else {
    message = "template '" + code.name + "', line " + std::to_string(line) + ": " + failure.message;
    if (expression) {
      std::string_view quoted =
          code.text.substr(expression->begin, expression->end - expression->begin);
      const bool cut = quoted.size() > kQuotedMax;
      if (cut) quoted = quoted.substr(0, base::utf8_floor(quoted, kQuotedMax));
      message += " (in `" + std::string(quoted) + (cut ? "…" : "") + "`)";
    }
  }
  return Error(Errc::invalid_argument, std::move(message))
      .with_reason(std::string(reason_of(failure.kind)))
      .with_details(std::move(details));
}

/// Whether a message whose content has this form shows up in the rendering.
bool shows(const Template& code, const Json& messages, std::string_view marker) {
  Context context;
  context.set("messages", messages)
      .set("add_generation_prompt", false)
      .set_none("tools")
      .set_none("documents")
      .set("bos_token", "")
      .set("eos_token", "");
  std::string out;
  RenderOptions options;
  options.budget.steps = 100'000;
  const ManualClock clock;
  options.clock = &clock;
  return code.render(context, out, options) && out.find(marker) != std::string::npos;
}

}  // namespace

Context::Variable& Context::slot(std::string_view name) {
  for (Variable& v : variables_) {
    if (v.name == name) return v;
  }
  return variables_.emplace_back(Variable{name, Variable::Kind::none, false, {}, nullptr});
}

Context& Context::set(std::string_view name, const Json& value) {
  slot(name) = {name, Variable::Kind::json, false, {}, &value};
  return *this;
}
Context& Context::set(std::string_view name, std::string_view text) {
  slot(name) = {name, Variable::Kind::text, false, text, nullptr};
  return *this;
}
Context& Context::set_bool(std::string_view name, bool value) {
  slot(name) = {name, Variable::Kind::boolean, value, {}, nullptr};
  return *this;
}
Context& Context::set_none(std::string_view name) {
  slot(name) = {name, Variable::Kind::none, false, {}, nullptr};
  return *this;
}
Context& Context::set_members(const Json& object) {
  if (const JsonObject* members = object.if_object()) {
    for (const JsonObject::Member& m : *members) set(m.key, m.value);
  }
  return *this;
}

Template::Template(std::shared_ptr<const Compiled> compiled) noexcept
    : compiled_(std::move(compiled)) {}

Result<Template> Template::compile(std::string_view source, std::string_view name) {
  auto code = std::make_shared<Compiled>();
  code->name = name;
  if (source.size() > kSourceBytesMax) {
    return fail(
        make_error(*code, {FailureKind::limit, "the source is larger than 4 MiB"}, 0, nullptr));
  }
  if (!base::is_valid_utf8(source)) {
    return fail(make_error(*code, {FailureKind::syntax, "the source is not UTF-8"}, 0, nullptr));
  }
  code->source = source;
  try {
    code->text = detail::normalize_source(code->arena, code->source);
    detail::Parser parser(code->arena, code->text);
    detail::bind(*code, parser.parse());
    detail::collect_facts(*code);
  } catch (Failure& failure) {
    return fail(make_error(*code, std::move(failure), 0, nullptr));
  }
  if (code->facts.walks_content) {
    // The template may cope with both forms; only rendering tells.
    constexpr std::string_view kMarker = "template-probe";
    const Json as_text = Json(Json::Array{Json::object({{"role", "user"}, {"content", kMarker}})});
    const Json as_parts = Json(Json::Array{Json::object(
        {{"role", "user"},
         {"content", Json(Json::Array{Json::object({{"type", "text"}, {"text", kMarker}})})}})});
    const Template probe{code};
    code->facts.needs_content_arrays =
        shows(probe, as_parts, kMarker) && !shows(probe, as_text, kMarker);
  }
  return Template(std::move(code));
}

Result<void> Template::render(const Context& context, std::string& out,
                              const RenderOptions& options) const {
  const std::size_t before = out.size();
  detail::Interpreter interpreter(*compiled_, context, out, options);
  try {
    interpreter.run();
    return {};
  } catch (Failure& failure) {
    out.resize(before);
    return fail(
        make_error(*compiled_, std::move(failure), interpreter.line(), interpreter.expression()));
  }
}

const Facts& Template::facts() const noexcept {
  return compiled_->facts;
}
bool Template::reads_variable(std::string_view name) const noexcept {
  return std::find(compiled_->names.begin(), compiled_->names.end(), name) !=
         compiled_->names.end();
}
bool Template::mentions(std::string_view name) const noexcept {
  return std::binary_search(compiled_->mentions.begin(), compiled_->mentions.end(), name);
}
bool Template::reads_attribute(std::string_view name) const noexcept {
  return std::binary_search(compiled_->attributes.begin(), compiled_->attributes.end(), name);
}
std::string_view Template::name() const noexcept {
  return compiled_->name;
}
std::string_view Template::source() const noexcept {
  return compiled_->source;
}

}  // namespace dynamo::jinja
