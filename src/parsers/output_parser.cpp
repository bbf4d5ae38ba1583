// SPDX-License-Identifier: Apache-2.0
// Which machine reads which pair of parsers.
#include <dynamo/parsers/output_parser.h>
#include <dynamo/parsers/registry.h>

#include <utility>

#include "parsers/cascade_parser.h"
#include "parsers/delimited_parser.h"
#include "parsers/families.h"
#include "parsers/guided_grammar.h"
#include "parsers/harmony_parser.h"
#include "parsers/inkling_grammar.h"
#include "parsers/muse_parser.h"

namespace dynamo::parsers {
namespace {

using detail::DelimitedParser;
using detail::GrammarContext;
using detail::HarmonyParser;
using detail::IdStyle;
using detail::ReasoningEngine;
using detail::ReasoningFamily;
using detail::ReasoningSpec;
using detail::ToolEngine;
using detail::ToolFamily;

GrammarContext context_of(const ParserOptions& options) {
  return {.tools = options.tools,
          .batch = false,
          .incremental = options.delivery == CallDelivery::incremental,
          .held_bytes_limit = options.held_bytes_limit};
}

bool forced_json(const ParserOptions& options) {
  return options.guided_json &&
         (options.tool_choice == ToolChoice::required || options.tool_choice == ToolChoice::named);
}

std::unique_ptr<OutputParser> make_delimited(const ParserOptions& options,
                                             const ReasoningFamily* reasoning,
                                             const ToolFamily* tool) {
  const GrammarContext context = context_of(options);
  std::unique_ptr<detail::Grammar> grammar;
  if (tool != nullptr) {
    grammar = make_grammar(*tool, context);
  } else if (reasoning != nullptr && reasoning->engine == ReasoningEngine::inkling) {
    grammar = detail::make_inkling_grammar(context, true);
  }
  if (forced_json(options)) {
    grammar = detail::make_guided_grammar(
        options.tool_choice == ToolChoice::named ? options.named_tool : std::string(),
        std::move(grammar), context);
  }
  return std::make_unique<DelimitedParser>(
      options, reasoning != nullptr ? reasoning->spec : ReasoningSpec{},
      tool != nullptr ? tool->ids : IdStyle::call_uuid, std::move(grammar));
}

std::unique_ptr<OutputParser> make_delimited(const ParserOptions& options,
                                             const ReasoningDelimiters& delimiters,
                                             const ToolFamily* tool) {
  ReasoningFamily family{.name = "custom", .aliases = {}};
  if (!delimiters.open.empty()) family.spec.openers = {delimiters.open};
  if (!delimiters.close.empty()) family.spec.closers = {delimiters.close};
  family.spec.exits = delimiters.exits;
  family.spec.starts_inside = delimiters.starts_inside;
  family.spec.whole_thoughts = delimiters.whole_thoughts;
  return make_delimited(options, &family, tool);
}

/// Families whose thoughts and calls are one syntax are read by one machine.
std::unique_ptr<OutputParser> make_native(const ParserOptions& options,
                                          const ReasoningFamily* reasoning,
                                          const ToolFamily* tool) {
  const auto is_tool = [&](ToolEngine engine) { return tool != nullptr && tool->engine == engine; };
  const auto is_reasoning = [&](ReasoningEngine engine) {
    return reasoning != nullptr && reasoning->engine == engine;
  };
  if (is_tool(ToolEngine::harmony) &&
      (reasoning == nullptr || is_reasoning(ReasoningEngine::gpt_oss))) {
    return std::make_unique<HarmonyParser>(options, reasoning == nullptr
                                                        ? HarmonyParser::Role::tools_only
                                                        : HarmonyParser::Role::both);
  }
  if (is_tool(ToolEngine::muse) && (reasoning == nullptr || is_reasoning(ReasoningEngine::muse))) {
    return std::make_unique<detail::MuseParser>(options, reasoning != nullptr, true);
  }
  if (is_reasoning(ReasoningEngine::gpt_oss) && tool == nullptr) {
    return std::make_unique<HarmonyParser>(options, HarmonyParser::Role::reasoning_only);
  }
  if (is_reasoning(ReasoningEngine::muse) && tool == nullptr) {
    return std::make_unique<detail::MuseParser>(options, true, false);
  }
  const bool own_machine =
      is_tool(ToolEngine::harmony) || is_tool(ToolEngine::muse) ||
      is_reasoning(ReasoningEngine::gpt_oss) || is_reasoning(ReasoningEngine::muse) ||
      (is_reasoning(ReasoningEngine::inkling) && tool != nullptr && !is_tool(ToolEngine::inkling));
  if (!own_machine) return make_delimited(options, reasoning, tool);
  // An unusual pair: the text of the first is the input of the second. Calls in the syntax of the
  // first are none for this request, and no text either.
  const ToolFamily* own_tools =
      reasoning != nullptr ? detail::find_tool_family(detail::own_tool_parser(reasoning->engine))
                           : nullptr;
  ParserOptions thoughts = options;
  thoughts.tool_choice = ToolChoice::automatic;
  thoughts.rng = nullptr;  // the request's ids are for calls that are delivered
  ParserOptions calls = options;
  calls.starting_state = StartingState::response;
  calls.reasoning_when_content_empty = false;
  return std::make_unique<detail::CascadeParser>(make_native(thoughts, reasoning, own_tools),
                                                 make_native(calls, nullptr, tool));
}

std::string known_names() {
  std::string names;
  for (const std::string_view name : tool_parser_names()) {
    if (!names.empty()) names += ", ";
    names += name;
  }
  return names;
}

}  // namespace

Result<std::unique_ptr<OutputParser>> OutputParser::create(const ParserOptions& options) {
  const ToolFamily* tool = nullptr;
  if (!options.tool_parser.empty()) {
    tool = detail::find_tool_family(options.tool_parser);
    if (tool == nullptr) {
      return fail(Errc::invalid_argument, "unknown tool-call parser '" + options.tool_parser +
                                              "'; known: " + known_names());
    }
  }
  if (options.tool_choice == ToolChoice::named && options.named_tool.empty()) {
    return fail(Errc::invalid_argument, "tool_choice names no function");
  }
  if (options.reasoning_delimiters) {
    return make_delimited(options, *options.reasoning_delimiters, tool);
  }
  const ReasoningFamily* reasoning =
      options.reasoning_parser.empty()
          ? nullptr
          : &detail::reasoning_family_or_basic(options.reasoning_parser);
  const bool own_machine =
      tool != nullptr && (tool->engine == ToolEngine::harmony || tool->engine == ToolEngine::muse);
  if (forced_json(options) && own_machine) {
    ParserOptions json = options;
    json.reasoning_when_content_empty = false;
    return std::make_unique<detail::GuidedFirstParser>(make_delimited(json, nullptr, nullptr),
                                                       make_native(options, reasoning, tool),
                                                       options.parallel_tool_calls);
  }
  return make_native(options, reasoning, tool);
}

}  // namespace dynamo::parsers
