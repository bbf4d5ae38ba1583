// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace dynamo::tokenizer::unicode {

/// Whether all bytes are ASCII.
bool is_ascii(std::string_view text) noexcept;
/// Whether the text is well-formed UTF-8, at the speed of memory.
bool is_utf8(std::string_view text) noexcept;

}  // namespace dynamo::tokenizer::unicode
