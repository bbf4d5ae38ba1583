// SPDX-License-Identifier: Apache-2.0
#include <dynamo/parsers/batch.h>

#include <algorithm>
#include <utility>

#include "parsers/batch_fold.h"
#include "parsers/delimited_parser.h"
#include "parsers/families.h"
#include "parsers/harmony_parser.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers {
namespace {

using detail::ReasoningEngine;
using detail::ReasoningFamily;
using detail::ReasoningSpec;
using detail::Trace;

bool contains_any(std::string_view text, const std::vector<std::string>& markers) {
  return std::ranges::any_of(markers, [&](const std::string& m) { return text.contains(m); });
}

void run_whole(OutputParser& parser, std::string_view text) {
  std::vector<Event> events;
  parser.feed(text, events);
  parser.finish(events);
}

ReasoningSplit joined(const Trace& trace) {
  ReasoningSplit split;
  for (const Trace::Item& item : trace.items) {
    if (item.kind == Trace::Kind::text) split.normal += item.text;
    if (item.kind == Trace::Kind::reasoning) split.reasoning += item.text;
  }
  return split;
}

ReasoningSplit trimmed(ReasoningSplit split) {
  return {.normal = std::string(detail::trim(split.normal)),
          .reasoning = std::string(detail::trim(split.reasoning))};
}

/// The phrases of granite: pieces are trimmed and joined by blanks, except in the simple case of
/// one thought and one answer, where the thought keeps its last blank.
ReasoningSplit fold_granite(std::string_view text, const ReasoningSpec& spec, const Trace& trace) {
  const auto count = [&](const std::vector<std::string>& markers) {
    int n = 0;
    for (const std::string& marker : markers) {
      for (std::size_t at = text.find(marker); at != std::string_view::npos;
           at = text.find(marker, at + 1)) {
        ++n;
      }
    }
    return n;
  };
  const int openers = count(spec.openers);
  const int closers = count(spec.closers);
  if (openers == 0 && closers == 0) return {.normal = std::string(text), .reasoning = {}};
  if (openers == 1 && closers <= 1) {
    ReasoningSplit split = joined(trace);
    if (closers == 0) return trimmed(std::move(split));
    return {.normal = std::string(detail::trim(split.normal)),
            .reasoning = std::string(detail::trim_left(split.reasoning))};
  }
  ReasoningSplit split;
  const auto append = [](std::string& to, std::string_view piece) {
    piece = detail::trim(piece);
    if (piece.empty()) return;
    if (!to.empty()) to += ' ';
    to += piece;
  };
  for (const Trace::Item& item : trace.items) {
    if (item.kind == Trace::Kind::text) append(split.normal, item.text);
    if (item.kind == Trace::Kind::reasoning) append(split.reasoning, item.text);
  }
  return split;
}

ReasoningSplit split_delimited(const ReasoningFamily& family, std::string_view text,
                               std::optional<bool> starts_in_reasoning) {
  ReasoningSpec spec = family.spec;
  const bool granite = family.name == "granite";
  const bool gemma = !spec.label.empty();
  const bool opener = contains_any(text, spec.openers);
  const bool closer = contains_any(text, spec.closers);
  const bool exit = contains_any(text, spec.exits);
  const bool given = starts_in_reasoning.value_or(false);
  bool inside = given;
  if (!starts_in_reasoning.has_value()) inside = spec.starts_inside && !opener;
  // A closer without opener: the prompt opened the thought.
  if (!granite && !given && closer && !opener) inside = true;
  if (spec.first_boundary_decides && exit && !opener && !starts_in_reasoning) inside = true;
  if (!inside && !opener && !closer && spec.prefix.empty()) {
    return {.normal = std::string(text), .reasoning = {}};
  }
  if (inside && !opener && !closer && !exit) return {.normal = {}, .reasoning = std::string(text)};
  spec.keeps_inner_openers = true;
  spec.exits_for_good = true;
  std::string_view whole = text;
  if (inside) {
    // The model repeats the opener that the prompt already has.
    for (const std::string& marker : spec.openers) {
      if (whole.starts_with(marker)) whole.remove_prefix(marker.size());
    }
  }
  ParserOptions options{.delivery = CallDelivery::whole};
  options.starting_state = inside ? StartingState::reasoning : StartingState::response;
  Trace trace;
  detail::DelimitedParser parser(options, spec, detail::IdStyle::call_uuid, nullptr);
  parser.record(&trace);
  std::vector<Event> events;
  parser.feed(whole, events);
  const bool exited = parser.exited();
  parser.finish(events, OutputEnd::stop);
  ReasoningSplit split = joined(trace);
  if (exited) {
    return {.normal = std::string(detail::trim(split.normal)),
            .reasoning = std::string(detail::trim_left(split.reasoning))};
  }
  if (granite) return fold_granite(text, family.spec, trace);
  return gemma || !spec.prefix.empty() ? split : trimmed(std::move(split));
}

}  // namespace

Result<ParsedOutput> parse_tool_calls(std::string_view tool_parser, std::string_view text,
                                      std::span<const ToolDefinition> tools, BatchMode mode) {
  const std::string name = tool_parser.empty() ? "default" : std::string(tool_parser);
  const detail::ToolFamily* family = detail::find_tool_family(name);
  ParserOptions options{.tool_parser = name};
  options.tools = tools;
  options.delivery = CallDelivery::whole;
  options.held_bytes_limit = std::max(options.held_bytes_limit, text.size() + 1);
  if (family == nullptr || family->engine == detail::ToolEngine::muse) {
    DYN_TRY(const auto parser, OutputParser::create(options));
    std::vector<Event> events;
    parser->feed(text, events);
    parser->finish(events);
    ParsedOutput output;
    fold_events(events, output);
    return output;
  }
  Trace trace;
  if (family->engine == detail::ToolEngine::harmony) {
    detail::HarmonyParser parser(options, detail::HarmonyParser::Role::tools_only);
    parser.record(&trace);
    run_whole(parser, text);
  } else {
    detail::DelimitedParser parser(
        options, {}, family->ids,
        make_grammar(*family, {.tools = tools,
                               .batch = true,
                               .incremental = false,
                               .held_bytes_limit = options.held_bytes_limit}));
    parser.record(&trace);
    run_whole(parser, text);
  }
  return detail::fold_batch(*family, text, trace, mode);
}

ReasoningSplit split_reasoning(std::string_view reasoning_parser, std::string_view text,
                               std::optional<bool> starts_in_reasoning) {
  const ReasoningFamily& family = detail::reasoning_family_or_basic(reasoning_parser);
  if (family.engine == ReasoningEngine::delimited) {
    return split_delimited(family, text, starts_in_reasoning);
  }
  ParserOptions options{.tool_parser = {}, .reasoning_parser = std::string(reasoning_parser)};
  if (starts_in_reasoning.value_or(false)) options.starting_state = StartingState::reasoning;
  options.delivery = CallDelivery::whole;
  const auto parser = OutputParser::create(options);
  std::vector<Event> events;
  (*parser)->feed(text, events);
  (*parser)->finish(events);
  ParsedOutput output;
  fold_events(events, output);
  ReasoningSplit split{.normal = std::move(output.content),
                       .reasoning = std::move(output.reasoning)};
  return family.engine == ReasoningEngine::inkling ? trimmed(std::move(split)) : split;
}

ReasoningSplit split_reasoning(const ReasoningDelimiters& delimiters, std::string_view text,
                               std::optional<bool> starts_in_reasoning) {
  ReasoningFamily family{.name = "custom", .aliases = {}};
  if (!delimiters.open.empty()) family.spec.openers = {delimiters.open};
  if (!delimiters.close.empty()) family.spec.closers = {delimiters.close};
  family.spec.exits = delimiters.exits;
  family.spec.starts_inside = delimiters.starts_inside;
  return split_delimited(family, text, starts_in_reasoning);
}

}  // namespace dynamo::parsers
