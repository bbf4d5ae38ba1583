// SPDX-License-Identifier: Apache-2.0
// The registry of reasoning parsers: one row per family.
#include <dynamo/base/log.h>
#include <dynamo/parsers/registry.h>

#include <algorithm>
#include <atomic>
#include <string>

#include "parsers/families.h"

namespace dynamo::parsers::detail {
namespace {

ReasoningSpec between(std::string open, std::string close, bool starts_inside,
                      std::vector<std::string> exits = {}) {
  ReasoningSpec spec;
  spec.openers = {std::move(open)};
  spec.closers = {std::move(close)};
  spec.exits = std::move(exits);
  spec.starts_inside = starts_inside;
  return spec;
}

ReasoningSpec think(bool starts_inside, std::vector<std::string> exits = {}) {
  return between("<think>", "</think>", starts_inside, std::move(exits));
}

ReasoningFamily row(std::string_view name, ReasoningSpec spec,
                    ThinkingSwitch off = ThinkingSwitch::never) {
  ReasoningFamily family{.name = name, .aliases = {}, .spec = std::move(spec), .off = off};
  if (family.spec.openers == std::vector<std::string>{"<think>"})
    family.prompt_openers = {"<think>"};
  return family;
}

std::vector<ReasoningFamily> make_families() {
  std::vector<ReasoningFamily> rows;
  for (const std::string_view name : {"basic", "qwen3", "nemotron_deci", "glm45"})
    rows.push_back(row(name, think(false)));
  rows.push_back(row("deepseek_r1", think(true), ThinkingSwitch::flag_false_or_chat));
  rows.push_back(row("deepseek_v3", think(true), ThinkingSwitch::unless_flag_true));
  rows.push_back(row("deepseek_v3_1", think(true), ThinkingSwitch::unless_flag_true));
  rows.push_back(row("deepseek_v3_2", think(true), ThinkingSwitch::flag_false_or_chat));
  rows.push_back(row("step3", think(true)));
  for (const std::string_view name : {"nemotron_nano", "nemotron3", "nemotron_v3"}) {
    rows.push_back(row(name, think(true), ThinkingSwitch::flag_false));
    rows.back().strips_opener_when_off = true;
  }
  rows.push_back(row("deepseek_v4", think(false, {"<｜DSML｜tool_calls>", "<｜DSML｜invoke name="}),
                     ThinkingSwitch::flag_false_or_chat));
  rows.back().aliases = {"deepseek-v4", "deepseekv4"};
  rows.push_back(row("kimi", between("◁think▷", "◁/think▷", false)));
  rows.push_back(
      row("kimi_k25", think(true, {"<|tool_calls_section_begin|>"}), ThinkingSwitch::flag_false));
  rows.back().needs_special_tokens = true;

  // The engine may write the tag with blanks around its name.
  ReasoningSpec k3 = between("<|open|>think<|sep|>", "<|close|>think<|sep|>", false,
                             {"<|open|>", "<|close|>", "<|end_of_msg|>"});
  k3.openers.push_back("<|open|> think <|sep|>");
  k3.closers.push_back("<|close|> think <|sep|>");
  rows.push_back(row("kimi_k3", std::move(k3), ThinkingSwitch::flag_false));
  rows.back().aliases = {"kimi-k3"};
  rows.back().needs_special_tokens = true;
  rows.back().prompt_openers = {"<|open|>think<|sep|>", "<|open|> think <|sep|>"};

  rows.push_back(
      row("mistral", between("[THINK]", "[/THINK]", true), ThinkingSwitch::unless_effort));
  rows.back().needs_special_tokens = true;
  rows.push_back(row("minimax_m2", think(true, {"<minimax:tool_call>", "<invoke name="}),
                     ThinkingSwitch::flag_false_or_chat));

  ReasoningSpec m3 = between("<mm:think>", "</mm:think>", false, {"]<]minimax[>["});
  m3.first_boundary_decides = true;
  rows.push_back(row("minimax_m3", std::move(m3), ThinkingSwitch::mode_disabled));
  rows.back().aliases = {"minimax-m3"};
  rows.back().needs_special_tokens = true;
  rows.back().prompt_openers = {"<mm:think>"};

  ReasoningSpec append;
  append.prefix = "<think>";
  rows.push_back(row("minimax_append_think", std::move(append)));

  ReasoningSpec granite;
  granite.openers = {"Here's my thought process:", "Here is my thought process:"};
  granite.closers = {"Here's my response:", "Here is my response:"};
  granite.keeps_inner_openers = true;
  rows.push_back(row("granite", std::move(granite)));

  ReasoningSpec gemma = between("<|channel>", "<channel|>", false);
  gemma.label = "thought\n";
  rows.push_back(row("gemma4", std::move(gemma), ThinkingSwitch::unless_flag_true));
  rows.back().aliases = {"gemma-4"};
  rows.back().needs_special_tokens = true;
  rows.back().prompt_openers = {"<|channel>", "<|channel>thought", "<|channel>thought\n"};

  ReasoningSpec inkling;
  inkling.openers = {"<|message_model|><|content_thinking|>", "<|content_thinking|>"};
  inkling.closers = {"<|end_message|>"};
  rows.push_back(row("inkling", std::move(inkling)));
  rows.back().engine = ReasoningEngine::inkling;
  rows.back().needs_special_tokens = true;
  rows.back().prompt_openers = {"<|content_thinking|>"};

  rows.push_back({.name = "gpt_oss",
                  .aliases = {},
                  .engine = ReasoningEngine::gpt_oss,
                  .needs_special_tokens = true});
  rows.push_back({.name = "muse_glimmer",
                  .aliases = {"muse"},
                  .engine = ReasoningEngine::muse,
                  .needs_special_tokens = true});
  return rows;
}

std::string lower(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

std::span<const ReasoningFamily> reasoning_families() noexcept {
  static const std::vector<ReasoningFamily> families = make_families();
  return families;
}

const ReasoningFamily* find_reasoning_family(std::string_view name) noexcept {
  const std::string key = lower(name);
  for (const ReasoningFamily& family : reasoning_families()) {
    if (family.name == key ||
        std::ranges::find(family.aliases, std::string_view(key)) != family.aliases.end()) {
      return &family;
    }
  }
  return nullptr;
}

std::string_view own_tool_parser(ReasoningEngine engine) noexcept {
  switch (engine) {
    case ReasoningEngine::gpt_oss:
      return "harmony";
    case ReasoningEngine::inkling:
      return "inkling";
    case ReasoningEngine::muse:
      return "muse_glimmer";
    case ReasoningEngine::delimited:
      break;
  }
  return {};
}

const ReasoningFamily& reasoning_family_or_basic(std::string_view name) {
  if (const ReasoningFamily* family = find_reasoning_family(name)) return *family;
  static std::atomic<bool> warned = false;
  if (!warned.exchange(true)) {
    DYN_LOG_WARN("parsers", "unknown_reasoning_parser", {{"name", name}, {"used", "basic"}});
  }
  return *find_reasoning_family("basic");
}

}  // namespace dynamo::parsers::detail

namespace dynamo::parsers {

std::span<const std::string_view> reasoning_parser_names() noexcept {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const auto& family : detail::reasoning_families()) {
      all.push_back(family.name);
      all.insert(all.end(), family.aliases.begin(), family.aliases.end());
    }
    std::ranges::sort(all);
    return all;
  }();
  return names;
}

bool is_reasoning_parser(std::string_view name) noexcept {
  return detail::find_reasoning_family(name) != nullptr;
}

}  // namespace dynamo::parsers
