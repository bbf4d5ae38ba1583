// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "tokenizer/load/components.h"
#include "tokenizer/load/fields.h"
#include "tokenizer/load/pattern.h"

namespace dynamo::tokenizer::detail {
namespace {

constexpr std::string_view kPart = "decoder";
constexpr int kDepthLimit = 16;
using Steps = std::vector<std::unique_ptr<Decoder>>;

Result<void> add(const Json& json, const LoadOptions& options, int depth, Steps& steps) {
  if (depth > kDepthLimit)
    return fail(Errc::invalid_argument, "decoder: sequences nested too deeply");
  Fields fields(json, kPart);
  const std::string_view type = fields.type();
  std::unique_ptr<Decoder> made;
  if (type == "Sequence") {
    const Json* list = fields.array("decoders");
    if (list == nullptr) return fields.failure();
    for (const Json& step : *list->if_array()) DYN_CHECK(add(step, options, depth + 1, steps));
    return {};
  }
  if (type == "ByteLevel") {
    made = std::make_unique<ByteLevelDecoder>();
  } else if (type == "ByteFallback") {
    made = std::make_unique<ByteFallbackDecoder>();
  } else if (type == "Fuse") {
    made = std::make_unique<FuseDecoder>();
  } else if (type == "Strip") {
    std::string content = fields.string("content", " ");
    const std::uint32_t start = fields.unsigned_integer("start", 0);
    const std::uint32_t stop = fields.unsigned_integer("stop", 0);
    made = std::make_unique<StripDecoder>(std::move(content), start, stop);
  } else if (type == "Replace") {
    std::string content = fields.string("content", std::nullopt);
    DYN_TRY(Pattern pattern, read_pattern(fields, kPart));
    if (pattern.regex) {
      made = std::make_unique<ReplaceDecoder>(*std::move(pattern.regex), std::move(content),
                                              options.regex_step_limit);
    } else {
      made = std::make_unique<ReplaceDecoder>(std::move(pattern.literal), std::move(content));
    }
  } else if (type == "Metaspace") {
    std::string replacement = fields.string("replacement", "\u2581");
    const bool never = fields.string("prepend_scheme", "always") == "never" ||
                       !fields.boolean("add_prefix_space", true);
    made = std::make_unique<MetaspaceDecoder>(std::move(replacement), !never);
  } else if (type == "WordPiece") {
    std::string prefix = fields.string("prefix", "##");
    made = std::make_unique<WordPieceDecoder>(std::move(prefix), fields.boolean("cleanup", true));
  } else if (type == "BPEDecoder") {
    made = std::make_unique<BpeSuffixDecoder>(fields.string("suffix", "</w>"));
  } else if (type == "CTC") {
    std::string pad = fields.string("pad_token", "<pad>");
    std::string delimiter = fields.string("word_delimiter_token", "|");
    made = std::make_unique<CtcDecoder>(std::move(pad), std::move(delimiter),
                                        fields.boolean("cleanup", true));
  } else {
    return fields.unknown_type();
  }
  if (!fields.ok()) return fields.failure();
  steps.push_back(std::move(made));
  return {};
}

}  // namespace

Result<std::vector<std::unique_ptr<Decoder>>> make_decoder(const Json& json,
                                                           const LoadOptions& options) {
  Steps steps;
  if (!json.is_null()) DYN_CHECK(add(json, options, 0, steps));
  return steps;
}

}  // namespace dynamo::tokenizer::detail
