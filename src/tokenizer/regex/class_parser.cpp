// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/regex/class_parser.h"

#include <array>
#include <charconv>
#include <utility>

#include "tokenizer/unicode/utf8_iteration.h"

namespace dynamo::tokenizer::regex {
namespace {

using unicode::Category;
using unicode::mask;

constexpr int kClassDepthLimit = 32;

struct NamedMask {
  std::string_view name;
  unicode::CategoryMask categories;
};
/// General categories and groups of them by all their names, in canonical spelling.
constexpr auto kNamedMasks = std::to_array<NamedMask>({
    {"l", unicode::kLetter},
    {"letter", unicode::kLetter},
    {"lu", mask(Category::Lu)},
    {"uppercaseletter", mask(Category::Lu)},
    {"ll", mask(Category::Ll)},
    {"lowercaseletter", mask(Category::Ll)},
    {"lt", mask(Category::Lt)},
    {"titlecaseletter", mask(Category::Lt)},
    {"lc", mask(Category::Lu, Category::Ll, Category::Lt)},
    {"casedletter", mask(Category::Lu, Category::Ll, Category::Lt)},
    {"lm", mask(Category::Lm)},
    {"modifierletter", mask(Category::Lm)},
    {"lo", mask(Category::Lo)},
    {"otherletter", mask(Category::Lo)},
    {"m", unicode::kMark},
    {"mark", unicode::kMark},
    {"combiningmark", unicode::kMark},
    {"mn", mask(Category::Mn)},
    {"nonspacingmark", mask(Category::Mn)},
    {"mc", mask(Category::Mc)},
    {"spacingmark", mask(Category::Mc)},
    {"me", mask(Category::Me)},
    {"enclosingmark", mask(Category::Me)},
    {"n", unicode::kNumber},
    {"number", unicode::kNumber},
    {"nd", mask(Category::Nd)},
    {"decimalnumber", mask(Category::Nd)},
    {"digit", mask(Category::Nd)},
    {"nl", mask(Category::Nl)},
    {"letternumber", mask(Category::Nl)},
    {"no", mask(Category::No)},
    {"othernumber", mask(Category::No)},
    {"p", unicode::kPunctuation},
    {"punctuation", unicode::kPunctuation},
    {"pc", mask(Category::Pc)},
    {"connectorpunctuation", mask(Category::Pc)},
    {"pd", mask(Category::Pd)},
    {"dashpunctuation", mask(Category::Pd)},
    {"ps", mask(Category::Ps)},
    {"openpunctuation", mask(Category::Ps)},
    {"pe", mask(Category::Pe)},
    {"closepunctuation", mask(Category::Pe)},
    {"pi", mask(Category::Pi)},
    {"initialpunctuation", mask(Category::Pi)},
    {"pf", mask(Category::Pf)},
    {"finalpunctuation", mask(Category::Pf)},
    {"po", mask(Category::Po)},
    {"otherpunctuation", mask(Category::Po)},
    {"s", unicode::kSymbol},
    {"symbol", unicode::kSymbol},
    {"sm", mask(Category::Sm)},
    {"mathsymbol", mask(Category::Sm)},
    {"sc", mask(Category::Sc)},
    {"currencysymbol", mask(Category::Sc)},
    {"sk", mask(Category::Sk)},
    {"modifiersymbol", mask(Category::Sk)},
    {"so", mask(Category::So)},
    {"othersymbol", mask(Category::So)},
    {"z", unicode::kSeparator},
    {"separator", unicode::kSeparator},
    {"zs", mask(Category::Zs)},
    {"spaceseparator", mask(Category::Zs)},
    {"zl", mask(Category::Zl)},
    {"lineseparator", mask(Category::Zl)},
    {"zp", mask(Category::Zp)},
    {"paragraphseparator", mask(Category::Zp)},
    {"c", unicode::kOther},
    {"other", unicode::kOther},
    {"cc", mask(Category::Cc)},
    {"control", mask(Category::Cc)},
    {"cntrl", mask(Category::Cc)},
    {"cf", mask(Category::Cf)},
    {"format", mask(Category::Cf)},
    {"co", mask(Category::Co)},
    {"privateuse", mask(Category::Co)},
    {"cn", mask(Category::Cn)},
    {"unassigned", mask(Category::Cn)},
    {"cs", mask(Category::Cs)},
    {"surrogate", mask(Category::Cs)},
});

CharSet letters_and(unicode::CategoryMask more) {
  CharSet set = CharSet::flagged(unicode::Flag::alphabetic);
  set |= CharSet::categories(more);
  return set;
}

/// Reads up to `limit` digits of `base`; none when there is no digit or the value is no character.
std::optional<char32_t> parse_digits(PatternCursor& cursor, int base, std::size_t limit) {
  const char* start = cursor.pattern.data() + cursor.at;
  const char* end = start + std::min(limit, cursor.pattern.size() - cursor.at);
  std::uint32_t value = 0;
  const auto [stop, ec] = std::from_chars(start, end, value, base);
  if (ec != std::errc() || value > 0x10FFFF) return std::nullopt;
  cursor.at += static_cast<std::size_t>(stop - start);
  return static_cast<char32_t>(value);
}

}  // namespace

char32_t PatternCursor::next() noexcept {
  const unicode::Scalar s = unicode::scalar_at(pattern, at);
  at += s.length;
  return s.value;
}

std::optional<CharSet> property_set(std::string_view spelled) {
  std::string name;
  for (const char c : spelled) {
    if (c == ' ' || c == '-' || c == '_') continue;
    name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  for (const NamedMask& named : kNamedMasks) {
    if (named.name == name) return CharSet::categories(named.categories);
  }
  if (name == "any") return CharSet::all();
  if (name == "assigned") return CharSet::categories(mask(Category::Cn)).complement();
  if (name == "ascii") return CharSet::range(0, 0x7F);
  if (name == "alpha" || name == "alphabetic") return CharSet::flagged(unicode::Flag::alphabetic);
  if (name == "alnum") return letters_and(mask(Category::Nd));
  if (name == "space" || name == "whitespace") return CharSet::flagged(unicode::Flag::white_space);
  if (name == "word") return word_characters();
  if (name == "upper" || name == "uppercase") {
    CharSet set = CharSet::categories(mask(Category::Lu));
    set |= CharSet::range(0x2160, 0x216F);
    set |= CharSet::range(0x24B6, 0x24CF);
    set |= CharSet::range(0x1F130, 0x1F149);
    set |= CharSet::range(0x1F150, 0x1F169);
    set |= CharSet::range(0x1F170, 0x1F189);
    return set;
  }
  if (name == "punct") {
    CharSet set = CharSet::categories(unicode::kPunctuation);
    for (const char c : std::string_view("$+<=>^`|~")) set |= CharSet::of(static_cast<char32_t>(c));
    return set;
  }
  if (name == "blank") {
    CharSet set = CharSet::categories(mask(Category::Zs));
    set |= CharSet::of('\t');
    return set;
  }
  if (name == "xdigit") {
    CharSet set = CharSet::range('0', '9');
    set |= CharSet::range('a', 'f');
    set |= CharSet::range('A', 'F');
    return set;
  }
  if (name == "graph" || name == "print") {
    CharSet none = CharSet::categories(mask(Category::Cc, Category::Cn, Category::Cs));
    CharSet blank = CharSet::flagged(unicode::Flag::white_space);
    if (name == "print") blank &= CharSet::categories(mask(Category::Zs)).complement();
    none |= blank;
    return none.complement();
  }
  if (const auto script = unicode::script_by_name(name)) return CharSet::script(*script);
  return std::nullopt;
}

std::optional<CharSet> parse_class_escape(PatternCursor& cursor) {
  if (cursor.done()) return std::nullopt;
  const char c = cursor.peek();
  const auto with = [&](CharSet set, bool negative) {
    ++cursor.at;
    return negative ? set.complement() : set;
  };
  switch (c) {
    case 'd':
    case 'D':
      return with(CharSet::categories(mask(Category::Nd)), c == 'D');
    case 's':
    case 'S':
      return with(CharSet::flagged(unicode::Flag::white_space), c == 'S');
    case 'w':
    case 'W':
      return with(word_characters(), c == 'W');
    case 'h':
    case 'H':
      return with(*property_set("xdigit"), c == 'H');
    case 'p':
    case 'P': {
      const std::size_t start = cursor.at;
      ++cursor.at;
      std::string_view name;
      bool negative = c == 'P';
      if (!cursor.accept('{')) {
        cursor.at = start;
        cursor.fail("expected '{' after \\p");
        return std::nullopt;
      }
      const std::size_t close = cursor.pattern.find('}', cursor.at);
      if (close == std::string_view::npos) {
        cursor.fail("\\p{ without '}'");
        return std::nullopt;
      }
      name = cursor.pattern.substr(cursor.at, close - cursor.at);
      if (name.starts_with('^')) {
        negative = !negative;
        name.remove_prefix(1);
      }
      // Both Script=Han and Han are in use.
      for (const std::string_view prefix : {"Script=", "sc=", "General_Category=", "gc="}) {
        if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
      }
      auto set = property_set(name);
      if (!set) {
        cursor.fail("unknown character property '" + std::string(name) + "'");
        return std::nullopt;
      }
      cursor.at = close + 1;
      return negative ? set->complement() : *std::move(set);
    }
    default:
      return std::nullopt;
  }
}

std::optional<char32_t> parse_character_escape(PatternCursor& cursor) {
  if (cursor.done()) {
    cursor.fail("the pattern ends with a backslash");
    return std::nullopt;
  }
  const char c = cursor.peek();
  switch (c) {
    case 't':
      ++cursor.at;
      return U'\t';
    case 'n':
      ++cursor.at;
      return U'\n';
    case 'r':
      ++cursor.at;
      return U'\r';
    case 'f':
      ++cursor.at;
      return U'\f';
    case 'v':
      ++cursor.at;
      return U'\v';
    case 'a':
      ++cursor.at;
      return U'\a';
    case 'e':
      ++cursor.at;
      return U'\x1B';
    case '0': {
      const auto value = parse_digits(cursor, 8, 3);
      if (!value) cursor.fail("wrong octal escape");
      return value;
    }
    case 'u':
    case 'x': {
      ++cursor.at;
      std::optional<char32_t> value;
      if (cursor.accept('{')) {
        value = parse_digits(cursor, 16, 8);
        if (!cursor.accept('}')) value.reset();
      } else {
        value = parse_digits(cursor, 16, c == 'u' ? 4 : 2);
      }
      if (!value) cursor.fail("wrong hexadecimal escape");
      return value;
    }
    default:
      if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '1' && c <= '9')) {
        cursor.fail(std::string("unknown escape \\") + c);
        return std::nullopt;
      }
      return cursor.next();
  }
}

std::optional<CharSet> parse_bracket(PatternCursor& cursor, bool fold_case, int depth) {
  if (depth > kClassDepthLimit) {
    cursor.fail("character classes nested too deeply");
    return std::nullopt;
  }
  const bool negative = cursor.accept('^');
  CharSet total;  // intersection of the operands of && so far
  bool have_total = false;
  CharSet current;  // union of the current operand
  bool first = true;
  const auto close_operand = [&] {
    if (fold_case) current = current.case_closure();
    if (have_total) {
      total &= current;
    } else {
      total = std::move(current);
    }
    have_total = true;
    current = CharSet();
  };
  for (;;) {
    if (cursor.done()) {
      cursor.fail("character class without ']'");
      return std::nullopt;
    }
    if (cursor.peek() == ']' && !first) {
      ++cursor.at;
      break;
    }
    first = false;
    if (cursor.accept("&&")) {
      close_operand();
      continue;
    }
    if (cursor.accept("[:")) {
      const std::size_t close = cursor.pattern.find(":]", cursor.at);
      std::string_view name = close == std::string_view::npos
                                  ? ""
                                  : cursor.pattern.substr(cursor.at, close - cursor.at);
      const bool inverted = name.starts_with('^');
      if (inverted) name.remove_prefix(1);
      const auto set = property_set(name);
      if (!set) {
        cursor.fail("unknown POSIX class");
        return std::nullopt;
      }
      cursor.at = close + 2;
      current |= inverted ? set->complement() : *set;
      continue;
    }
    if (cursor.accept('[')) {
      const auto nested = parse_bracket(cursor, fold_case, depth + 1);
      if (!nested) return std::nullopt;
      current |= *nested;
      continue;
    }
    char32_t low = 0;
    if (cursor.accept('\\')) {
      if (cursor.accept('b')) {
        low = U'\b';
      } else if (auto set = parse_class_escape(cursor)) {
        current |= *set;
        continue;
      } else {
        if (!cursor.error.empty()) return std::nullopt;
        const auto c = parse_character_escape(cursor);
        if (!c) return std::nullopt;
        low = *c;
      }
    } else {
      low = cursor.next();
    }
    // A range, unless the '-' is the last character or belongs to a class escape.
    const std::size_t mark = cursor.at;
    if (cursor.accept('-') && !cursor.done() && cursor.peek() != ']') {
      char32_t high = 0;
      bool is_range = true;
      if (cursor.peek() == '[' || cursor.pattern.substr(cursor.at).starts_with("&&")) {
        is_range = false;
      } else if (cursor.accept('\\')) {
        const std::size_t escape = cursor.at;
        if (parse_class_escape(cursor)) {
          cursor.at = escape;
          is_range = false;
        } else {
          if (!cursor.error.empty()) return std::nullopt;
          const auto c = parse_character_escape(cursor);
          if (!c) return std::nullopt;
          high = *c;
        }
      } else {
        high = cursor.next();
      }
      if (is_range) {
        if (high < low) {
          cursor.fail("empty range in a character class");
          return std::nullopt;
        }
        current |= CharSet::range(low, high);
        continue;
      }
    }
    cursor.at = mark;
    current |= CharSet::of(low);
  }
  close_operand();
  return negative ? total.complement() : total;
}

}  // namespace dynamo::tokenizer::regex
