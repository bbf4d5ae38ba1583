// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Chat templates: the Jinja2 dialect that Hugging Face `transformers` gives to model publishers
/// (immutable sandbox, trim_blocks, lstrip_blocks, loop controls, `generation`, json.dumps-like
/// `tojson`, raise_exception, strftime_now), rendered from JSON without converting it.
///
/// Every failure is Errc::invalid_argument with a `reason`, and `details` {"template", "line"}:
///   template_syntax     the source does not compile (also: unknown filter or test)
///   template_raise      the template called raise_exception; the message is its text, verbatim
///   template_undefined  a missing value was used where one is needed
///   template_type       an operation on values that do not support it
///   template_security   the sandbox refused an attribute
///   template_limit      a bound of Budget was reached
/// Source: Jinja2 3.1.6 and transformers 5 (behaviour); spec tokenizer-template B4, B5, B12.
namespace dynamo::jinja {

namespace reason {
inline constexpr std::string_view kSyntax = "template_syntax";
inline constexpr std::string_view kRaise = "template_raise";
inline constexpr std::string_view kUndefined = "template_undefined";
inline constexpr std::string_view kType = "template_type";
inline constexpr std::string_view kSecurity = "template_security";
inline constexpr std::string_view kLimit = "template_limit";
}  // namespace reason

/// What one render may use. Reaching a bound is an error of kind template_limit.
struct Budget {
  /// Statements, loop rounds and calls; long string and list work is charged by its size. The
  /// longest real renders (2,000 messages) stay under 500,000; the default ends in about 0.2 s.
  std::uint64_t steps = 8'000'000;
  std::size_t output_bytes = std::size_t{64} << 20;
  /// Values made while rendering (the request's JSON is viewed, not copied).
  std::size_t memory_bytes = std::size_t{256} << 20;
  /// Macros, callers and recursive loops inside each other. Enough for schemas as deep as JSON may
  /// be (128) walked by one macro per level.
  std::uint32_t recursion = 160;
};

struct RenderOptions {
  Budget budget;
  /// What strftime_now reads; null means Clock::system().
  const Clock* clock = nullptr;
  /// Offset of local time from UTC for strftime_now; none means the process's time zone.
  std::optional<std::chrono::seconds> utc_offset;
};

/// The named values a template sees. Values are views: names, texts and JSON must outlive the
/// renders that use them. A later `set` of a name replaces the earlier one.
/// Thread safety: const access from any number of threads.
class Context {
 public:
  Context& set(std::string_view name, const Json& value);
  Context& set(std::string_view name, Json&& value) = delete;  // it would not outlive the call
  Context& set(std::string_view name, std::string_view text);
  Context& set(std::string_view name, const char* text) {
    return set(name, std::string_view(text));
  }
  Context& set(std::string_view name, const std::string& text) {
    return set(name, std::string_view(text));
  }
  Context& set(std::string_view name, std::string&& text) = delete;
  template <std::same_as<bool> Bool>
  Context& set(std::string_view name, Bool value) {
    return set_bool(name, value);
  }
  Context& set_none(std::string_view name);
  /// Each member of an object as one variable; anything but an object is ignored.
  Context& set_members(const Json& object);

  struct Variable {
    enum class Kind : std::uint8_t { none, boolean, text, json };
    std::string_view name;
    Kind kind;
    bool flag;
    std::string_view text;
    const Json* json;
  };
  const std::vector<Variable>& variables() const noexcept { return variables_; }

 private:
  Context& set_bool(std::string_view name, bool value);
  Variable& slot(std::string_view name);
  std::vector<Variable> variables_;
};

/// What a template's code does, found by analysing the compiled form (not by searching its text).
struct Facts {
  bool reads_tools = false;
  bool reads_documents = false;
  bool reads_add_generation_prompt = false;
  bool reads_enable_thinking = false;
  bool reads_reasoning_content = false;  ///< looks at messages' `reasoning_content`
  bool reads_tool_calls = false;         ///< looks at messages' `tool_calls`
  bool reads_clock = false;              ///< calls strftime_now: renders depend on the time
  /// Has the expression `arguments is string` (a variable or a dotted attribute, not negated): the
  /// sign by which serving stacks know that a template prints JSON text of tool calls as it is.
  bool tests_arguments_is_string = false;
  /// Some loop walks the parts of a message's content.
  bool walks_content = false;
  /// Renders messages whose content is a list of parts, and does not render text content. Static
  /// analysis when it suffices, otherwise one probe render of each form.
  bool needs_content_arrays = false;
};

/// A compiled template: immutable, cheap to copy (copies share the compiled form).
/// Thread safety: any number of threads may render at once; each render has its own state.
class Template {
 public:
  /// `name` is for messages. Sources over 4 MiB and nesting deeper than 100 are refused.
  static Result<Template> compile(std::string_view source, std::string_view name = "chat_template");

  /// Appends the rendering to `out`; on failure `out` is as it was before.
  Result<void> render(const Context& context, std::string& out,
                      const RenderOptions& options = {}) const;

  const Facts& facts() const noexcept;
  /// Whether some expression takes this variable from the context.
  bool reads_variable(std::string_view name) const noexcept;
  /// Whether some expression names it: as an attribute (`m.name`) or as a text constant
  /// (`m['name']`, `m.get('name')`, `'name' in m`).
  bool mentions(std::string_view name) const noexcept;
  /// Whether some expression reads it from a value: `m.name`, `m['name']` or `m.get('name')`.
  bool reads_attribute(std::string_view name) const noexcept;

  std::string_view name() const noexcept;
  /// The source as given to compile.
  std::string_view source() const noexcept;

  struct Compiled;

 private:
  explicit Template(std::shared_ptr<const Compiled> compiled) noexcept;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace dynamo::jinja
