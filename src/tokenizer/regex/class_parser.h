// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "tokenizer/regex/char_set.h"

namespace dynamo::tokenizer::regex {

/// What a parser of a pattern stands on: the text, the place, and the first error.
struct PatternCursor {
  std::string_view pattern;
  std::size_t at = 0;
  std::string error;
  std::size_t error_at = 0;

  bool done() const noexcept { return at >= pattern.size(); }
  char peek() const noexcept { return done() ? '\0' : pattern[at]; }
  bool accept(char c) noexcept {
    if (done() || pattern[at] != c) return false;
    ++at;
    return true;
  }
  bool accept(std::string_view text) noexcept {
    if (!pattern.substr(at).starts_with(text)) return false;
    at += text.size();
    return true;
  }
  bool fail(std::string message) {
    if (error.empty()) {
      error = std::move(message);
      error_at = at;
    }
    return false;
  }
  /// The next character; the pattern is well-formed UTF-8.
  char32_t next() noexcept;
};

/// The set of a class escape such as \s, \P{Lu} or \h; `at` is behind the backslash. None when the
/// escape is something else (nothing is consumed) or wrong (error is set).
std::optional<CharSet> parse_class_escape(PatternCursor& cursor);

/// The character of an escape such as \n, \x41 or \u{..}; `at` is behind the backslash.
std::optional<char32_t> parse_character_escape(PatternCursor& cursor);

/// A bracketed class; `at` is behind the '['.
std::optional<CharSet> parse_bracket(PatternCursor& cursor, bool fold_case, int depth);

/// The set of a property name as in \p{name} or [:name:].
std::optional<CharSet> property_set(std::string_view name);

}  // namespace dynamo::tokenizer::regex
