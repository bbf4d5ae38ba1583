// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "jinja/builtin.h"
#include "jinja/failure.h"
#include "jinja/parser.h"
#include "jinja/parser_nodes.h"
#include "jinja/text.h"

/// Literals, names, and what is put behind them: attributes, calls, filters, tests.
namespace dynamo::jinja::detail {
namespace {

FastTest fast_test_of(std::string_view name) noexcept {
  constexpr std::pair<std::string_view, FastTest> kTests[] = {
      {"defined", FastTest::defined},   {"undefined", FastTest::undefined},
      {"none", FastTest::none},         {"string", FastTest::string},
      {"mapping", FastTest::mapping},   {"iterable", FastTest::iterable},
      {"boolean", FastTest::boolean},   {"true", FastTest::true_},
      {"false", FastTest::false_},      {"number", FastTest::number},
      {"sequence", FastTest::sequence},
  };
  for (const auto& [test, id] : kTests) {
    if (test == name) return id;
  }
  return FastTest::other;
}

std::uint16_t depth_of(const Arguments& args) {
  std::uint16_t depth = 0;
  for (std::uint16_t i = 0; i < args.positional_count; ++i) {
    depth = std::max(depth, args.positional[i]->depth);
  }
  for (std::uint16_t i = 0; i < args.keyword_count; ++i) {
    depth = std::max(depth, args.keywords[i].value->depth);
  }
  if (args.star) depth = std::max(depth, args.star->depth);
  if (args.star_star) depth = std::max(depth, args.star_star->depth);
  return depth;
}

}  // namespace

Expr* Parser::parse_primary() {
  const auto begin = static_cast<std::uint32_t>(at_);
  const Token& token = current();
  switch (token.kind) {
    case TokenKind::name: {
      next();
      if (token.text == "true" || token.text == "True") return make_const(make_bool(true), begin);
      if (token.text == "false" || token.text == "False") {
        return make_const(make_bool(false), begin);
      }
      if (token.text == "none" || token.text == "None") return make_const(make_none(), begin);
      auto* node = make<NameExpr>(ExprKind::name, begin, {});
      node->name = token.text;
      node->info = arena_.make<UndefinedInfo>(token.text);
      return node;
    }
    case TokenKind::string: {
      next();
      if (!is(TokenKind::string)) return make_const(make_string(token.text), begin);
      std::string text(token.text);
      while (is(TokenKind::string)) text += next().text;
      return make_const(make_string(arena_.copy(text)), begin);
    }
    case TokenKind::number:
      next();
      return make_const(token.number, begin);
    case TokenKind::left_paren: {
      next();
      Expr* e = parse_tuple(true, {}, true);
      expect(TokenKind::right_paren);
      return e;
    }
    case TokenKind::left_bracket:
      return parse_list();
    case TokenKind::left_brace:
      return parse_dict();
    default:
      fail("unexpected " + describe(token));
  }
}

Expr* Parser::parse_tuple(bool with_conditional, std::string_view end_name, bool in_parentheses) {
  const auto begin = static_cast<std::uint32_t>(at_);
  std::vector<Expr*> items;
  bool is_tuple = false;
  for (;;) {
    if (!items.empty()) expect(TokenKind::comma);
    if (is(TokenKind::variable_end) || is(TokenKind::block_end) || is(TokenKind::right_paren) ||
        (!end_name.empty() && is_name(end_name))) {
      break;
    }
    items.push_back(parse_expression(with_conditional));
    if (!is(TokenKind::comma)) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!items.empty()) return items.front();
    if (!in_parentheses) fail("Expected an expression, got " + describe(current()));
  }
  return make_sequence(ExprKind::tuple, begin, items);
}

Expr* Parser::parse_list() {
  const auto begin = static_cast<std::uint32_t>(at_);
  expect(TokenKind::left_bracket);
  std::vector<Expr*> items;
  while (!is(TokenKind::right_bracket)) {
    if (!items.empty()) expect(TokenKind::comma);
    if (is(TokenKind::right_bracket)) break;
    items.push_back(parse_expression());
  }
  expect(TokenKind::right_bracket);
  return make_sequence(ExprKind::list, begin, items);
}

Expr* Parser::parse_dict() {
  const auto begin = static_cast<std::uint32_t>(at_);
  expect(TokenKind::left_brace);
  std::vector<Expr*> keys;
  std::vector<Expr*> values;
  std::uint16_t below = 0;
  while (!is(TokenKind::right_brace)) {
    if (!keys.empty()) expect(TokenKind::comma);
    if (is(TokenKind::right_brace)) break;
    keys.push_back(parse_expression());
    expect(TokenKind::colon);
    values.push_back(parse_expression());
    below = std::max({below, keys.back()->depth, values.back()->depth});
  }
  expect(TokenKind::right_brace);
  auto* node = make<DictExpr>(ExprKind::dict, begin, {});
  set_depth(node, below);
  node->keys = copy(keys);
  node->values = copy(values);
  node->count = static_cast<std::uint32_t>(keys.size());
  return node;
}

Expr* Parser::parse_postfix(Expr* e) {
  for (;;) {
    if (is(TokenKind::dot) || is(TokenKind::left_bracket)) {
      e = parse_subscript(e);
    } else if (is(TokenKind::left_paren)) {
      e = parse_call(e);
    } else {
      return e;
    }
  }
}

Expr* Parser::parse_filter_chain(Expr* e) {
  for (;;) {
    if (is(TokenKind::pipe)) {
      e = parse_filter(e);
    } else if (is_name("is")) {
      e = parse_test(e);
    } else if (is(TokenKind::left_paren)) {
      e = parse_call(e);
    } else {
      return e;
    }
  }
}

Expr* Parser::parse_subscript(Expr* e) {
  const auto begin = static_cast<std::uint32_t>(at_);
  if (skip(TokenKind::dot)) {
    const Token& token = next();
    if (token.kind == TokenKind::name) {
      auto* node = make<AttributeExpr>(ExprKind::attribute, begin, {e});
      node->object = e;
      node->attribute = make_attribute(arena_, token.text);
      return node;
    }
    if (token.kind != TokenKind::number || token.number.tag == Tag::real) {
      fail_at("expected name or number", token.line);
    }
    Expr* index = make_const(token.number, begin + 1);
    auto* node = make<ItemExpr>(ExprKind::item, begin, {e});
    node->object = e;
    node->index = index;
    node->attribute = nullptr;
    return node;
  }
  expect(TokenKind::left_bracket);
  // `a[1, 2]` is a tuple; a slice is only understood alone.
  std::vector<Expr*> items;
  bool any_slice = false;
  SliceExpr slice{};
  while (!is(TokenKind::right_bracket)) {
    if (!items.empty() || any_slice) expect(TokenKind::comma);
    if (any_slice) fail("slices cannot be combined with other subscripts");
    Expr* start = is(TokenKind::colon) ? nullptr : parse_expression();
    if (!is(TokenKind::colon)) {
      items.push_back(start);
      continue;
    }
    if (!items.empty()) fail("slices cannot be combined with other subscripts");
    next();
    any_slice = true;
    slice.start = start;
    const auto at_slice_end = [this] {
      return is(TokenKind::colon) || is(TokenKind::right_bracket) || is(TokenKind::comma);
    };
    slice.stop = at_slice_end() ? nullptr : parse_expression();
    if (skip(TokenKind::colon) && !at_slice_end()) slice.step = parse_expression();
  }
  expect(TokenKind::right_bracket);
  if (any_slice) {
    auto* node = make<SliceExpr>(ExprKind::slice, begin, {e, slice.start, slice.stop, slice.step});
    node->object = e;
    node->start = slice.start;
    node->stop = slice.stop;
    node->step = slice.step;
    return node;
  }
  Expr* index = items.size() == 1 ? items.front() : make_sequence(ExprKind::tuple, begin, items);
  auto* node = make<ItemExpr>(ExprKind::item, begin, {e, index});
  node->object = e;
  node->index = index;
  node->attribute = nullptr;
  if (index->kind == ExprKind::constant) {
    const Value& key = static_cast<ConstExpr*>(index)->value;
    if (key.is_string()) node->attribute = make_attribute(arena_, key.str());
  }
  return node;
}

Arguments Parser::parse_arguments() {
  const std::uint32_t line = expect(TokenKind::left_paren).line;
  Arguments args{};
  std::vector<Expr*> positional;
  std::vector<Keyword> keywords;
  const auto ensure = [line](bool condition) {
    if (!condition) fail_at("invalid syntax for function call expression", line);
  };
  bool require_comma = false;
  while (!is(TokenKind::right_paren)) {
    if (require_comma) {
      expect(TokenKind::comma);
      if (is(TokenKind::right_paren)) break;
    }
    if (skip(TokenKind::multiply)) {
      ensure(!args.star && !args.star_star);
      args.star = parse_expression();
    } else if (skip(TokenKind::power)) {
      ensure(!args.star_star);
      args.star_star = parse_expression();
    } else if (is(TokenKind::name) && peek().kind == TokenKind::assign) {
      ensure(!args.star_star);
      const std::string_view name = next().text;
      next();
      for (const Keyword& k : keywords) {
        if (k.name == name) fail("keyword argument repeated: " + std::string(name));
      }
      Expr* value = parse_expression();
      keywords.push_back({name, value});
    } else {
      ensure(!args.star && !args.star_star && keywords.empty());
      positional.push_back(parse_expression());
    }
    require_comma = true;
    if (positional.size() + keywords.size() > 1000) fail("too many arguments");
  }
  expect(TokenKind::right_paren);
  args.positional = copy(positional);
  args.positional_count = static_cast<std::uint16_t>(positional.size());
  args.keywords = copy(keywords);
  args.keyword_count = static_cast<std::uint16_t>(keywords.size());
  return args;
}

Expr* Parser::parse_call(Expr* e) {
  const auto begin = static_cast<std::uint32_t>(at_);
  const Arguments args = parse_arguments();
  auto* node = make<CallExpr>(ExprKind::call, begin, {e});
  set_depth(node, std::max(e->depth, depth_of(args)));
  node->callee = e;
  node->args = args;
  return node;
}

std::string_view Parser::parse_dotted_name() {
  std::string name(expect(TokenKind::name).text);
  while (skip(TokenKind::dot)) {
    name.push_back('.');
    name += expect(TokenKind::name).text;
  }
  return arena_.copy(name);
}

Expr* Parser::parse_filter(Expr* e, bool start_inline) {
  while (is(TokenKind::pipe) || start_inline) {
    if (!start_inline) next();
    start_inline = false;
    const auto begin = static_cast<std::uint32_t>(at_);
    const std::string_view name = parse_dotted_name();
    Arguments args{};
    if (is(TokenKind::left_paren)) args = parse_arguments();
    auto* node = make<ApplyExpr>(ExprKind::filter, begin, {e});
    set_depth(node, std::max(e ? e->depth : std::uint16_t{0}, depth_of(args)));
    node->input = e;
    node->name = name;
    node->function = find_filter(name);
    node->args = args;
    e = node;
  }
  return e;
}

Expr* Parser::parse_test(Expr* e) {
  next();
  const bool negated = skip_name("not");
  const auto begin = static_cast<std::uint32_t>(at_);
  const std::string_view name = parse_dotted_name();
  Arguments args{};
  if (is(TokenKind::left_paren)) {
    args = parse_arguments();
  } else {
    switch (current().kind) {
      case TokenKind::name:
      case TokenKind::string:
      case TokenKind::number:
      case TokenKind::left_paren:
      case TokenKind::left_bracket:
      case TokenKind::left_brace:
        if (is_name("else") || is_name("or") || is_name("and")) break;
        if (is_name("is")) fail("You cannot chain multiple tests with is");
        {
          const Nesting nesting(*this);
          Expr* arg = parse_postfix(parse_primary());
          args.positional = arena_.array<Expr*>(1);
          args.positional[0] = arg;
          args.positional_count = 1;
        }
        break;
      default:
        break;
    }
  }
  auto* node = make<ApplyExpr>(ExprKind::test, begin, {e});
  set_depth(node, std::max(e->depth, depth_of(args)));
  node->input = e;
  node->name = name;
  node->function = find_test(name);
  node->args = args;
  if (args.is_simple() && args.positional_count == 0) node->fast_test = fast_test_of(name);
  if (!negated) return node;
  auto* inverse = make<UnaryExpr>(ExprKind::logical_not, begin, {node});
  inverse->operand = node;
  return inverse;
}

}  // namespace dynamo::jinja::detail
