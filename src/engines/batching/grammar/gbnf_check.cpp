// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/grammar/gbnf_check.h"

#include <dynamo/base/utf8.h>

#include <algorithm>
#include <set>
#include <string>

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

class Checker {
 public:
  explicit Checker(std::string_view text) : text_(text) {}

  Result<void> check() {
    if (text_.size() > kGrammarBytesMax) {
      return fail(Errc::invalid_argument,
                  "the grammar has more than " + std::to_string(kGrammarBytesMax) + " bytes");
    }
    if (!base::is_valid_utf8(text_))
      return fail(Errc::invalid_argument, "the grammar is not UTF-8");
    if (text_.find('\0') != std::string_view::npos) return wrong("a NUL character");
    skip_space(true);
    while (!done()) DYN_CHECK(rule());
    if (!defined_.contains("root")) return wrong("no rule named root");
    for (const std::string& name : used_) {
      if (!defined_.contains(name)) {
        return fail(Errc::invalid_argument, "the grammar uses a rule it does not define: " + name);
      }
    }
    return {};
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

  Result<void> rule() {
    DYN_TRY(std::string defined, name());
    defined_.insert(std::move(defined));
    if (defined_.size() > kGrammarRulesMax) return wrong("too many rules");
    skip_space(false);
    if (!take("::=")) return wrong("expected ::=");
    skip_space(true);
    DYN_CHECK(alternatives(0));
    if (!done() && peek() != '\n' && peek() != '\r') return wrong("expected the end of the line");
    skip_space(true);
    return {};
  }

  Result<void> alternatives(std::size_t depth) {
    if (depth > kNestingMax) return wrong("groups are nested too deeply");
    DYN_CHECK(sequence(depth));
    while (take("|")) {
      skip_space(true);
      DYN_CHECK(sequence(depth));
    }
    return {};
  }

  Result<void> sequence(std::size_t depth) {
    bool repeatable = false;
    for (;;) {
      const char c = peek();
      if (done()) return {};
      if (c == '"') {
        DYN_CHECK(literal());
      } else if (c == '[') {
        DYN_CHECK(char_class());
      } else if (c == '(') {
        ++at_;
        skip_space(true);
        DYN_CHECK(alternatives(depth + 1));
        if (!take(")")) return wrong("expected )");
      } else if (c == '.') {
        ++at_;
      } else if (is_word(c)) {
        DYN_TRY(std::string used, name());
        used_.insert(std::move(used));
      } else if (c == '*' || c == '+' || c == '?' || c == '{') {
        if (!repeatable) return wrong("nothing to repeat");
        DYN_CHECK(repetition());
      } else if (c == '<' || c == '!') {
        return fail(Errc::unimplemented, "the grammar refers to a token, which is not supported");
      } else {
        return {};
      }
      repeatable = true;
      skip_space(depth > 0);
    }
  }

  Result<void> repetition() {
    if (peek() != '{') {
      ++at_;
      return {};
    }
    ++at_;
    skip_space(false);
    DYN_CHECK(count());
    skip_space(false);
    if (take(",")) {
      skip_space(false);
      if (is_digit(peek())) DYN_CHECK(count());
      skip_space(false);
    }
    if (!take("}")) return wrong("expected }");
    return {};
  }
  Result<void> count() {
    if (!is_digit(peek())) return wrong("expected a number");
    std::size_t value = 0;
    while (is_digit(peek())) {
      value = value * 10 + static_cast<std::size_t>(text_[at_++] - '0');
      if (value > kRepetitionsMax) return wrong("too many repetitions");
    }
    return {};
  }

  Result<void> character() {
    if (peek() != '\\') {
      ++at_;
      return {};
    }
    ++at_;
    const char c = peek();
    const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0 && std::string_view("trn\\\"[]-").find(c) == std::string_view::npos) {
      return wrong("an unknown escape");
    }
    ++at_;
    for (int i = 0; i < digits; ++i, ++at_) {
      if (!is_hex(peek())) return wrong("expected a hexadecimal digit");
    }
    return {};
  }
  Result<void> literal() {
    ++at_;
    while (peek() != '"') {
      if (done()) return wrong("a string without its end");
      DYN_CHECK(character());
    }
    ++at_;
    return {};
  }
  Result<void> char_class() {
    ++at_;
    take("^");
    while (peek() != ']') {
      if (done()) return wrong("a class without its end");
      DYN_CHECK(character());
    }
    ++at_;
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::set<std::string> defined_;
  std::set<std::string> used_;
};

}  // namespace

Result<void> check_gbnf(std::string_view text) {
  return Checker(text).check();
}

}  // namespace dynamo::engines::batching::grammar
