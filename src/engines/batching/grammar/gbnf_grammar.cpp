// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/grammar/gbnf_grammar.h"

#include <dynamo/base/utf8.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "engines/batching/grammar/gbnf_rules.h"

namespace dynamo::engines::batching::grammar {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// Symbols of a whole grammar, its repetitions spelled out.
constexpr std::size_t kSymbolsMax = 1'000'000;

using Kind = GbnfGrammar::Symbol::Kind;
using Sequence = std::vector<GbnfGrammar::Symbol>;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<GbnfGrammar> parse() {
    if (text_.size() > kGrammarBytesMax) {
      return fail(Errc::invalid_argument,
                  "the grammar has more than " + std::to_string(kGrammarBytesMax) + " bytes");
    }
    if (!base::is_valid_utf8(text_))
      return fail(Errc::invalid_argument, "the grammar is not UTF-8");
    if (text_.find('\0') != std::string_view::npos) return wrong("a NUL character");
    skip_space(true);
    while (!done()) DYN_CHECK(rule());
    const auto root = names_.find("root");
    if (root == names_.end() || !defined_[root->second]) return wrong("no rule named root");
    for (const auto& [name, number] : names_) {
      if (!defined_[number]) {
        return fail(Errc::invalid_argument, "the grammar uses a rule it does not define: " + name);
      }
    }
    grammar_.root = root->second;
    if (!rules_of(true)[grammar_.root])
      return fail(Errc::invalid_argument,
                  "the grammar has no text: its rules never come to an end");
    const std::vector<bool> nullable = rules_of(false);
    for (std::size_t i = 0; i < grammar_.rules.size(); ++i)
      grammar_.rules[i].nullable = nullable[i];
    return std::move(grammar_);
  }

 private:
  std::unexpected<Error> wrong(std::string_view what) const {
    const std::string_view before = text_.substr(0, at_);
    const auto line = 1 + std::ranges::count(before, '\n');
    const std::size_t start = before.rfind('\n');
    const std::size_t column = start == std::string_view::npos ? at_ + 1 : at_ - start;
    return fail(Errc::invalid_argument, "grammar, line " + std::to_string(line) + ", column " +
                                            std::to_string(column) + ": " + std::string(what));
  }
  bool done() const { return at_ >= text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }
  bool take(std::string_view what) {
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  void skip_space(bool lines) {
    for (;;) {
      const char c = peek();
      if (c == '#') {
        while (!done() && peek() != '\n' && peek() != '\r') ++at_;
      } else if (!done() && (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r')))) {
        ++at_;
      } else {
        return;
      }
    }
  }
  Result<std::string> name() {
    const std::size_t start = at_;
    while (is_word(peek())) ++at_;
    if (at_ == start) return wrong("expected the name of a rule");
    return std::string(text_.substr(start, at_ - start));
  }

  std::uint32_t new_rule() {
    grammar_.rules.emplace_back();
    defined_.push_back(false);
    return static_cast<std::uint32_t>(grammar_.rules.size() - 1);
  }
  std::uint32_t named_rule(const std::string& name) {
    const auto found = names_.find(name);
    if (found != names_.end()) return found->second;
    return names_.emplace(name, new_rule()).first->second;
  }
  void add_alternative(std::uint32_t rule, const Sequence& sequence) {
    grammar_.rules[rule].alternatives.push_back(
        static_cast<std::uint32_t>(grammar_.symbols.size()));
    grammar_.symbols.insert(grammar_.symbols.end(), sequence.begin(), sequence.end());
    grammar_.symbols.push_back({Kind::end, rule});
  }
  std::uint32_t set_of(CharSet set) {
    constexpr std::size_t kLooksBack = 16;
    const std::size_t count = grammar_.sets.size();
    for (std::size_t i = count - std::min(count, kLooksBack); i < count; ++i) {
      if (grammar_.sets[i] == set) return static_cast<std::uint32_t>(i);
    }
    grammar_.sets.push_back(std::move(set));
    return static_cast<std::uint32_t>(grammar_.sets.size() - 1);
  }

  Result<void> rule() {
    DYN_TRY(const std::string defined, name());
    const std::uint32_t number = named_rule(defined);
    if (names_.size() > kGrammarRulesMax) return wrong("too many rules");
    defined_[number] = true;
    grammar_.rules[number].alternatives.clear();  // of two definitions the last counts
    skip_space(false);
    if (!take("::=")) return wrong("expected ::=");
    skip_space(true);
    DYN_CHECK(alternatives(number, 0));
    if (!done() && peek() != '\n' && peek() != '\r') return wrong("expected the end of the line");
    skip_space(true);
    return {};
  }

  Result<void> alternatives(std::uint32_t rule, std::size_t depth) {
    if (depth > kNestingMax) return wrong("groups are nested too deeply");
    do {
      if (depth + grammar_.rules[rule].alternatives.size() > 0) skip_space(true);
      DYN_TRY(const Sequence one, sequence(depth));
      add_alternative(rule, one);
    } while (take("|"));
    return {};
  }

  Result<Sequence> sequence(std::size_t depth) {
    Sequence out;
    std::optional<std::size_t> last;  // where what can be repeated begins
    for (;;) {
      const char c = peek();
      if (done()) return out;
      if (grammar_.symbols.size() + out.size() > kSymbolsMax)
        return wrong("the grammar is too large with its repetitions spelled out");
      const std::size_t before = out.size();
      if (c == '"') {
        DYN_CHECK(literal(out));
      } else if (c == '[') {
        DYN_CHECK(char_class(out));
      } else if (c == '(') {
        ++at_;
        skip_space(true);
        const std::uint32_t group = new_rule();
        defined_[group] = true;
        DYN_CHECK(alternatives(group, depth + 1));
        if (!take(")")) return wrong("expected )");
        out.push_back({Kind::rule, group});
      } else if (c == '.') {
        ++at_;
        out.push_back({Kind::set, set_of(CharSet::all())});
      } else if (is_word(c)) {
        DYN_TRY(const std::string used, name());
        out.push_back({Kind::rule, named_rule(used)});
      } else if (c == '*' || c == '+' || c == '?' || c == '{') {
        if (!last) return wrong("nothing to repeat");
        DYN_CHECK(repetition(out, *last));
        skip_space(depth > 0);
        continue;
      } else if (c == '<' || c == '!') {
        return fail(Errc::unimplemented, "the grammar refers to a token, which is not supported");
      } else {
        return out;
      }
      last = before;
      skip_space(depth > 0);
    }
  }

  Result<void> repetition(Sequence& out, std::size_t begin) {
    constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max();
    std::size_t least = 0;
    std::size_t most = kUnbounded;
    const char kind = text_[at_++];
    if (kind == '+') least = 1;
    if (kind == '?') most = 1;
    if (kind == '{') {
      skip_space(false);
      DYN_TRY(least, count());
      most = least;
      skip_space(false);
      if (take(",")) {
        most = kUnbounded;
        skip_space(false);
        if (is_digit(peek())) {
          DYN_TRY(most, count());
        }
        skip_space(false);
      }
      if (!take("}")) return wrong("expected }");
      if (most < least) return wrong("a repetition whose end is before its begin");
    }
    repeat(out, begin, least, most == kUnbounded ? std::nullopt : std::optional(most));
    return {};
  }
  /// Replaces what begins at `begin` by its repetition. Each time more costs a constant number of
  /// symbols, however long it is that is repeated.
  void repeat(Sequence& out, std::size_t begin, std::size_t least,
              std::optional<std::size_t> most) {
    Sequence what(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end());
    out.resize(begin);
    if (most == 0U || what.empty()) return;
    if (what.size() > 1) {
      const std::uint32_t one = new_defined_rule();
      add_alternative(one, what);
      what = {{Kind::rule, one}};
    }
    const GbnfGrammar::Symbol one = what.front();
    out.insert(out.end(), least, one);
    if (!most) {  // any ::= | any one
      const std::uint32_t any = new_defined_rule();
      add_alternative(any, {});
      add_alternative(any, {{Kind::rule, any}, one});
      out.push_back({Kind::rule, any});
    } else if (*most > least) {  // up_to_n ::= | one up_to_n-1
      std::optional<std::uint32_t> shorter;
      for (std::size_t i = least; i < *most; ++i) {
        const std::uint32_t up_to = new_defined_rule();
        add_alternative(up_to, {});
        Sequence longer{one};
        if (shorter) longer.push_back({Kind::rule, *shorter});
        add_alternative(up_to, longer);
        shorter = up_to;
      }
      out.push_back({Kind::rule, *shorter});
    }
  }
  std::uint32_t new_defined_rule() {
    const std::uint32_t rule = new_rule();
    defined_[rule] = true;
    return rule;
  }

  Result<std::size_t> count() {
    if (!is_digit(peek())) return wrong("expected a number");
    std::size_t value = 0;
    while (is_digit(peek())) {
      value = value * 10 + static_cast<std::size_t>(text_[at_++] - '0');
      if (value > kRepetitionsMax) return wrong("too many repetitions");
    }
    return value;
  }

  Result<char32_t> character() {
    if (peek() != '\\') {
      const base::Utf8Char next = base::decode_utf8(text_.substr(at_));
      at_ += next.length_bytes;
      return next.scalar;
    }
    ++at_;
    const char c = peek();
    const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0 && std::string_view("trn\\\"[]-").find(c) == std::string_view::npos) {
      return wrong("an unknown escape");
    }
    ++at_;
    if (digits == 0)
      return static_cast<char32_t>(c == 't' ? '\t' : c == 'r' ? '\r' : c == 'n' ? '\n' : c);
    std::uint32_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      if (!is_hex(peek())) return wrong("expected a hexadecimal digit");
      const char digit = peek();
      value = value * 16 +
              static_cast<std::uint32_t>(is_digit(digit) ? digit - '0' : (digit | 0x20) - 'a' + 10);
    }
    if (value > CharSet::kMax) return wrong("a code point beyond U+10FFFF");
    return static_cast<char32_t>(value);
  }
  Result<void> literal(Sequence& out) {
    ++at_;
    while (peek() != '"') {
      if (done()) return wrong("a string without its end");
      DYN_TRY(const char32_t c, character());
      out.push_back({Kind::set, set_of({{c, c}})});
    }
    ++at_;
    return {};
  }
  Result<void> char_class(Sequence& out) {
    ++at_;
    const bool negated = take("^");
    std::vector<CharSet::Range> ranges;
    while (peek() != ']') {
      if (done()) return wrong("a class without its end");
      DYN_TRY(const char32_t first, character());
      char32_t last = first;
      if (peek() == '-' && text_.substr(at_).size() > 1 && text_[at_ + 1] != ']') {
        ++at_;
        DYN_TRY(last, character());
      }
      if (last < first) return wrong("a range whose end is before its begin");
      ranges.push_back({first, last});
    }
    ++at_;
    CharSet set = CharSet::from(std::move(ranges));
    out.push_back({Kind::set, set_of(negated ? set.complement() : std::move(set))});
    return {};
  }

  /// Rules one alternative of which needs nothing but such rules, and, where `sets_too`,
  /// characters: those with any text at all, or those with the empty one.
  std::vector<bool> rules_of(bool sets_too) const {
    struct Alternative {
      std::uint32_t rule;
      std::uint32_t missing = 0;
    };
    std::vector<Alternative> alternatives;
    std::vector<std::vector<std::uint32_t>> uses(grammar_.rules.size());
    std::vector<bool> out(grammar_.rules.size());
    std::vector<std::uint32_t> found;
    const auto note = [&](std::uint32_t rule) {
      if (out[rule]) return;
      out[rule] = true;
      found.push_back(rule);
    };
    for (std::uint32_t rule = 0; rule < grammar_.rules.size(); ++rule) {
      for (std::uint32_t at : grammar_.rules[rule].alternatives) {
        const auto number = static_cast<std::uint32_t>(alternatives.size());
        Alternative one{.rule = rule};
        for (; grammar_.symbols[at].kind != Kind::end; ++at) {
          const GbnfGrammar::Symbol symbol = grammar_.symbols[at];
          if (symbol.kind == Kind::rule) {
            ++one.missing;
            uses[symbol.value].push_back(number);
          } else if (!sets_too || grammar_.sets[symbol.value].empty()) {
            ++one.missing;  // forever
          }
        }
        alternatives.push_back(one);
        if (one.missing == 0) note(rule);
      }
    }
    while (!found.empty()) {
      const std::uint32_t rule = found.back();
      found.pop_back();
      for (const std::uint32_t use : uses[rule]) {
        if (--alternatives[use].missing == 0) note(alternatives[use].rule);
      }
    }
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  GbnfGrammar grammar_;
  std::map<std::string, std::uint32_t> names_;
  std::vector<bool> defined_;  // by rule
};

}  // namespace

Result<GbnfGrammar> parse_gbnf(std::string_view text) {
  return Parser(text).parse();
}

}  // namespace dynamo::engines::batching::grammar
