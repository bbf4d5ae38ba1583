// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Unicode normalization forms, with the character data of the version that Hugging Face uses.
namespace dynamo::tokenizer::unicode {

enum class NormalizationForm : std::uint8_t { nfc, nfd, nfkc, nfkd };

/// Length of a prefix that normalization leaves as it is; the whole length for most text.
std::size_t normalized_prefix(NormalizationForm form, std::string_view text) noexcept;

/// Appends the normalized text. `text` is well-formed UTF-8.
void normalize(NormalizationForm form, std::string_view text, std::string& out);

}  // namespace dynamo::tokenizer::unicode
