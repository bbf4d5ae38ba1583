// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/regex/syntax.h"

#include <dynamo/base/utf8.h>

#include <charconv>
#include <map>
#include <string>

#include <fmt/core.h>

#include "tokenizer/regex/class_parser.h"

namespace dynamo::tokenizer::regex {
namespace {

constexpr int kGroupDepthLimit = 200;
constexpr std::uint32_t kRepeatLimit = 100'000;  // Oniguruma's own
constexpr std::size_t kPatternBytesLimit = 1 << 20;

std::unique_ptr<Node> make(Node::Kind kind) {
  auto node = std::make_unique<Node>();
  node->kind = kind;
  return node;
}

std::unique_ptr<Node> make_set(CharSet set) {
  auto node = make(Node::Kind::set);
  node->set = std::move(set);
  return node;
}

std::unique_ptr<Node> make_assertion(Assertion assertion) {
  auto node = make(Node::Kind::assertion);
  node->assertion = assertion;
  return node;
}

/// Options that a group may switch.
struct Options {
  bool fold_case = false;
  bool dot_all = false;
  bool extended = false;
};

class Parser {
 public:
  explicit Parser(std::string_view pattern) { cursor_.pattern = pattern; }

  Result<Syntax> run() {
    auto root = parse_alternation(Options{}, 0);
    if (root && !cursor_.done()) cursor_.fail("unmatched ')'");
    if (!root || !cursor_.error.empty()) {
      return fail(Errc::invalid_argument,
                  fmt::format("regular expression, byte {}: {}", cursor_.error_at, cursor_.error));
    }
    Syntax syntax;
    syntax.root = std::move(root);
    syntax.captures = captures_;
    return syntax;
  }

 private:
  using Pointer = std::unique_ptr<Node>;

  /// Options set by "(?i)" hold until the end of the enclosing group, alternatives included.
  Pointer parse_alternation(Options options, int depth) {
    if (depth > kGroupDepthLimit) {
      cursor_.fail("groups nested too deeply");
      return nullptr;
    }
    auto alternation = make(Node::Kind::alternation);
    for (;;) {
      auto sequence = parse_sequence(options, depth);
      if (!sequence) return nullptr;
      alternation->children.push_back(std::move(sequence));
      if (!cursor_.accept('|')) break;
    }
    if (alternation->children.size() == 1) return std::move(alternation->children.front());
    return alternation;
  }

  Pointer parse_sequence(Options& options, int depth) {
    auto sequence = make(Node::Kind::sequence);
    while (!cursor_.done() && cursor_.peek() != '|' && cursor_.peek() != ')') {
      if (options.extended && skip_extended()) continue;
      auto atom = parse_atom(options, depth);
      if (!atom) return nullptr;
      for (;;) {
        if (options.extended) skip_extended();
        bool done = false;
        atom = parse_quantifier(std::move(atom), done);
        if (!atom) return nullptr;
        if (done) break;
      }
      sequence->children.push_back(std::move(atom));
    }
    return sequence;
  }

  bool skip_extended() {
    const std::size_t start = cursor_.at;
    while (!cursor_.done()) {
      const char c = cursor_.peek();
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
        ++cursor_.at;
      } else if (c == '#') {
        while (!cursor_.done() && cursor_.peek() != '\n') ++cursor_.at;
      } else {
        break;
      }
    }
    return cursor_.at != start;
  }

  Pointer parse_quantifier(Pointer atom, bool& done) {
    std::uint32_t min = 0;
    std::uint32_t max = 0;
    bool interval = false;
    if (cursor_.accept('*')) {
      max = kUnlimited;
    } else if (cursor_.accept('+')) {
      min = 1;
      max = kUnlimited;
    } else if (cursor_.accept('?')) {
      max = 1;
    } else if (cursor_.peek() == '{' && parse_interval(min, max)) {
      interval = true;
      if (!cursor_.error.empty()) return nullptr;
    } else {
      done = true;
      return atom;
    }
    const Node::Kind kind = atom->kind;
    if (kind == Node::Kind::assertion || kind == Node::Kind::keep) {
      cursor_.fail("the target of a repeat is an anchor");
      return nullptr;
    }
    auto repeat = make(Node::Kind::repeat);
    repeat->min = min;
    repeat->max = max;
    if (cursor_.accept('?')) {
      if (interval && min == max) {
        // Oniguruma reads a{n}? as (?:a{n})??.
        repeat->children.push_back(std::move(atom));
        auto optional = make(Node::Kind::repeat);
        optional->max = 1;
        optional->greed = Greed::lazy;
        optional->children.push_back(std::move(repeat));
        return optional;
      }
      repeat->greed = Greed::lazy;
    } else if (!interval && cursor_.accept('+')) {
      repeat->greed = Greed::possessive;
    }
    repeat->children.push_back(std::move(atom));
    return repeat;
  }

  /// False, with nothing consumed, when the '{' is an ordinary character.
  bool parse_interval(std::uint32_t& min, std::uint32_t& max) {
    const std::size_t start = cursor_.at;
    ++cursor_.at;
    const auto number = [&](std::uint32_t& out) {
      const char* first = cursor_.pattern.data() + cursor_.at;
      const auto [stop, ec] =
          std::from_chars(first, cursor_.pattern.data() + cursor_.pattern.size(), out);
      if (ec != std::errc()) return false;
      cursor_.at += static_cast<std::size_t>(stop - first);
      return true;
    };
    const bool has_min = number(min);
    if (!has_min) min = 0;
    bool has_max = false;
    max = min;
    const bool comma = cursor_.accept(',');
    if (comma) {
      has_max = number(max);
      if (!has_max) max = kUnlimited;
    }
    if (!cursor_.accept('}') || (!has_min && !has_max)) {
      cursor_.at = start;
      return false;
    }
    if (min > kRepeatLimit || (max != kUnlimited && max > kRepeatLimit))
      cursor_.fail("too big a repeat");
    if (max < min) std::swap(min, max);
    return true;
  }

  Pointer parse_atom(Options& options, int depth) {
    const char c = cursor_.peek();
    switch (c) {
      case '(':
        return parse_group(options, depth);
      case '[': {
        ++cursor_.at;
        auto set = parse_bracket(cursor_, options.fold_case, 0);
        return set ? make_set(*std::move(set)) : nullptr;
      }
      case '.':
        ++cursor_.at;
        return make_set(options.dot_all ? CharSet::all() : CharSet::of('\n').complement());
      case '^':
        ++cursor_.at;
        return make_assertion(Assertion::line_start);
      case '$':
        ++cursor_.at;
        return make_assertion(Assertion::line_end);
      case '\\':
        ++cursor_.at;
        return parse_escape(options);
      case '*':
      case '+':
      case '?':
        cursor_.fail("nothing to repeat");
        return nullptr;
      default:
        return literal(cursor_.next(), options);
    }
  }

  static Pointer literal(char32_t c, const Options& options) {
    CharSet set = CharSet::of(c);
    return make_set(options.fold_case ? set.case_closure() : std::move(set));
  }

  Pointer parse_escape(const Options& options) {
    const char c = cursor_.peek();
    const auto assertion = [&](Assertion kind) {
      ++cursor_.at;
      return make_assertion(kind);
    };
    switch (c) {
      case 'b':
        return assertion(Assertion::word_boundary);
      case 'B':
        return assertion(Assertion::no_word_boundary);
      case 'A':
        return assertion(Assertion::text_start);
      case 'z':
        return assertion(Assertion::text_end);
      case 'Z':
        return assertion(Assertion::text_end_or_newline);
      case 'G':
        return assertion(Assertion::search_start);
      case 'K':
        ++cursor_.at;
        return make(Node::Kind::keep);
      case 'R': {
        // (?>\r\n|[\n-\r\u0085\u2028\u2029])
        ++cursor_.at;
        auto pair = make(Node::Kind::sequence);
        pair->children.push_back(make_set(CharSet::of('\r')));
        pair->children.push_back(make_set(CharSet::of('\n')));
        CharSet single = CharSet::range('\n', '\r');
        single |= CharSet::of(0x85);
        single |= CharSet::range(0x2028, 0x2029);
        auto either = make(Node::Kind::alternation);
        either->children.push_back(std::move(pair));
        either->children.push_back(make_set(std::move(single)));
        auto atomic = make(Node::Kind::atomic);
        atomic->children.push_back(std::move(either));
        return atomic;
      }
      case 'k':
        return parse_named_reference(options);
      default:
        break;
    }
    if (c >= '1' && c <= '9') {
      std::uint32_t index = 0;
      const char* first = cursor_.pattern.data() + cursor_.at;
      const auto [stop, ec] =
          std::from_chars(first, cursor_.pattern.data() + cursor_.pattern.size(), index);
      if (ec != std::errc() || index > captures_) {
        cursor_.fail("reference to a group that does not exist");
        return nullptr;
      }
      cursor_.at += static_cast<std::size_t>(stop - first);
      return back_reference(index, options);
    }
    if (auto set = parse_class_escape(cursor_)) return make_set(*std::move(set));
    if (!cursor_.error.empty()) return nullptr;
    const auto character = parse_character_escape(cursor_);
    return character ? literal(*character, options) : nullptr;
  }

  Pointer parse_named_reference(const Options& options) {
    ++cursor_.at;
    const std::string name = cursor_.accept('<') ? parse_name() : std::string();
    const auto found = names_.find(name);
    if (found == names_.end()) {
      cursor_.fail("reference to a group that does not exist");
      return nullptr;
    }
    return back_reference(found->second, options);
  }

  static Pointer back_reference(std::uint32_t index, const Options& options) {
    auto node = make(Node::Kind::back_reference);
    node->index = index;
    node->fold_case = options.fold_case;
    return node;
  }

  std::string parse_name() {
    const std::size_t close = cursor_.pattern.find('>', cursor_.at);
    if (close == std::string_view::npos || close == cursor_.at) {
      cursor_.fail("wrong group name");
      return {};
    }
    std::string name(cursor_.pattern.substr(cursor_.at, close - cursor_.at));
    cursor_.at = close + 1;
    return name;
  }

  Pointer parse_group(Options& options, int depth) {
    ++cursor_.at;
    if (cursor_.accept("?#")) {
      const std::size_t close = cursor_.pattern.find(')', cursor_.at);
      if (close == std::string_view::npos) {
        cursor_.fail("comment without ')'");
        return nullptr;
      }
      cursor_.at = close + 1;
      return make(Node::Kind::empty);
    }
    if (cursor_.accept("?=")) return parse_look(options, depth, false, false);
    if (cursor_.accept("?!")) return parse_look(options, depth, false, true);
    if (cursor_.accept("?<=")) return parse_look(options, depth, true, false);
    if (cursor_.accept("?<!")) return parse_look(options, depth, true, true);
    if (cursor_.accept("?:")) return close_group(parse_alternation(options, depth + 1));
    if (cursor_.accept("?>")) {
      auto atomic = make(Node::Kind::atomic);
      return wrap(std::move(atomic), close_group(parse_alternation(options, depth + 1)));
    }
    if (cursor_.accept("?<") || cursor_.accept("?P<")) {
      const std::string name = parse_name();
      if (!cursor_.error.empty()) return nullptr;
      names_[name] = captures_ + 1;
      return parse_capture(options, depth);
    }
    if (cursor_.accept('?')) return parse_options(options, depth);
    return parse_capture(options, depth);
  }

  Pointer parse_capture(const Options& options, int depth) {
    auto capture = make(Node::Kind::capture);
    capture->index = ++captures_;
    return wrap(std::move(capture), close_group(parse_alternation(options, depth + 1)));
  }

  Pointer parse_look(const Options& options, int depth, bool behind, bool negative) {
    auto look = make(Node::Kind::look);
    look->behind = behind;
    look->negative = negative;
    return wrap(std::move(look), close_group(parse_alternation(options, depth + 1)));
  }

  static Pointer wrap(Pointer outer, Pointer inner) {
    if (!inner) return nullptr;
    outer->children.push_back(std::move(inner));
    return outer;
  }

  Pointer close_group(Pointer inner) {
    if (!inner) return nullptr;
    if (!cursor_.accept(')')) {
      cursor_.fail("group without ')'");
      return nullptr;
    }
    return inner;
  }

  /// (?imx-imx) for the rest of the enclosing group, or (?imx-imx:…).
  Pointer parse_options(Options& options, int depth) {
    Options changed = options;
    bool value = true;
    while (!cursor_.done()) {
      const char c = cursor_.peek();
      ++cursor_.at;
      if (c == '-') {
        value = false;
      } else if (c == 'i') {
        changed.fold_case = value;
      } else if (c == 'm' || c == 's') {
        changed.dot_all = value;
      } else if (c == 'x') {
        changed.extended = value;
      } else if (c == ':') {
        return close_group(parse_alternation(changed, depth + 1));
      } else if (c == ')') {
        // What follows, alternatives included, is a group of its own.
        return parse_alternation(changed, depth + 1);
      } else {
        break;
      }
    }
    cursor_.fail("unknown group option");
    return nullptr;
  }

  PatternCursor cursor_;
  std::uint32_t captures_ = 0;
  std::map<std::string, std::uint32_t> names_;
};

}  // namespace

Result<Syntax> parse(std::string_view pattern) {
  if (pattern.size() > kPatternBytesLimit) {
    return fail(Errc::invalid_argument,
                fmt::format("regular expression of {} bytes", pattern.size()));
  }
  if (!base::is_valid_utf8(pattern))
    return fail(Errc::invalid_argument, "regular expression is not UTF-8");
  return Parser(pattern).run();
}

}  // namespace dynamo::tokenizer::regex
