// SPDX-License-Identifier: Apache-2.0
// Batch conventions of the JSON families, spec 3.1 steps 3 to 6.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "parsers/batch_fold.h"
#include "parsers/json_grammar.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

/// One opener, or JSON without any, and what followed.
struct Block {
  int opener = kBareJson;
  std::size_t item = 0;  // of the trace
  std::vector<std::pair<ParsedCall, Closure>> calls{};
  bool not_json = false;
  bool malformed = false;
  bool torn = false;
  bool array = false;
  bool closed = false;
  bool junk = false;  // something follows the JSON, and it is no closer

  bool clean() const noexcept { return !not_json && !malformed && !torn && !junk; }
};

std::vector<Block> blocks_of(const Trace& trace) {
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < trace.items.size(); ++i) {
    const Trace::Item& item = trace.items[i];
    if (item.kind == Trace::Kind::block_open) {
      blocks.push_back({.opener = item.id, .item = i});
      continue;
    }
    if (blocks.empty()) continue;
    Block& block = blocks.back();
    switch (item.kind) {
      case Trace::Kind::call:
        block.calls.emplace_back(item.call, item.closure);
        break;
      case Trace::Kind::block_close:
      case Trace::Kind::orphan:
        block.closed = true;
        break;
      case Trace::Kind::text:
        if (!block.closed) block.junk = block.junk || !is_blank(item.text);
        break;
      case Trace::Kind::broken:
        block.not_json = block.not_json || item.id == static_cast<int>(JsonFault::not_json);
        block.malformed = block.malformed || item.id == static_cast<int>(JsonFault::malformed);
        block.torn = block.torn || item.id == static_cast<int>(JsonFault::torn);
        block.array = block.array || item.id == static_cast<int>(JsonFault::array);
        block.junk = block.junk || item.id == static_cast<int>(JsonFault::torn_closer);
        break;
      default:
        break;
    }
  }
  return blocks;
}

class JsonFold {
 public:
  JsonFold(const ToolFamily& family, std::string_view text, const Trace& trace, BatchMode mode)
      : family_(family.json),
        text_(trim(text)),
        trace_(trace),
        finalize_(mode == BatchMode::finalize),
        mistral_(family.name == "mistral"),
        open_ended_(family_.closers.empty() || mistral_ || family.name == "default"),
        strips_(mistral_ || family.name == "nemotron_deci" || family.name == "jamba"),
        discards_(family.name == "hermes" || family.name == "qwen25" || family.name == "jamba"),
        cuts_(family.name == "hermes" || family.name == "qwen25"),
        blocks_(blocks_of(trace)) {}

  ParsedOutput fold() {
    if (text_.empty()) return {};
    if (!opened()) return without_opener();
    std::erase_if(blocks_, [](const Block& block) { return block.opener == kBareJson; });
    return with_opener();
  }

 private:
  bool contains_any(const std::vector<std::string_view>& markers) const {
    return std::ranges::any_of(markers, [&](std::string_view m) { return text_.contains(m); });
  }
  bool opened() const { return contains_any(family_.openers); }

  std::string prefix() const {
    std::size_t at = text_.size();
    for (const std::string_view opener : family_.openers) at = std::min(at, text_.find(opener));
    // The space before [TOOL_CALLS] is kept.
    const std::string_view before = text_.substr(0, at);
    return std::string(mistral_ ? before : trim(before));
  }

  static ParsedOutput output(std::string content, std::vector<ParsedCall> calls) {
    return {.content = std::move(content), .reasoning = {}, .calls = std::move(calls)};
  }

  static void add(std::vector<ParsedCall>& calls, const Block& block, bool repaired) {
    for (const auto& [call, closure] : block.calls) {
      if (closure == Closure::fenced || (repaired && closure == Closure::repaired))
        calls.push_back(call);
    }
  }

  // Nothing was recognised: what of the text is shown?
  ParsedOutput unrecognised() const {
    const bool closer = contains_any(family_.closers);
    if (strips_ && (finalize_ || (mistral_ && closer)) && (closer || opened())) return {};
    if (discards_ && opened() && closer) return output(prefix(), {});
    if (discards_ && closer) {
      std::string_view rest = text_;
      for (bool stripped = true; std::exchange(stripped, false);) {
        for (const std::string_view marker : family_.closers) {
          if (!trim(rest).ends_with(marker)) continue;
          rest = trim(rest);
          rest.remove_suffix(marker.size());
          stripped = true;
        }
      }
      if (rest.size() != text_.size()) return output(std::string(trim(rest)), {});
    }
    if (cuts_ && finalize_ && opened()) return output(prefix(), {});
    return output(std::string(text_), {});
  }

  ParsedOutput without_opener() const {
    if (blocks_.empty()) return unrecognised();
    const Block& block = blocks_.front();
    const std::string before = text_before(trace_, block.item);
    // The JSON is whatever begins with the first bracket.
    if (before.find_first_of("{[") != std::string::npos || blocks_.size() > 1)
      return unrecognised();
    std::vector<ParsedCall> calls;
    add(calls, block, finalize_ && family_.repair && block.torn);
    if (calls.empty()) return unrecognised();
    if (block.torn || (block.clean() && !block.closed))
      return output(std::string(trim(before)), std::move(calls));
    if (block.clean() && strips_ && (finalize_ || mistral_)) return output({}, std::move(calls));
    return unrecognised();
  }

  ParsedOutput with_opener() const {
    if (!family_.closers.empty()) {
      if (std::ranges::any_of(blocks_, &Block::closed)) return with_closer();
      if (finalize_ && !blocks_.empty() && !blocks_.front().not_json &&
          (family_.repair || mistral_)) {
        return cut_off(blocks_.front());
      }
      if (finalize_ && mistral_) return output(prefix(), {});
    }
    if (!open_ended_ || (finalize_ && !family_.closers.empty() && !blocks_.front().not_json)) {
      return unrecognised();
    }
    std::vector<ParsedCall> calls;
    bool array = false;
    for (const Block& block : blocks_) {
      // Of a torn array nothing can be taken; of a run of objects the complete ones.
      if (block.array && (block.torn || block.malformed)) continue;
      add(calls, block, false);
      array = array || block.array;
    }
    if (calls.empty() && !array) return {};  // a marker without JSON
    return output(prefix(), std::move(calls));
  }

  ParsedOutput with_closer() const {
    std::vector<ParsedCall> calls;
    bool recognised = false;
    bool repairable = false;
    bool json = false;
    for (const Block& block : blocks_) {
      if (!block.closed) continue;
      if (!block.torn) add(calls, block, false);
      recognised = recognised || (block.array && !block.torn && !block.malformed);
      repairable = repairable || block.torn;
      json = json || !block.not_json;
    }
    if (calls.empty() && repairable && finalize_ && family_.repair) {
      for (const Block& block : blocks_) {
        if (block.closed) add(calls, block, true);
      }
    }
    if (!calls.empty() || recognised) return output(prefix(), std::move(calls));
    return json || discards_ ? unrecognised() : output({}, {});
  }

  // finalize, and no closer came: the JSON behind the first opener is the tail of the text.
  ParsedOutput cut_off(const Block& block) const {
    std::vector<ParsedCall> calls;
    if (mistral_) {
      add(calls, block, false);
      return output(prefix(), std::move(calls));
    }
    if (block.malformed || block.junk) return unrecognised();
    add(calls, block, block.torn);
    if (calls.empty() && (block.torn || !block.array)) return unrecognised();
    return output(prefix(), std::move(calls));
  }

  const JsonFamily& family_;
  std::string_view text_;
  const Trace& trace_;
  bool finalize_;
  bool mistral_;
  bool open_ended_;  // a call may end with its JSON
  bool strips_;      // markers around JSON that is no call are taken off
  bool discards_;    // a wrapper that is no call is dropped
  bool cuts_;        // an unclosed wrapper is dropped at the end of the output
  std::vector<Block> blocks_;
};

}  // namespace

ParsedOutput fold_json_batch(const ToolFamily& family, std::string_view text, const Trace& trace,
                             BatchMode mode) {
  return JsonFold(family, text, trace, mode).fold();
}

}  // namespace dynamo::parsers::detail
