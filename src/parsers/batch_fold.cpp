// SPDX-License-Identifier: Apache-2.0
// Batch conventions of all families but JSON, spec 3.2 to 3.12.
#include "parsers/batch_fold.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "parsers/kimi_k3_grammar.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {

std::string text_before(const Trace& trace, std::size_t end) {
  std::string text;
  for (std::size_t i = 0; i < std::min(end, trace.items.size()); ++i) {
    if (trace.items[i].kind == Trace::Kind::text) text += trace.items[i].text;
  }
  return text;
}

namespace {

using Kind = Trace::Kind;
constexpr std::size_t kNowhere = std::string::npos;

std::size_t find(const Trace& trace, auto matches) {
  for (std::size_t i = 0; i < trace.items.size(); ++i) {
    if (matches(trace.items[i])) return i;
  }
  return kNowhere;
}

std::size_t find_kind(const Trace& trace, Kind kind) {
  return find(trace, [&](const Trace::Item& item) { return item.kind == kind; });
}

struct Calls {
  std::vector<ParsedCall> calls;
  std::size_t first = kNowhere;  // item of the first one
};

/// Calls of closed blocks, and of open ones at the end when `finalize`; calls outside of blocks
/// when `bare`. What lacked its fence is no call.
Calls accepted(const Trace& trace, bool finalize, bool bare) {
  Calls out;
  std::vector<std::size_t> pending;
  bool in_block = false;
  const auto take = [&](std::size_t i) {
    out.first = std::min(out.first, i);
    out.calls.push_back(trace.items[i].call);
  };
  const auto commit = [&] {
    for (const std::size_t i : pending) take(i);
    pending.clear();
  };
  for (std::size_t i = 0; i < trace.items.size(); ++i) {
    const Trace::Item& item = trace.items[i];
    if (item.kind == Kind::block_open) in_block = true;
    if (item.kind == Kind::block_close) {
      commit();
      in_block = false;
    }
    if (item.kind != Kind::call || item.closure == Closure::unfenced) continue;
    if (in_block) {
      pending.push_back(i);
    } else if (bare) {
      take(i);
    }
  }
  if (finalize) commit();
  return out;
}

ParsedOutput output(std::string_view content, std::vector<ParsedCall> calls) {
  return {.content = std::string(content), .reasoning = {}, .calls = std::move(calls)};
}

ParsedOutput fold_deepseek(std::string_view text, const Trace& trace, bool finalize) {
  constexpr int kCallOpen = 2;
  const std::size_t opener = find(trace, [](const Trace::Item& item) {
    return item.kind == Kind::block_open || (item.kind == Kind::orphan && item.id == kCallOpen);
  });
  if (opener == kNowhere) return output(trim(text), {});
  Calls calls = accepted(trace, finalize, true);
  const bool wrapped = find_kind(trace, Kind::block_open) != kNowhere;
  const std::string before = text_before(trace, opener);
  if (!wrapped && calls.calls.empty()) return {};
  return output(trim_left(before), std::move(calls.calls));
}

/// Tags of InvokeGrammar and MinimaxM3Grammar, in their order.
constexpr int kBlockCloseTag = 1;
constexpr int kInvokeOpenTag = 2;

bool block_close_anywhere(const Trace& trace) {
  return find(trace, [](const Trace::Item& item) {
           return item.kind == Kind::block_close ||
                  (item.kind == Kind::orphan && item.id == kBlockCloseTag);
         }) != kNowhere;
}

ParsedOutput fold_xml(std::string_view text, const Trace& trace, bool finalize, bool strict) {
  const bool wrapped = find_kind(trace, Kind::block_open) != kNowhere;
  const std::size_t orphan = find_kind(trace, Kind::orphan);
  const bool bare = find(trace, [](const Trace::Item& item) {
                      return item.kind == Kind::orphan && item.id == kInvokeOpenTag;
                    }) != kNowhere;
  if (!strict && !wrapped && !bare) return output(text, {});
  Calls calls = accepted(trace, finalize, finalize || block_close_anywhere(trace));
  if (!calls.calls.empty()) {
    const std::string before = text_before(trace, calls.first);
    return output(before, std::move(calls.calls));
  }
  const std::string shown = text_before(trace, strict && !wrapped ? orphan : kNowhere);
  return output(trim(shown), {});
}

ParsedOutput fold_dsml(std::string_view text, const Trace& trace, bool finalize) {
  const std::size_t block = find_kind(trace, Kind::block_open);
  const std::size_t orphan = find_kind(trace, Kind::orphan);
  Calls calls = accepted(trace, finalize, finalize || block_close_anywhere(trace));
  if (block != kNowhere) {
    const std::string before = text_before(trace, block);
    return output(trim_left(before), std::move(calls.calls));
  }
  if (orphan == kNowhere) return output(trim(text), {});
  const std::string before = text_before(trace, orphan);
  const bool starts_call = trace.items[orphan].id == kInvokeOpenTag;
  return output(trim(before), starts_call ? std::move(calls.calls) : std::vector<ParsedCall>());
}

ParsedOutput fold_minimax_m3(std::string_view text, const Trace& trace, bool finalize) {
  const std::size_t block = find_kind(trace, Kind::block_open);
  const std::size_t orphan = find_kind(trace, Kind::orphan);
  Calls calls = accepted(trace, finalize, finalize || block_close_anywhere(trace));
  if (block != kNowhere) return output(text_before(trace, block), std::move(calls.calls));
  if (orphan == kNowhere) return output(text, {});
  const std::string before = text_before(trace, orphan);
  const bool starts_call = trace.items[orphan].id == kInvokeOpenTag;
  return output(trim_right(before),
                starts_call ? std::move(calls.calls) : std::vector<ParsedCall>());
}

bool is_glm_name_byte(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

ParsedOutput fold_glm(const Trace& trace) {
  constexpr int kCloseTag = 1;
  std::string content;
  std::vector<ParsedCall> calls;
  for (std::size_t i = 0; i < trace.items.size(); ++i) {
    const Trace::Item& item = trace.items[i];
    if (item.kind == Kind::text && calls.empty()) content += item.text;
    if (item.kind == Kind::call) calls.push_back(item.call);
    if (item.kind != Kind::orphan || !calls.empty()) continue;
    const bool recovered = i + 1 < trace.items.size() && trace.items[i + 1].kind == Kind::call;
    // The name that stood before the pairs belongs to the call, or to what is dropped.
    if (recovered || item.id != kCloseTag) {
      while (!content.empty() && is_glm_name_byte(content.back())) content.pop_back();
    }
    if (!recovered) return output(trim(content), {});
  }
  return calls.empty() ? output(trim(content), {}) : output(content, std::move(calls));
}

ParsedOutput fold_kimi_k2(const Trace& trace) {
  constexpr int kCallOpen = 2;
  std::vector<std::string> parts{""};
  Calls calls = accepted(trace, true, true);
  bool sections = false;
  for (const Trace::Item& item : trace.items) {
    if (item.kind == Kind::text) parts.back() += item.text;
    if (item.kind == Kind::block_open) {
      sections = true;
      parts.emplace_back();
    }
  }
  std::string joined;
  for (const std::string& part : parts) joined += part;
  if (!sections && !calls.calls.empty()) {
    const std::size_t bare = find(trace, [](const Trace::Item& item) {
      return item.kind == Kind::orphan && item.id == kCallOpen;
    });
    const std::string before = text_before(trace, bare);
    return output(trim(before), std::move(calls.calls));
  }
  if (calls.calls.empty()) return output(trim(joined), {});
  std::size_t first = 0;
  while (first < parts.size() && is_blank(parts[first])) ++first;
  if (first == parts.size()) return output({}, std::move(calls.calls));
  if (first != 0) return output({}, std::move(calls.calls));
  const bool later = std::any_of(parts.begin() + 1, parts.end(),
                                 [](const std::string& part) { return !is_blank(part); });
  const bool keep = later || trailing_space(parts[0]) != 0;
  return output(keep ? trim_left(parts[0]) : trim(joined), std::move(calls.calls));
}

ParsedOutput fold_kimi_k3(std::string_view text, const Trace& trace, bool finalize) {
  const std::size_t end = find(trace, [](const Trace::Item& item) {
    return item.kind == Kind::orphan && item.id == kK3End;
  });
  const auto find_id = [&](int id) {
    return find(trace, [&](const Trace::Item& item) {
      return item.id == id && (item.kind == Kind::orphan || item.kind == Kind::block_open);
    });
  };
  Calls calls = accepted(trace, finalize, true);
  const std::size_t response = find_id(kK3Response);
  const std::size_t tools = std::min(find_id(kK3Tools), find_id(kK3Call));
  const std::size_t response_close = find_id(kK3ResponseClose);
  std::string content;
  if (response != kNowhere) {
    for (std::size_t i = response + 1; i < trace.items.size(); ++i) {
      const Trace::Item& item = trace.items[i];
      if (item.kind == Kind::block_open || item.kind == Kind::orphan) break;
      if (item.kind == Kind::text) content += item.text;
    }
  } else if (response_close != kNowhere) {
    content = text_before(trace, response_close);
  } else if (tools != kNowhere) {
    content = text_before(trace, tools);
  } else if (find_kind(trace, Kind::orphan) == kNowhere) {
    content = text_before(trace, kNowhere);
    if (content.empty()) content = text.contains("<|") ? std::string() : std::string(text);
  } else if (end != kNowhere) {
    content = text_before(trace, end);
  }
  return output(content, std::move(calls.calls));
}

ParsedOutput fold_gemma4(std::string_view text, const Trace& trace) {
  std::vector<ParsedCall> calls;
  std::size_t first = kNowhere;
  for (std::size_t i = 0; i < trace.items.size(); ++i) {
    const Trace::Item& item = trace.items[i];
    if (item.kind != Kind::call || item.closure == Closure::unfenced) continue;
    first = std::min(first, i);
    calls.push_back(item.call);
  }
  if (!calls.empty()) {
    const std::string before = text_before(trace, first);
    return output(trim(before), std::move(calls));
  }
  for (const std::string_view marker : {"<|tool_call>", "<tool_call|>", "<|\"|>"}) {
    if (text.contains(marker)) return {};
  }
  return output(trim(text), {});
}

ParsedOutput fold_pythonic(const Trace& trace) {
  const std::size_t open = find_kind(trace, Kind::block_open);
  const std::string before = text_before(trace, open);
  std::vector<ParsedCall> calls;
  for (std::size_t i = open; i < trace.items.size(); ++i) {
    if (trace.items[i].kind == Kind::block_close) break;
    if (trace.items[i].kind == Kind::call) calls.push_back(trace.items[i].call);
  }
  return output(trim(before), std::move(calls));
}

ParsedOutput fold_inkling(const Trace& trace, bool finalize) {
  const std::size_t open = find_kind(trace, Kind::block_open);
  const std::string before = text_before(trace, open);
  if (open == kNowhere) return output(before, {});
  return output(trim_right(before), accepted(trace, finalize, false).calls);
}

ParsedOutput fold_harmony(const Trace& trace) {
  constexpr int kCall = 6;
  if (find_kind(trace, Kind::orphan) == kNowhere) return {};
  const bool stopped = find(trace, [](const Trace::Item& item) {
                         return item.kind == Kind::orphan && item.id == kCall;
                       }) != kNowhere;
  std::vector<ParsedCall> calls;
  for (const Trace::Item& item : trace.items) {
    if (item.kind == Kind::call && stopped && item.closure != Closure::unfenced)
      calls.push_back(item.call);
  }
  const std::string content = text_before(trace, kNowhere);
  return output(trim(content), std::move(calls));
}

}  // namespace

ParsedOutput fold_batch(const ToolFamily& family, std::string_view text, const Trace& trace,
                        BatchMode mode) {
  const bool finalize = mode == BatchMode::finalize;
  switch (family.batch) {
    case BatchStyle::json:
      return fold_json_batch(family, text, trace, mode);
    case BatchStyle::deepseek:
      return fold_deepseek(text, trace, finalize);
    case BatchStyle::qwen_xml:
      return fold_xml(text, trace, finalize, false);
    case BatchStyle::minimax_xml:
      return fold_xml(text, trace, finalize, true);
    case BatchStyle::dsml:
      return fold_dsml(text, trace, finalize);
    case BatchStyle::minimax_m3:
      return fold_minimax_m3(text, trace, finalize);
    case BatchStyle::glm:
      return fold_glm(trace);
    case BatchStyle::kimi_k2:
      return fold_kimi_k2(trace);
    case BatchStyle::kimi_k3:
      return fold_kimi_k3(text, trace, finalize);
    case BatchStyle::gemma4:
      return fold_gemma4(text, trace);
    case BatchStyle::pythonic:
      return fold_pythonic(trace);
    case BatchStyle::inkling:
      return fold_inkling(trace, finalize);
    case BatchStyle::harmony:
      return fold_harmony(trace);
  }
  return {};
}

}  // namespace dynamo::parsers::detail
