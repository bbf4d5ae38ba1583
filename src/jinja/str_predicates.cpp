// SPDX-License-Identifier: Apache-2.0
#include "jinja/str_predicates.h"

#include "jinja/builtin.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {

bool is_lower_text(std::string_view text) noexcept {
  bool cased = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_char(text, at);
    if (is_upper(c) || is_title(c)) return false;
    cased = cased || is_lower(c);
  }
  return cased;
}

bool is_upper_text(std::string_view text) noexcept {
  bool cased = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_char(text, at);
    if (is_lower(c) || is_title(c)) return false;
    cased = cased || is_upper(c);
  }
  return cased;
}

namespace {

/// True for a text that is not empty and whose characters all satisfy the predicate.
template <bool (*predicate)(char32_t)>
Value all(Interpreter&, const Value* a) {
  const std::string_view text = a[0].str();
  for (std::size_t at = 0; at < text.size();) {
    if (!predicate(next_char(text, at))) return make_bool(false);
  }
  return make_bool(!text.empty());
}

bool space_char(char32_t c) {
  return is_space(c);
}
bool alpha_char(char32_t c) {
  return is_alpha(c);
}
bool alnum_char(char32_t c) {
  return is_alnum(c);
}
bool decimal_char(char32_t c) {
  return is_decimal(c);
}
bool digit_char(char32_t c) {
  return is_digit(c);
}
bool numeric_char(char32_t c) {
  return is_numeric(c);
}

Value printable(Interpreter&, const Value* a) {
  const std::string_view text = a[0].str();
  for (std::size_t at = 0; at < text.size();) {
    if (!is_printable(next_char(text, at))) return make_bool(false);
  }
  return make_bool(true);
}

Value ascii(Interpreter&, const Value* a) {
  return make_bool(is_ascii(a[0].str()));
}
Value lower(Interpreter&, const Value* a) {
  return make_bool(is_lower_text(a[0].str()));
}
Value upper(Interpreter&, const Value* a) {
  return make_bool(is_upper_text(a[0].str()));
}

Value title(Interpreter&, const Value* a) {
  bool cased = false;
  bool previous = false;
  for (std::size_t at = 0; at < a[0].size;) {
    const char32_t c = next_char(a[0].str(), at);
    if (is_upper(c) || is_title(c)) {
      if (previous) return make_bool(false);
      previous = cased = true;
    } else if (is_lower(c)) {
      if (!previous) return make_bool(false);
      cased = true;
    } else {
      previous = false;
    }
  }
  return make_bool(cased);
}

Value identifier(Interpreter&, const Value* a) {
  const std::string_view text = a[0].str();
  for (std::size_t at = 0; at < text.size();) {
    const bool first = at == 0;
    const char32_t c = next_char(text, at);
    if (!(first ? is_identifier_start(c) : is_identifier_part(c))) return make_bool(false);
  }
  return make_bool(!text.empty());
}

constexpr Builtin kPredicates[] = {
    {.name = "isspace", .bound = all<space_char>},
    {.name = "isalpha", .bound = all<alpha_char>},
    {.name = "isalnum", .bound = all<alnum_char>},
    {.name = "isdecimal", .bound = all<decimal_char>},
    {.name = "isdigit", .bound = all<digit_char>},
    {.name = "isnumeric", .bound = all<numeric_char>},
    {.name = "isprintable", .bound = printable},
    {.name = "isascii", .bound = ascii},
    {.name = "islower", .bound = lower},
    {.name = "isupper", .bound = upper},
    {.name = "istitle", .bound = title},
    {.name = "isidentifier", .bound = identifier},
};

}  // namespace

std::span<const Builtin> str_predicates() noexcept {
  return kPredicates;
}

}  // namespace dynamo::jinja::detail
