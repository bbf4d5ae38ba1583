// SPDX-License-Identifier: Apache-2.0
#include <array>

#include <fmt/core.h>

#include "tokenizer/load/components.h"
#include "tokenizer/load/fields.h"
#include "tokenizer/load/pattern.h"
#include "tokenizer/split/scanner.h"
#include "tokenizer/unicode/properties.h"

namespace dynamo::tokenizer::detail {
namespace {

constexpr std::string_view kPart = "pre_tokenizer";
constexpr int kDepthLimit = 16;

bool is_white_space(char32_t c) {
  return unicode::is_white_space(c);
}
bool is_punctuation(char32_t c) {
  return unicode::has(c, unicode::Flag::punctuation);
}
bool is_numeric(char32_t c) {
  return unicode::has(c, unicode::Flag::numeric);
}

SplitBehavior read_behavior(Fields& fields, std::optional<std::string_view> fallback) {
  static constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> kNames = {
      {{"Removed", SplitBehavior::removed},
       {"Isolated", SplitBehavior::isolated},
       {"MergedWithPrevious", SplitBehavior::merged_with_previous},
       {"MergedWithNext", SplitBehavior::merged_with_next},
       {"Contiguous", SplitBehavior::contiguous}}};
  const std::string name = fields.string("behavior", fallback);
  for (const auto& [known, behavior] : kNames) {
    if (known == name) return behavior;
  }
  fields.wrong("behavior", "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
  return SplitBehavior::isolated;
}

/// Collects the steps of nested sequences in order.
class Builder {
 public:
  Builder(PreTokenizerPlan& plan, bool model_takes_bytes, const LoadOptions& options)
      : plan_(plan), model_takes_bytes_(model_takes_bytes), options_(options) {}

  /// `last` when nothing comes behind this one.
  Result<void> add(const Json& json, bool last, int depth) {
    if (depth > kDepthLimit)
      return fail(Errc::invalid_argument, "pre_tokenizer: sequences nested too deeply");
    Fields fields(json, kPart);
    const std::string_view type = fields.type();
    if (type == "Sequence") {
      const Json* list = fields.array("pretokenizers");
      if (list == nullptr) return fields.failure();
      const auto& steps = *list->if_array();
      for (std::size_t i = 0; i < steps.size(); ++i)
        DYN_CHECK(add(steps[i], last && i + 1 == steps.size(), depth + 1));
      return {};
    }
    if (type == "ByteLevel") return add_byte_level(fields, last);
    if (type == "Split") return add_split(fields);
    if (type == "Metaspace") return add_metaspace(fields);
    if (type == "Whitespace") return push<WhitespaceSplitter>(fields);
    if (type == "WhitespaceSplit")
      return push<CharacterSplitter>(fields, is_white_space, SplitBehavior::removed);
    if (type == "BertPreTokenizer") {
      DYN_CHECK(push<CharacterSplitter>(fields, is_white_space, SplitBehavior::removed));
      return push<CharacterSplitter>(fields, is_punctuation, SplitBehavior::isolated);
    }
    if (type == "Punctuation") {
      const SplitBehavior behavior = read_behavior(fields, "Isolated");
      return push<CharacterSplitter>(fields, is_punctuation, behavior);
    }
    if (type == "Digits") {
      if (fields.boolean("individual_digits", false))
        return push<ScanSplitter>(fields, scan_single_digits);
      return push<CharacterSplitter>(fields, is_numeric, SplitBehavior::contiguous);
    }
    if (type == "CharDelimiterSplit") {
      return push<LiteralSplitter>(fields, fields.string("delimiter", std::nullopt),
                                   SplitBehavior::removed, false);
    }
    if (type == "UnicodeScripts") return push<ScriptSplitter>(fields);
    if (type == "FixedLength") {
      const std::uint32_t length = fields.unsigned_integer("length", 5);
      if (length == 0) fields.wrong("length", "more than 0");
      return push<FixedLengthSplitter>(fields, length);
    }
    return fields.unknown_type();
  }

 private:
  template <class Step, class... Arguments>
  Result<void> push(Fields& fields, Arguments&&... arguments) {
    if (!fields.ok()) return fields.failure();
    plan_.steps.push_back(std::make_unique<Step>(std::forward<Arguments>(arguments)...));
    return {};
  }

  Result<void> add_byte_level(Fields& fields, bool last) {
    const bool prefix = fields.boolean("add_prefix_space", true);
    const bool use_regex = fields.boolean("use_regex", true);
    if (prefix) DYN_CHECK(push<ByteLevelRewriter>(fields, true, false));
    if (use_regex) DYN_CHECK(push<ScanSplitter>(fields, find_scanner(kGpt2Pattern)));
    if (last && model_takes_bytes_) {
      plan_.byte_level = true;
      if (!fields.ok()) return fields.failure();
      return {};
    }
    return push<ByteLevelRewriter>(fields, false, true);
  }

  Result<void> add_split(Fields& fields) {
    const SplitBehavior behavior = read_behavior(fields, std::nullopt);
    const bool invert = fields.boolean("invert", false);
    DYN_TRY(Pattern pattern, read_pattern(fields, kPart));
    if (!pattern.regex)
      return push<LiteralSplitter>(fields, std::move(pattern.literal), behavior, invert);
    if (const auto scan = find_scanner(pattern.source)) {
      // Scanners yield matches and gaps alike, each as a piece; where the pattern covers all text,
      // dropping the gaps is the same.
      const bool covers = scanner_covers(pattern.source);
      if ((behavior == SplitBehavior::isolated) ||
          (behavior == SplitBehavior::removed && invert && covers)) {
        return push<ScanSplitter>(fields, scan);
      }
    }
    return push<RegexSplitter>(fields, *std::move(pattern.regex), behavior, invert,
                               options_.regex_step_limit);
  }

  Result<void> add_metaspace(Fields& fields) {
    std::string replacement = fields.string("replacement", "\u2581");
    const std::string scheme = fields.string("prepend_scheme", "always");
    Metaspace::Prepend prepend = Metaspace::Prepend::always;
    if (scheme == "first") {
      prepend = Metaspace::Prepend::first;
    } else if (scheme == "never" || !fields.boolean("add_prefix_space", true)) {
      prepend = Metaspace::Prepend::never;
    } else if (scheme != "always") {
      fields.wrong("prepend_scheme", "always, first or never");
    }
    const bool split = fields.boolean("split", true);
    return push<Metaspace>(fields, std::move(replacement), prepend, split);
  }

  PreTokenizerPlan& plan_;
  bool model_takes_bytes_;
  const LoadOptions& options_;
};

}  // namespace

Result<PreTokenizerPlan> make_pre_tokenizer(const Json& json, bool model_takes_bytes,
                                            const LoadOptions& options) {
  PreTokenizerPlan plan;
  if (!json.is_null()) DYN_CHECK(Builder(plan, model_takes_bytes, options).add(json, true, 0));
  return plan;
}

}  // namespace dynamo::tokenizer::detail
