// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/load/pattern.h"

namespace dynamo::tokenizer::detail {

Result<Pattern> read_pattern(Fields& fields, std::string_view part) {
  Pattern out;
  const Json* pattern = fields.member("pattern");
  const Json* literal = pattern != nullptr ? pattern->find("String") : nullptr;
  const Json* source = pattern != nullptr ? pattern->find("Regex") : nullptr;
  if (literal != nullptr && literal->is_string()) {
    out.literal = *literal->if_string();
  } else if (source != nullptr && source->is_string()) {
    out.source = *source->if_string();
    auto made = regex::Regex::make(out.source);
    if (!made) return std::unexpected(std::move(made.error()).with(part));
    out.regex = *std::move(made);
  } else {
    fields.wrong("pattern", "{\"String\": text} or {\"Regex\": text}");
  }
  return fields.result(std::move(out));
}

}  // namespace dynamo::tokenizer::detail
