// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dynamo::parsers::detail {

/// Follows a Python expression up to the `,` or closing bracket that ends it, through text that
/// comes in pieces: strings (all quotes and prefixes), brackets and escapes are understood, the
/// rest is not looked at.
class PythonExpressionScanner {
 public:
  enum class Status : unsigned char { more, done, invalid };
  void reset() noexcept { *this = PythonExpressionScanner(); }
  /// Consumes up to the byte that ends the expression (not included).
  Status feed(std::string_view text, std::size_t& consumed) noexcept;

 private:
  enum class Mode : unsigned char { code, quote, string, escape };
  static constexpr std::size_t kDepthLimit = 64;
  Mode mode_ = Mode::code;
  char quote_ = 0;
  bool triple_ = false;
  unsigned char quotes_ = 0;  // in a row: at the start, or towards the end
  char stack_[kDepthLimit] = {};
  std::size_t depth_ = 0;
};

/// The JSON text of a Python literal: True, False, None, numbers (signed), strings, lists, tuples,
/// dictionaries. JSON's own words are taken too. False when the text is no literal.
/// Integers beyond 64 bits become strings when `big_integers_as_strings`, as pythonic has it;
/// otherwise their digits are kept. Source: Python language reference, section 2.4 and 6.2.
bool python_literal_to_json(std::string_view text, bool big_integers_as_strings, std::string& json);

}  // namespace dynamo::parsers::detail
