// SPDX-License-Identifier: Apache-2.0
// Everything of parsers that reads a model's output. The first byte of an input picks what reads
// it.
#include <dynamo/base/assert.h>
#include <dynamo/base/json.h>
#include <dynamo/base/rng.h>
#include <dynamo/base/utf8.h>
#include <dynamo/parsers/batch.h>
#include <dynamo/parsers/output_parser.h>
#include <dynamo/parsers/registry.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/families.h"
#include "parsers/json_scanner.h"
#include "parsers/python_literal.h"
#include "parsers/string_value.h"

namespace dynamo::parsers {
namespace {

/// The tools that calls in the seeds name, with every type that is coerced.
const std::vector<ToolDefinition>& tools() {
  static const Json* schema = new Json(*parse_json(
      R"({"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"},
      "ratio":{"type":"number"},"metric":{"type":"boolean"},"tags":{"type":"array","items":{"type":"string"}},
      "opt":{"type":"object"},"any":{"anyOf":[{"type":"integer"},{"type":"null"}]},
      "ref":{"$ref":"#/$defs/node"}},"$defs":{"node":{"$ref":"#/$defs/node"}}})"));
  static const auto* list =
      new std::vector<ToolDefinition>{{.name = "get_weather", .parameters = schema},
                                      {.name = "ping"},
                                      {.name = "search-docs.v2", .parameters = schema}};
  return *list;
}

/// Events joined, byte for byte; checks that they are well formed on the way.
std::string signature(const std::vector<Event>& events, std::uint32_t calls) {
  std::string out;
  std::uint32_t next = 0;
  bool in_call = false;
  EventKind last = EventKind::call_end;
  for (const Event& event : events) {
    switch (event.kind) {
      case EventKind::text:
      case EventKind::reasoning:
        DYN_ASSERT(!in_call && !event.text.empty());
        break;
      case EventKind::call_start:
        DYN_ASSERT(!in_call && event.index == next++ && !event.text.empty() && !event.id.empty());
        in_call = true;
        break;
      case EventKind::call_arguments:
        DYN_ASSERT(in_call && event.index + 1 == next && !event.text.empty());
        break;
      case EventKind::call_end:
        DYN_ASSERT(in_call && event.index + 1 == next);
        in_call = false;
        break;
    }
    const bool piece = event.kind != EventKind::call_start && event.kind != EventKind::call_end;
    if (!piece || event.kind != last)
      out += '\n' + std::to_string(static_cast<int>(event.kind)) + (event.complete ? ':' : '!');
    out += event.text;
    out += event.id;
    last = event.kind;
  }
  DYN_ASSERT(!in_call && next == calls);
  return out;
}

struct Setting {
  ParserOptions options;
  OutputEnd end = OutputEnd::stop;
};

/// What can be nothing but markup in the syntax that a setting reads.
std::vector<std::string> markup_of(const ParserOptions& options) {
  const auto* family = detail::find_tool_family(options.tool_parser);
  std::vector<std::string> markup;
  if (family != nullptr && family->engine == detail::ToolEngine::harmony) {
    return {"<|start|>",     "<|end|>",    "<|message|>", "<|channel|>",
            "<|constrain|>", "<|return|>", "<|call|>"};
  }
  if (family != nullptr && family->engine == detail::ToolEngine::muse) {
    return {"<|start|>", "<|message|>", "<|eom|>"};
  }
  const auto add = [&](std::string_view marker) {
    const char c = marker[0];
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (marker.size() > 1 && !word) markup.emplace_back(marker);
  };
  if (family != nullptr) {
    const auto grammar = make_grammar(*family, {});
    for (const auto& marker : grammar->text_markers()) add(marker.text);
  }
  // JSON that the engine was told to write may hold a thought's markers as data.
  const auto* thoughts = detail::find_reasoning_family(options.reasoning_parser);
  if (options.reasoning_parser.empty() || thoughts == nullptr || options.guided_json) return markup;
  // Blocks are handed over as they are to a service without a tool stage.
  if (family == nullptr && thoughts->engine == detail::ReasoningEngine::inkling) return markup;
  for (const auto& marker : thoughts->spec.openers) add(marker);
  for (const auto& marker : thoughts->spec.closers) add(marker);
  return markup;
}

void check_content(const Setting& setting, const std::vector<Event>& events) {
  ParsedOutput output;
  fold_events(events, output);
  for (const std::string& marker : markup_of(setting.options)) {
    DYN_ASSERT(!output.content.contains(marker));
  }
}

std::string parse(const Setting& setting, std::string_view text, std::uint64_t split_seed) {
  base::Rng ids(7);
  base::Rng splits(split_seed);
  ParserOptions options = setting.options;
  options.rng = &ids;
  auto parser = OutputParser::create(options);
  DYN_ASSERT(parser.has_value());
  std::vector<Event> events;
  const std::uint64_t longest = split_seed == 0 ? text.size() + 1 : 1 + splits.below(24);
  for (std::size_t at = 0; at < text.size();) {
    const auto size =
        split_seed == 0 ? text.size() : static_cast<std::size_t>(1 + splits.below(longest));
    (*parser)->feed(text.substr(at, size), events);
    at += size;
  }
  (*parser)->finish(events, setting.end);
  // A thought that becomes the content is shown as it was thought.
  if (split_seed == 0 && !options.reasoning_when_content_empty) check_content(setting, events);
  return signature(events, (*parser)->calls_started());
}

// However a text is cut, the events are the same.
void stream(std::string_view text) {
  if (text.size() < 4) return;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  Setting setting;
  ParserOptions& options = setting.options;
  const auto tool_names = tool_parser_names();
  const auto reasoning_names = reasoning_parser_names();
  const std::size_t tool = byte(0) % (tool_names.size() + 1);
  const std::size_t reasoning = byte(1) % (reasoning_names.size() + 1);
  if (tool < tool_names.size()) options.tool_parser = tool_names[tool];
  if (reasoning < reasoning_names.size()) options.reasoning_parser = reasoning_names[reasoning];
  options.starting_state = static_cast<StartingState>(byte(2) % 3);
  options.delivery = (byte(2) & 4U) != 0 ? CallDelivery::whole : CallDelivery::incremental;
  if ((byte(2) & 8U) != 0) options.tools = tools();
  options.guided_json = (byte(2) & 16U) != 0;
  options.parallel_tool_calls = (byte(2) & 32U) == 0;
  options.reasoning_when_content_empty = (byte(2) & 64U) != 0;
  if ((byte(2) & 128U) != 0) setting.end = OutputEnd::length;
  if (byte(3) % 4 == 1) options.tool_choice = ToolChoice::required;
  if (byte(3) % 4 == 2) {
    options.tool_choice = ToolChoice::named;
    options.named_tool = "get_weather";
  }
  if (byte(3) >= 192) options.held_bytes_limit = 64;
  text.remove_prefix(4);
  const std::string whole = parse(setting, text, 0);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) DYN_ASSERT(parse(setting, text, seed) == whole);
  if (base::is_valid_utf8(text)) DYN_ASSERT(base::is_valid_utf8(whole));
}

void batch(std::string_view text) {
  if (text.empty()) return;
  const auto names = tool_parser_names();
  const std::string_view name = names[static_cast<unsigned char>(text[0]) % names.size()];
  text.remove_prefix(1);
  for (const BatchMode mode : {BatchMode::aggregate, BatchMode::finalize}) {
    DYN_ASSERT(parse_tool_calls(name, text, tools(), mode).has_value());
  }
}

void reasoning(std::string_view text) {
  if (text.empty()) return;
  const auto names = reasoning_parser_names();
  const std::string_view name = names[static_cast<unsigned char>(text[0]) % names.size()];
  text.remove_prefix(1);
  static_cast<void>(split_reasoning(name, text));
  static_cast<void>(split_reasoning(name, text, true));
}

// What the JSON parser takes, the scanner takes; what the scanner compacts is JSON of the same
// value.
void json(std::string_view text) {
  std::string compact;
  const bool scanned = detail::is_json(text, &compact);
  const auto value = parse_json(text);
  if (value) {
    DYN_ASSERT(scanned);
    const auto again = parse_json(compact);
    DYN_ASSERT(again && *again == *value);
  }
  detail::JsonScanner cut;
  std::string out;
  std::size_t consumed = 0;
  const std::string_view half = text.substr(0, text.size() / 2);
  if (cut.feed(half, consumed, out) != detail::JsonScanner::Status::more) return;
  if (const auto closing = cut.closing(); closing && cut.started() && base::is_valid_utf8(half)) {
    DYN_ASSERT(detail::is_json(out + *closing));
  }
}

void python(std::string_view text) {
  std::string out;
  if (detail::python_literal_to_json(text, true, out)) DYN_ASSERT(detail::is_json(out));
}

// In pieces or at once, the same string.
void string_value(std::string_view text) {
  if (text.empty()) return;
  const auto flags = static_cast<unsigned char>(text[0]);
  text.remove_prefix(1);
  const detail::StringValue::Options options{
      .trim = (flags & 1U) != 0,
      .entities = static_cast<detail::Entities>(flags / 2 % 3),
      .null_word = (flags & 64U) != 0};
  detail::StringValue value;
  std::string whole;
  value.begin(options);
  value.feed(text, whole);
  value.finish(whole);
  std::string pieces;
  value.begin(options);
  for (const char c : text) value.feed(std::string_view(&c, 1), pieces);
  value.finish(pieces);
  DYN_ASSERT(whole == pieces && detail::is_json(whole));
}

}  // namespace
}  // namespace dynamo::parsers

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dynamo::parsers;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0:
      batch(text);
      break;
    case 1:
      reasoning(text);
      break;
    case 2:
      json(text);
      break;
    case 3:
      python(text);
      break;
    case 4:
      string_value(text);
      break;
    default:
      stream(text);
  }
  return 0;
}
