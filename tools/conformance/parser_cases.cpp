// SPDX-License-Identifier: Apache-2.0
#include "parser_cases.h"

#include <dynamo/parsers/batch.h>
#include <dynamo/parsers/structural_tag.h>

#include <memory>
#include <string_view>
#include <utility>

namespace dynamo::conformance {
namespace {

using parsers::Event;
using parsers::EventKind;
using parsers::OutputParser;
using parsers::ParsedCall;
using parsers::ParsedOutput;
using parsers::ParserOptions;
using parsers::StartingState;
using parsers::ToolChoice;
using parsers::ToolDefinition;

std::string text_of(const Json& object, std::string_view key, std::string_view otherwise = {}) {
  const Json* value = object.find(key);
  const std::string* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr ? *text : std::string(otherwise);
}

bool flag_of(const Json& object, std::string_view key, bool otherwise = false) {
  const Json* value = object.find(key);
  const bool* flag = value != nullptr ? value->if_bool() : nullptr;
  return flag != nullptr ? *flag : otherwise;
}

const Json::Array& list_of(const Json& object, std::string_view key) {
  static const Json::Array kEmpty;
  const Json* value = object.find(key);
  const Json::Array* list = value != nullptr ? value->if_array() : nullptr;
  return list != nullptr ? *list : kEmpty;
}

std::vector<std::string> texts_of(const Json& object, std::string_view key) {
  std::vector<std::string> texts;
  for (const Json& text : list_of(object, key)) {
    if (text.if_string() != nullptr) texts.push_back(*text.if_string());
  }
  return texts;
}

std::vector<ToolDefinition> tools_of(const Json& parser_case) {
  std::vector<ToolDefinition> tools;
  for (const Json& tool : list_of(parser_case, "tools")) {
    ToolDefinition definition{
        .name = text_of(tool, "name"), .parameters = tool.find("parameters"), .strict = {}};
    if (tool.find("strict") != nullptr) definition.strict = flag_of(tool, "strict");
    tools.push_back(std::move(definition));
  }
  return tools;
}

/// Arguments as a value, or their text when they are no JSON.
Json arguments_value(const std::string& text) {
  auto parsed = parse_json(text);
  return parsed ? *std::move(parsed) : Json(text);
}

Json describe_calls(const std::vector<ParsedCall>& calls) {
  Json list = Json::array();
  for (const ParsedCall& call : calls) {
    list.push_back(Json::object(
        {{"name", Json(call.name)}, {"arguments", Json(call.arguments)}, {"id", Json(call.id)}}));
  }
  return list;
}

bool same_call(const Json& expected, const ParsedCall& got) {
  if (text_of(expected, "name") != got.name) return false;
  if (const Json* text = expected.find("arguments_text")) {
    if (*text->if_string() != got.arguments) return false;
  } else if (const Json* value = expected.find("arguments")) {
    if (!(*value == arguments_value(got.arguments))) return false;
  }
  return expected.find("id") == nullptr || text_of(expected, "id") == got.id;
}

bool same_calls(const Json::Array& expected, const std::vector<ParsedCall>& got) {
  if (expected.size() != got.size()) return false;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!same_call(expected[i], got[i])) return false;
  }
  return true;
}

std::string shown(const ParsedOutput& output) {
  return Json::object({{"content", Json(output.content)},
                       {"reasoning", Json(output.reasoning)},
                       {"calls", describe_calls(output.calls)}})
      .dump();
}

std::optional<Mismatch> check_tool_calls(const Json& parser_case) {
  const std::vector<ToolDefinition> tools = tools_of(parser_case);
  const std::string mode = text_of(parser_case, "mode");
  const Json& expected = *parser_case.find("expected");
  for (const auto& [name, value] : {std::pair("aggregate", parsers::BatchMode::aggregate),
                                    std::pair("finalize", parsers::BatchMode::finalize)}) {
    if (mode != "both" && mode != name) continue;
    const auto got = parsers::parse_tool_calls(text_of(parser_case, "parser"),
                                               text_of(parser_case, "input"), tools, value);
    if (!got) return Mismatch{expected.dump(), got.error().message()};
    if (got->content != text_of(expected, "content") ||
        !same_calls(list_of(expected, "calls"), got->calls)) {
      return Mismatch{expected.dump(), std::string(name) + " " + shown(*got)};
    }
  }
  return std::nullopt;
}

std::optional<Mismatch> check_harmony(const Json& parser_case) {
  const bool finalize = text_of(parser_case, "mode") == "finalize";
  const auto got = parsers::parse_tool_calls(
      "harmony", text_of(parser_case, "input"), {},
      finalize ? parsers::BatchMode::finalize : parsers::BatchMode::aggregate);
  const Json& expected = *parser_case.find("expected_partial");
  if (!got) return Mismatch{expected.dump(), got.error().message()};
  bool holds = expected.find("content") == nullptr || text_of(expected, "content") == got->content;
  if (const Json* count = expected.find("n_calls"))
    holds = holds && count->as_uint64() == got->calls.size();
  if (expected.find("names") != nullptr) {
    std::vector<std::string> names;
    for (const ParsedCall& call : got->calls) names.push_back(call.name);
    holds = holds && names == texts_of(expected, "names");
  }
  if (holds) return std::nullopt;
  return Mismatch{expected.dump(), shown(*got)};
}

/// The parser of a reasoning case: a name, or explicit delimiters.
ParserOptions reasoning_options(const Json& parser_case) {
  ParserOptions options;
  options.reasoning_parser = text_of(parser_case, "parser");
  if (const Json* basic = parser_case.find("basic")) {
    options.reasoning_delimiters =
        parsers::ReasoningDelimiters{.open = text_of(*basic, "start"),
                                     .close = text_of(*basic, "end"),
                                     .exits = texts_of(*basic, "tool_start_tokens"),
                                     .starts_inside = flag_of(*basic, "force_reasoning"),
                                     .whole_thoughts = !flag_of(*basic, "stream_reasoning", true)};
  }
  return options;
}

std::optional<Mismatch> check_reasoning(const Json& parser_case) {
  ParserOptions options = reasoning_options(parser_case);
  std::unique_ptr<OutputParser> parser;
  std::optional<bool> inside;
  for (const Json& step : list_of(parser_case, "steps")) {
    const std::string op = text_of(step, "op");
    ParsedOutput got;
    if (op == "set_in_reasoning") {
      inside = flag_of(step, "value");
      options.starting_state = *inside ? StartingState::reasoning : StartingState::response;
      continue;
    }
    if (op == "batch") {
      const std::string text = text_of(step, "text");
      auto split = options.reasoning_delimiters
                       ? parsers::split_reasoning(*options.reasoning_delimiters, text, inside)
                       : parsers::split_reasoning(options.reasoning_parser, text, inside);
      got.content = std::move(split.normal);
      got.reasoning = std::move(split.reasoning);
    } else {
      std::vector<Event> events;
      if (parser == nullptr && op == "chunk") {
        auto made = OutputParser::create(options);
        if (!made) return Mismatch{"a parser", made.error().message()};
        parser = *std::move(made);
      }
      if (op == "chunk") parser->feed(text_of(step, "text"), events);
      if (op == "finish" && parser != nullptr) {
        parser->finish(events);
        parser.reset();
      }
      parsers::fold_events(events, got);
    }
    if ((step.find("normal") != nullptr && text_of(step, "normal") != got.content) ||
        (step.find("reasoning") != nullptr && text_of(step, "reasoning") != got.reasoning)) {
      return Mismatch{step.dump(), shown(got)};
    }
  }
  return std::nullopt;
}

ParserOptions jail_options(const Json& parser_case) {
  const Json& config = *parser_case.find("config");
  ParserOptions options;
  options.tool_parser = text_of(config, "parser");
  const Json* choice = config.find("tool_choice");
  if (choice != nullptr && choice->if_string() != nullptr && *choice->if_string() == "required") {
    options.tool_choice = ToolChoice::required;
    options.guided_json = true;
  }
  if (config.find("named_filter") != nullptr) {
    options.tool_choice = ToolChoice::named;
    options.named_tool = text_of(config, "named_filter");
    options.guided_json = true;
  }
  return options;
}

/// Emissions of a stream: the same text may be cut differently, so adjacent texts are joined on
/// both sides.
Json joined_emissions(const Json::Array& emissions) {
  Json list = Json::array();
  std::string text;
  const auto flush = [&] {
    if (!text.empty()) list.push_back(Json::object({{"content", Json(std::exchange(text, {}))}}));
  };
  for (const Json& emission : emissions) {
    if (emission.find("content") != nullptr) {
      text += text_of(emission, "content");
    } else {
      flush();
      list.push_back(emission);
    }
  }
  flush();
  return list;
}

std::optional<Mismatch> check_jail_stream(const Json& parser_case) {
  auto parser = OutputParser::create(jail_options(parser_case));
  const Json& expected = *parser_case.find("expected");
  if (!parser) return Mismatch{expected.dump(), parser.error().message()};
  std::vector<Event> events;
  for (const Json& chunk : list_of(parser_case, "chunks"))
    (*parser)->feed(text_of(chunk, "content"), events);
  (*parser)->finish(events);
  ParsedOutput got;
  fold_events(events, got);
  bool holds = expected.find("content") == nullptr || text_of(expected, "content") == got.content;
  if (expected.find("call_names") != nullptr) {
    std::vector<std::string> names;
    for (const ParsedCall& call : got.calls) names.push_back(call.name);
    holds = holds && names == texts_of(expected, "call_names");
  }
  Json emissions = Json::array();
  const Json described = describe(events);
  for (const Json& event : *described.if_array()) {
    if (event.find("text") != nullptr) {
      emissions.push_back(Json::object({{"content", *event.find("text")}}));
    } else {
      emissions.push_back(
          Json::object({{"call", Json::object({{"name", *event.find("name")},
                                               {"arguments", *event.find("arguments")}})}}));
    }
  }
  if (expected.find("emissions") != nullptr) {
    holds = holds && joined_emissions(list_of(expected, "emissions")) ==
                         joined_emissions(*emissions.if_array());
  }
  if (holds) return std::nullopt;
  return Mismatch{expected.dump(), emissions.dump()};
}

/// The pair that a recording's model uses, by its path.
std::pair<std::string, std::string> parsers_of_recording(std::string_view source) {
  if (source.contains("gpt-oss")) return {"gpt_oss", "harmony"};
  if (source.contains("qwen3")) return {"qwen3", "hermes"};
  if (source.contains("nemotron")) return {"nemotron_deci", "nemotron_deci"};
  if (source.contains("deepseek-v4")) return {"deepseek_v4", "deepseek_v4"};
  if (source.contains("deepseek-v3.1")) return {"qwen3", "deepseek_v3_1"};
  return {"qwen3", "deepseek_v3"};
}

std::optional<Mismatch> check_recording(const Json& parser_case) {
  const auto [reasoning, tool] = parsers_of_recording(text_of(parser_case, "source"));
  ParserOptions options{.tool_parser = tool, .reasoning_parser = reasoning};
  auto parser = OutputParser::create(options);
  const Json& expected = *parser_case.find("expected");
  if (!parser) return Mismatch{expected.dump(), parser.error().message()};
  std::vector<Event> events;
  for (const Json& chunk : list_of(parser_case, "chunks"))
    (*parser)->feed(text_of(chunk, "content"), events);
  (*parser)->finish(events);
  ParsedOutput got;
  fold_events(events, got);
  bool holds = text_of(expected, "normal_content") == got.content &&
               (expected.find("reasoning_content") == nullptr ||
                text_of(expected, "reasoning_content") == got.reasoning);
  if (expected.find("tool_calls") != nullptr) {
    const Json::Array& calls = list_of(expected, "tool_calls");
    holds = holds && calls.size() == got.calls.size();
    for (std::size_t i = 0; holds && i < calls.size(); ++i) {
      const Json& function = *calls[i].find("function");
      holds = text_of(function, "name") == got.calls[i].name &&
              arguments_value(text_of(function, "arguments")) ==
                  arguments_value(got.calls[i].arguments);
    }
  }
  if (holds) return std::nullopt;
  return Mismatch{expected.dump(), shown(got)};
}

std::optional<Mismatch> check_events(const Json& parser_case) {
  StreamOfCase stream = *stream_of(parser_case);
  stream.options.tools = stream.tools;
  const Json& expected = *parser_case.find("events");
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, stream.text.size()}) {
    auto parser = OutputParser::create(stream.options);
    if (!parser) return Mismatch{expected.dump(), parser.error().message()};
    std::vector<Event> events;
    const std::string_view text = stream.text;
    for (std::size_t at = 0; at < text.size(); at += size)
      (*parser)->feed(text.substr(at, size), events);
    (*parser)->finish(events);
    const Json got = describe(events);
    if (!(got == expected))
      return Mismatch{expected.dump(), std::to_string(size) + ": " + got.dump()};
  }
  return std::nullopt;
}

std::optional<Mismatch> check_structural_tag(const Json& parser_case) {
  const std::vector<ToolDefinition> tools = tools_of(parser_case);
  const std::string parser = text_of(parser_case, "parser");
  parsers::StructuralTagRequest request{.tool_parser = parser, .tools = tools};
  const Json& choice = *parser_case.find("tool_choice");
  std::string named;
  if (choice.if_string() == nullptr) {
    named = text_of(choice, "name");
    request.tool_choice = ToolChoice::named;
    request.named_tool = named;
  } else {
    request.tool_choice = *choice.if_string() == "required" ? ToolChoice::required
                          : *choice.if_string() == "none"   ? ToolChoice::none
                                                            : ToolChoice::automatic;
  }
  if (text_of(parser_case, "schema_mode") == "strict")
    request.schema_mode = parsers::StructuralSchemaMode::strict;
  const Json* parallel = parser_case.find("parallel_tool_calls");
  if (parallel != nullptr && parallel->if_bool() != nullptr)
    request.parallel_tool_calls = *parallel->if_bool();
  request.starts_in_reasoning = flag_of(parser_case, "starts_in_reasoning");
  const auto got = parsers::structural_tag(request);
  const Json& expected = *parser_case.find("expected");
  if (expected.find("error") != nullptr) {
    if (!got) return std::nullopt;
    return Mismatch{expected.dump(), "no error"};
  }
  if (!got) return Mismatch{expected.dump(), got.error().message()};
  const Json* tag = expected.find("tag") != nullptr ? expected.find("tag") : expected.find("ban");
  const Json value = *got ? **got : Json();
  if (*tag == value) return std::nullopt;
  return Mismatch{expected.dump(), value.dump()};
}

}  // namespace

bool is_history(const Json& parser_case) {
  return parser_case.find("superseded") != nullptr ||
         parser_case.find("older_behaviour") != nullptr;
}

std::optional<Mismatch> check_parser_case(const Json& parser_case) {
  if (parser_case.find("expected_partial") != nullptr) return check_harmony(parser_case);
  if (parser_case.find("steps") != nullptr) return check_reasoning(parser_case);
  if (parser_case.find("config") != nullptr) return check_jail_stream(parser_case);
  if (parser_case.find("source") != nullptr) return check_recording(parser_case);
  if (parser_case.find("events") != nullptr) return check_events(parser_case);
  if (parser_case.find("tool_choice") != nullptr) return check_structural_tag(parser_case);
  return check_tool_calls(parser_case);
}

std::optional<StreamOfCase> stream_of(const Json& parser_case) {
  StreamOfCase stream;
  stream.tools = tools_of(parser_case);
  if (parser_case.find("events") != nullptr) {
    stream.options.reasoning_parser = text_of(parser_case, "reasoning_parser");
    stream.options.tool_parser = text_of(parser_case, "tool_parser");
    const std::string state = text_of(parser_case, "starting_state");
    if (state == "reasoning") stream.options.starting_state = StartingState::reasoning;
    if (state == "response") stream.options.starting_state = StartingState::response;
    stream.text = text_of(parser_case, "text");
    return stream;
  }
  if (parser_case.find("chunks") != nullptr) {
    if (parser_case.find("config") != nullptr) {
      stream.options = jail_options(parser_case);
    } else {
      const auto [reasoning, tool] = parsers_of_recording(text_of(parser_case, "source"));
      stream.options.reasoning_parser = reasoning;
      stream.options.tool_parser = tool;
    }
    for (const Json& chunk : list_of(parser_case, "chunks"))
      stream.text += text_of(chunk, "content");
    return stream;
  }
  if (parser_case.find("steps") != nullptr) {
    stream.options = reasoning_options(parser_case);
    for (const Json& step : list_of(parser_case, "steps")) {
      if (text_of(step, "op") == "set_in_reasoning") {
        stream.options.starting_state =
            flag_of(step, "value") ? StartingState::reasoning : StartingState::response;
      }
      stream.text += text_of(step, "text");
    }
    return stream;
  }
  if (parser_case.find("input") == nullptr) return std::nullopt;
  stream.options.tool_parser = text_of(parser_case, "parser");
  stream.text = text_of(parser_case, "input");
  return stream;
}

Json describe(const std::vector<Event>& events, bool ids) {
  Json list = Json::array();
  std::string text;
  EventKind kind = EventKind::text;
  std::string id;
  std::string name;
  std::string arguments;
  const auto flush = [&] {
    if (text.empty()) return;
    const char* word = kind == EventKind::text ? "text" : "reasoning";
    list.push_back(Json::object({{"kind", Json(word)}, {"text", Json(std::exchange(text, {}))}}));
  };
  for (const Event& event : events) {
    switch (event.kind) {
      case EventKind::text:
      case EventKind::reasoning:
        if (event.kind != kind) flush();
        kind = event.kind;
        text += event.text;
        break;
      case EventKind::call_start:
        flush();
        name = event.text;
        id = event.id;
        arguments.clear();
        break;
      case EventKind::call_arguments:
        arguments += event.text;
        break;
      case EventKind::call_end: {
        Json call = Json::object({{"kind", Json("tool_call")},
                                  {"name", Json(name)},
                                  {"arguments", arguments_value(arguments)}});
        if (!event.complete) call["complete"] = Json(false);
        if (ids) call["id"] = Json(id);
        list.push_back(std::move(call));
        break;
      }
    }
  }
  flush();
  return list;
}

}  // namespace dynamo::conformance
