// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

/// White space as Unicode has it (property White_Space), because the reference trims by it:
/// U+0085, U+00A0, U+3000 and the rest count, not only ASCII.
namespace dynamo::parsers::detail {

/// Bytes of the white-space character at the start of `text`, 0 when there is none.
std::size_t leading_space(std::string_view text) noexcept;
/// Bytes of the white-space character at the end of `text`, 0 when there is none.
std::size_t trailing_space(std::string_view text) noexcept;
/// Whether `text` is a proper, non-empty prefix of a multi-byte white-space character.
bool may_become_space(std::string_view text) noexcept;

std::string_view trim_left(std::string_view text) noexcept;
std::string_view trim_right(std::string_view text) noexcept;
std::string_view trim(std::string_view text) noexcept;
bool is_blank(std::string_view text) noexcept;

/// White space in front of an output that is waited through before its first character decides
/// something; more than any model writes, and it bounds the work.
inline constexpr std::size_t kLeadingSpaceLimit = 4096;

inline bool is_json_space(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace dynamo::parsers::detail
