// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/grammar/regex_gbnf.h"

#include <dynamo/base/utf8.h>

#include <array>
#include <optional>
#include <utility>

#include "engines/batching/grammar/char_set.h"

namespace dynamo::engines::batching::grammar {
namespace {

const CharSet& digits() {
  static const CharSet set{{'0', '9'}};
  return set;
}
const CharSet& word_characters() {
  static const CharSet set{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
  return set;
}
const CharSet& spaces() {
  static const CharSet set{{'\t', '\r'}, {' ', ' '}};
  return set;
}

/// What a set becomes inside a JSON string: the characters that stand for themselves, or escapes.
std::string inside_json(const CharSet& set, GbnfRules& rules) {
  static const CharSet raw =
      CharSet{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}, {0x7F, 0x7F}}.complement();
  struct Escape {
    char32_t c;
    std::string_view text;
  };
  constexpr std::array kEscapes{Escape{'"', R"("\\\"")"}, Escape{'\\', R"("\\\\")"},
                                Escape{'\n', R"("\\n")"}, Escape{'\t', R"("\\t")"},
                                Escape{'\r', R"("\\r")"}, Escape{'\b', R"("\\b")"},
                                Escape{'\f', R"("\\f")"}};
  std::string out;
  const CharSet plain = set.intersection(raw);
  if (!plain.empty()) out = plain.to_gbnf();
  bool alternatives = false;
  for (const Escape& escape : kEscapes) {
    if (!set.contains(escape.c)) continue;
    alternatives = alternatives || !out.empty();
    out += (out.empty() ? "" : " | ") + std::string(escape.text);
  }
  if (out.empty()) {  // control characters only, DEL among them
    constexpr std::string_view kHex = "0123456789abcdef";
    for (char32_t c = 0; c < 0x80; ++c) {
      if (!set.contains(c)) continue;
      alternatives = alternatives || !out.empty();
      out += (out.empty() ? "" : " | ") + std::string(R"("\\u00)") + kHex[c >> 4] + kHex[c & 0xF] +
             '"';
    }
  }
  return alternatives ? rules.add(std::move(out)) : out;
}

/// A recursive-descent parser that writes the grammar as it reads.
class RegexConverter {
 public:
  RegexConverter(std::string_view pattern, RegexPlace place, GbnfRules& rules)
      : pattern_(pattern), place_(place), rules_(rules) {}

  Result<std::string> convert() {
    DYN_TRY(std::string body, alternatives(0));
    if (at_ < pattern_.size()) return wrong("unmatched ')'");
    return body;
  }

 private:
  std::unexpected<Error> wrong(std::string_view what) const {
    return fail(Errc::invalid_argument, "regular expression: " + std::string(what) +
                                            " at character " + std::to_string(at_));
  }
  std::unexpected<Error> unsupported(std::string_view what) const {
    return fail(Errc::unimplemented, "regular expression: " + std::string(what) + " at character " +
                                         std::to_string(at_) + " is not supported");
  }
  bool done() const { return at_ >= pattern_.size(); }
  char peek() const { return done() ? '\0' : pattern_[at_]; }
  bool take(char c) {
    if (done() || pattern_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view text) {
    if (!pattern_.substr(at_).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }
  std::string emit(const CharSet& set) {
    return place_ == RegexPlace::json_string ? inside_json(set, rules_) : set.to_gbnf();
  }
  std::string anything() { return rules_.add(emit(CharSet::all())) + "*"; }

  Result<std::string> alternatives(std::size_t depth) {
    if (depth > kNestingMax) return wrong("groups are nested too deeply");
    std::string out;
    do {
      DYN_TRY(const std::string branch, sequence(depth));
      out += (out.empty() ? "" : " | ") + branch;
    } while (take('|'));
    return out;
  }

  Result<std::string> sequence(std::size_t depth) {
    std::string out;
    const bool anchored = take('^');
    if (anchored && depth > 0) return unsupported("'^' inside a group");
    const bool open_ends = place_ == RegexPlace::json_string && depth == 0;
    if (open_ends && !anchored) out = anything();
    bool ended = false;
    while (!done() && peek() != '|' && peek() != ')') {
      if (ended) return unsupported("'$' before the end");
      if (take('$')) {
        if (depth > 0) return unsupported("'$' inside a group");
        ended = true;
        continue;
      }
      DYN_TRY(const std::string item, quantified(depth));
      if (item.empty()) continue;
      out += (out.empty() ? "" : " ") + item;
    }
    if (open_ends && !ended) out += (out.empty() ? "" : " ") + anything();
    return out.empty() ? std::string("\"\"") : out;
  }

  Result<std::string> quantified(std::size_t depth) {
    DYN_TRY(std::string item, atom(depth));
    std::size_t min = 1;
    std::ptrdiff_t max = 1;
    if (take('*')) {
      min = 0;
      max = -1;
    } else if (take('+')) {
      max = -1;
    } else if (take('?')) {
      min = 0;
    } else if (peek() == '{') {
      DYN_TRY(const bool counted, count(min, max));
      if (!counted) return item;
    } else {
      return item;
    }
    take('?');  // lazy: the same texts match
    if (peek() == '*' || peek() == '+' || peek() == '?') return wrong("nothing to repeat");
    if (max == 0) return std::string();
    DYN_CHECK(rules_.check_size());
    return repeated(rules_.add(std::move(item)), min, max);
  }

  /// False when the brace is a literal one.
  Result<bool> count(std::size_t& min, std::ptrdiff_t& max) {
    const std::size_t start = at_;
    ++at_;
    const std::optional<std::size_t> low = number();
    std::optional<std::size_t> high = low;
    const bool range = take(',');
    if (range) high = number();
    if ((!low && !(range && high)) || !take('}')) {
      at_ = start;
      return false;
    }
    min = low.value_or(0);
    max = range && !high ? -1 : static_cast<std::ptrdiff_t>(*high);
    if (min > kRepetitionsMax || (max > 0 && static_cast<std::size_t>(max) > kRepetitionsMax)) {
      return wrong("more than " + std::to_string(kRepetitionsMax) + " repetitions");
    }
    if (max >= 0 && static_cast<std::size_t>(max) < min) return wrong("the range is reversed");
    return true;
  }

  std::optional<std::size_t> number() {
    std::size_t value = 0;
    const std::size_t start = at_;
    while (peek() >= '0' && peek() <= '9') {
      if (value <= kRepetitionsMax) value = value * 10 + static_cast<std::size_t>(peek() - '0');
      ++at_;
    }
    return at_ == start ? std::nullopt : std::optional(value);
  }

  Result<std::string> atom(std::size_t depth) {
    switch (peek()) {
      case '(':
        return group(depth);
      case '[': {
        DYN_TRY(const CharSet set, bracket());
        if (set.empty()) return wrong("an empty class");
        return emit(set);
      }
      case '*':
      case '+':
      case '?':
        return wrong("nothing to repeat");
      case '^':
        return unsupported("'^' after the start");
      case '.':
        ++at_;
        return emit(CharSet{{'\n', '\n'}}.complement());
      case '\\': {
        DYN_TRY(const CharSet set, escape());
        return emit(set);
      }
      default: {
        DYN_TRY(const char32_t c, character());
        CharSet set;
        set.add(c);
        return emit(set);
      }
    }
  }

  Result<std::string> group(std::size_t depth) {
    ++at_;
    if (take("?:")) {
    } else if (take("?P<") || (pattern_.substr(at_).starts_with("?<") && peek_at(2) != '=' &&
                               peek_at(2) != '!' && take("?<"))) {
      while (!done() && peek() != '>') ++at_;
      if (!take('>')) return wrong("a group name without '>'");
    } else if (peek() == '?') {
      return unsupported("look-around or a flag");
    }
    DYN_TRY(std::string body, alternatives(depth + 1));
    if (!take(')')) return wrong("a group without ')'");
    DYN_CHECK(rules_.check_size());
    return rules_.add(std::move(body));
  }
  char peek_at(std::size_t offset) const {
    return at_ + offset < pattern_.size() ? pattern_[at_ + offset] : '\0';
  }

  Result<char32_t> character() {
    if (done()) return wrong("expected a character");
    const base::Utf8Char decoded = base::decode_utf8(pattern_.substr(at_));
    if (!decoded.valid) return wrong("text that is not UTF-8");
    at_ += decoded.length_bytes;
    return decoded.scalar;
  }

  Result<char32_t> hex(std::size_t digits_count) {
    char32_t value = 0;
    for (std::size_t i = 0; i < digits_count; ++i, ++at_) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return wrong("expected a hexadecimal digit");
      value = value * 16 + static_cast<char32_t>(digit);
    }
    return value;
  }

  Result<CharSet> escape() {
    ++at_;
    if (done()) return wrong("a backslash at the end");
    const char c = pattern_[at_];
    CharSet out;
    switch (c) {
      case 'd':
        out = digits();
        break;
      case 'D':
        out = digits().complement();
        break;
      case 'w':
        out = word_characters();
        break;
      case 'W':
        out = word_characters().complement();
        break;
      case 's':
        out = spaces();
        break;
      case 'S':
        out = spaces().complement();
        break;
      case 'n':
        out.add('\n');
        break;
      case 't':
        out.add('\t');
        break;
      case 'r':
        out.add('\r');
        break;
      case 'f':
        out.add('\f');
        break;
      case 'v':
        out.add('\v');
        break;
      case 'x': {
        ++at_;
        DYN_TRY(const char32_t value, hex(2));
        out.add(value);
        return out;
      }
      case 'u': {
        ++at_;
        DYN_TRY(const char32_t value, hex(4));
        out.add(value);
        return out;
      }
      default:
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
          return unsupported(std::string("'\\") + c + "'");
        }
        DYN_TRY(const char32_t literal, character());
        out.add(literal);
        return out;
    }
    ++at_;
    return out;
  }

  Result<CharSet> bracket() {
    ++at_;
    const bool inverted = take('^');
    CharSet out;
    bool first = true;
    while (!done() && (peek() != ']' || first)) {
      first = false;
      DYN_TRY(const CharSet low, class_item());
      const bool range = peek() == '-' && peek_at(1) != ']' && peek_at(1) != '\0';
      if (!range) {
        out.add(low);
        continue;
      }
      ++at_;
      DYN_TRY(const CharSet high, class_item());
      const auto single = [](const CharSet& set) {
        return set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].last;
      };
      if (!single(low) || !single(high) || low.ranges()[0].first > high.ranges()[0].first) {
        return wrong("a wrong range in a class");
      }
      out.add(low.ranges()[0].first, high.ranges()[0].first);
    }
    if (!take(']')) return wrong("a class without ']'");
    return inverted ? out.complement() : out;
  }
  Result<CharSet> class_item() {
    if (peek() == '\\') {
      if (peek_at(1) == 'b') {  // a backspace, in a class
        at_ += 2;
        return CharSet{{'\b', '\b'}};
      }
      return escape();
    }
    DYN_TRY(const char32_t c, character());
    return CharSet{{c, c}};
  }

  std::string_view pattern_;
  RegexPlace place_;
  GbnfRules& rules_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::string> regex_to_gbnf(std::string_view pattern, RegexPlace place, GbnfRules& rules) {
  return RegexConverter(pattern, place, rules).convert();
}

}  // namespace dynamo::engines::batching::grammar
