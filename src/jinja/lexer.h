// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/value.h"

namespace dynamo::jinja::detail {

enum class TokenKind : std::uint8_t {
  data,
  variable_begin,
  variable_end,
  block_begin,
  block_end,
  name,
  string,
  number,  ///< integer or float
  add,
  subtract,
  divide,
  floor_divide,
  multiply,
  modulo,
  power,
  tilde,
  left_bracket,
  right_bracket,
  left_paren,
  right_paren,
  left_brace,
  right_brace,
  eq,
  ne,
  gt,
  ge,
  lt,
  le,
  assign,
  dot,
  colon,
  pipe,
  comma,
  semicolon,
  eof,
};

struct Token {
  TokenKind kind;
  std::uint32_t line;
  std::uint32_t begin, end;  ///< bytes of the source
  std::string_view text;     ///< data and string: the value; name: the name
  Value number;
};

/// As it appears in messages: "'endfor'", "end of statement block", …
std::string describe(const Token& token);
std::string_view describe(TokenKind kind) noexcept;

/// Line ends become \n and one final newline is dropped. The result lives in the arena unless the
/// source already has that form.
std::string_view normalize_source(Arena& arena, std::string_view source);

/// The tokens of a normalized source, the last one of kind eof. Whitespace control (`-`, `+`,
/// trim_blocks, lstrip_blocks) is resolved here: what is left as data is printed as it is.
/// Throws a Failure of kind syntax.
std::vector<Token> tokenize(Arena& arena, std::string_view source);

}  // namespace dynamo::jinja::detail
