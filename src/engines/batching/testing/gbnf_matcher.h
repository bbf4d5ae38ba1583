// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/assert.h>

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dynamo::engines::batching::testing {

/// Whether a text is in the language of a grammar: GBNF as our converters write it (one rule a
/// line), matched by sets of positions with a memory. For tests; asserts on what it cannot read.
class GbnfMatcher {
 public:
  explicit GbnfMatcher(std::string_view grammar) {
    while (!grammar.empty()) {
      const std::size_t end = grammar.find('\n');
      std::string_view line = grammar.substr(0, end);
      grammar.remove_prefix(end == std::string_view::npos ? grammar.size() : end + 1);
      const std::size_t sign = line.find(" ::= ");
      DYN_ASSERT(sign != std::string_view::npos);
      text_ = line.substr(sign + 5);
      at_ = 0;
      rules_[std::string(line.substr(0, sign))] = alternatives();
      DYN_ASSERT(at_ == text_.size());
    }
  }

  bool matches(std::string_view input) {
    input_.clear();
    for (std::size_t i = 0; i < input.size();) input_.push_back(decode(input, i));
    known_.clear();
    return ends_of("root", 0).contains(input_.size());
  }

 private:
  struct Node {
    enum class Kind { alternatives, sequence, characters, rule, repeat } kind;
    std::vector<Node> parts;
    std::vector<std::pair<char32_t, char32_t>> ranges;
    bool inverted = false;
    std::string name;
    std::size_t min = 0;
    std::size_t max = 0;
  };
  using Ends = std::set<std::size_t>;

  static char32_t decode(std::string_view text, std::size_t& i) {
    const auto byte = static_cast<unsigned char>(text[i++]);
    if (byte < 0x80) return byte;
    const int more = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
    char32_t out = byte & (0x3F >> more);
    for (int k = 0; k < more; ++k) out = out << 6 | (static_cast<unsigned char>(text[i++]) & 0x3F);
    return out;
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void spaces() {
    while (peek() == ' ') ++at_;
  }
  char32_t character() {
    if (peek() != '\\') return decode(text_, at_);
    const char c = text_[at_ + 1];
    const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    at_ += 2;
    if (digits > 0) {
      const auto value =
          static_cast<char32_t>(std::stoul(std::string(text_.substr(at_, digits)), nullptr, 16));
      at_ += digits;
      return value;
    }
    return c == 'n' ? U'\n' : c == 't' ? U'\t' : c == 'r' ? U'\r' : static_cast<char32_t>(c);
  }
  Node alternatives() {
    Node out{.kind = Node::Kind::alternatives};
    out.parts.push_back(sequence());
    while (peek() == '|') {
      ++at_;
      spaces();
      out.parts.push_back(sequence());
    }
    return out;
  }
  Node sequence() {
    Node out{.kind = Node::Kind::sequence};
    for (;;) {
      spaces();
      const char c = peek();
      if (c == '"') {
        Node literal{.kind = Node::Kind::sequence};
        for (++at_; peek() != '"';) {
          const char32_t one = character();
          literal.parts.push_back({.kind = Node::Kind::characters, .ranges = {{one, one}}});
        }
        ++at_;
        out.parts.push_back(std::move(literal));
      } else if (c == '[') {
        Node set{.kind = Node::Kind::characters};
        ++at_;
        set.inverted = peek() == '^';
        if (set.inverted) ++at_;
        while (peek() != ']') {
          const char32_t low = character();
          char32_t high = low;
          if (peek() == '-' && text_[at_ + 1] != ']') {
            ++at_;
            high = character();
          }
          set.ranges.emplace_back(low, high);
        }
        ++at_;
        out.parts.push_back(std::move(set));
      } else if (c == '(') {
        ++at_;
        out.parts.push_back(alternatives());
        DYN_ASSERT(peek() == ')');
        ++at_;
      } else if (c == '*' || c == '+' || c == '?' || c == '{') {
        out.parts.back() = repeat(std::move(out.parts.back()));
      } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
        Node rule{.kind = Node::Kind::rule};
        while ((peek() >= 'a' && peek() <= 'z') || (peek() >= '0' && peek() <= '9')) {
          rule.name += text_[at_++];
        }
        out.parts.push_back(std::move(rule));
      } else {
        return out;
      }
    }
  }
  Node repeat(Node what) {
    Node out{.kind = Node::Kind::repeat};
    out.parts.push_back(std::move(what));
    const char c = text_[at_++];
    constexpr std::size_t kMany = 100'000;
    out.min = c == '+' ? 1 : 0;
    out.max = c == '?' ? 1 : kMany;
    if (c != '{') return out;
    const auto number = [this] {
      std::size_t value = 0;
      while (peek() >= '0' && peek() <= '9') {
        value = value * 10 + static_cast<std::size_t>(text_[at_++] - '0');
      }
      return value;
    };
    out.min = out.max = number();
    if (peek() == ',') {
      ++at_;
      out.max = peek() == '}' ? kMany : number();
    }
    DYN_ASSERT(peek() == '}');
    ++at_;
    return out;
  }

  const Ends& ends_of(const std::string& rule, std::size_t from) {
    const auto [place, fresh] = known_.try_emplace({rule, from});
    if (fresh) {
      const auto found = rules_.find(rule);
      DYN_ASSERT(found != rules_.end());
      Ends ends = ends_of(found->second, from);
      known_[{rule, from}] = std::move(ends);
    }
    return known_[{rule, from}];
  }
  Ends ends_of(const Node& node, std::size_t from) {
    Ends out;
    switch (node.kind) {
      case Node::Kind::alternatives:
        for (const Node& part : node.parts) out.merge(ends_of(part, from));
        break;
      case Node::Kind::sequence:
        out = {from};
        for (const Node& part : node.parts) out = step(part, out);
        break;
      case Node::Kind::characters: {
        if (from >= input_.size()) break;
        bool in = false;
        for (const auto& [low, high] : node.ranges)
          in |= low <= input_[from] && input_[from] <= high;
        if (in != node.inverted) out.insert(from + 1);
        break;
      }
      case Node::Kind::rule:
        return ends_of(node.name, from);
      case Node::Kind::repeat: {
        Ends now{from};
        if (node.min == 0) out = now;
        for (std::size_t i = 1; i <= node.max && !now.empty(); ++i) {
          now = step(node.parts.front(), now);
          if (i < node.min) continue;
          const std::size_t before = out.size();
          out.insert(now.begin(), now.end());
          if (out.size() == before && i > node.min) break;
        }
        break;
      }
    }
    return out;
  }
  Ends step(const Node& part, const Ends& from) {
    Ends out;
    for (const std::size_t start : from) out.merge(ends_of(part, start));
    return out;
  }

  std::map<std::string, Node> rules_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<char32_t> input_;
  std::map<std::pair<std::string, std::size_t>, Ends> known_;
};

}  // namespace dynamo::engines::batching::testing
