// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "tokenizer/split/pre_tokenizer.h"

namespace dynamo::tokenizer::detail {

/// The hand-written scanner that cuts text exactly as the matches and gaps of this regular
/// expression do, or null. Chosen by the exact text of the pattern; each is tested against the
/// regex engine on random text.
ScanSplitter::Scan find_scanner(std::string_view pattern);

/// Whether the matches of a pattern that has a scanner cover all text.
bool scanner_covers(std::string_view pattern);

/// The pattern of ByteLevel's own splitting (GPT-2).
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
/// The pattern of Kimi and other tiktoken files.
inline constexpr std::string_view kKimiPattern =
    R"([\p{Han}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// All patterns with a scanner, for tests.
std::span<const std::string_view> scanned_patterns();

/// Every numeric character alone, as the Digits pre-tokenizer's individual_digits.
void scan_single_digits(std::string_view text, Range piece, RangeList& out);

}  // namespace dynamo::tokenizer::detail
