// SPDX-License-Identifier: Apache-2.0
#include "jinja/parser.h"

#include <algorithm>

#include "jinja/bigint.h"
#include "jinja/builtin.h"
#include "jinja/failure.h"
#include "jinja/parser_nodes.h"
#include "jinja/text.h"

namespace dynamo::jinja::detail {
namespace {

/// Levels of nodes in one expression. The interpreter recurses once per level.
constexpr std::uint16_t kDepthMax = 200;

}  // namespace

Parser::Parser(Arena& arena, std::string_view source)
    : arena_(arena), source_(source), tokens_(tokenize(arena, source)) {}

void Parser::fail_at(std::string message, std::uint32_t line) {
  fail_syntax(std::move(message), line);
}

const Token& Parser::next() noexcept {
  const Token& token = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool Parser::skip_name(std::string_view name) noexcept {
  if (!is_name(name)) return false;
  next();
  return true;
}

bool Parser::skip(TokenKind kind) noexcept {
  if (!is(kind)) return false;
  next();
  return true;
}

const Token& Parser::expect(TokenKind kind) {
  if (!is(kind)) {
    if (is(TokenKind::eof)) {
      fail("unexpected end of template, expected " + quote(describe(kind)) + ".");
    }
    fail("expected token " + quote(describe(kind)) + ", got " + describe(current()));
  }
  return next();
}

void Parser::expect_name(std::string_view name) {
  if (!is_name(name)) fail("expected token " + quote(name) + ", got " + describe(current()));
  next();
}

void Parser::set_depth(Expr* e, std::uint16_t below) {
  if (below >= kDepthMax) fail_at("the expression is nested too deeply", e->line);
  e->depth = static_cast<std::uint16_t>(below + 1);
}

Expr* Parser::make_const(Value value, std::uint32_t begin_token) {
  auto* node = make<ConstExpr>(ExprKind::constant, begin_token, {});
  node->value = value;
  return node;
}

Expr* Parser::make_sequence(ExprKind kind, std::uint32_t begin_token,
                            const std::vector<Expr*>& items) {
  const bool constant = std::all_of(items.begin(), items.end(),
                                    [](const Expr* e) { return e->kind == ExprKind::constant; });
  if (constant) {
    // No template can change it, so all renders share one.
    Value* values = arena_.array<Value>(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      values[i] = static_cast<const ConstExpr*>(items[i])->value;
    }
    const List* list = arena_.make<List>(values, static_cast<std::uint32_t>(items.size()));
    return make_const(make_pointer(kind == ExprKind::list ? Tag::list : Tag::tuple, list),
                      begin_token);
  }
  auto* node = make<ManyExpr>(kind, begin_token, {});
  std::uint16_t below = 0;
  for (const Expr* item : items) below = std::max(below, item->depth);
  set_depth(node, below);
  node->items = copy(items);
  node->count = static_cast<std::uint32_t>(items.size());
  return node;
}

Expr* Parser::make_unary(ExprKind kind, std::uint32_t begin_token, Expr* operand) {
  if (kind == ExprKind::negate && operand->kind == ExprKind::constant) {
    const Value& v = static_cast<const ConstExpr*>(operand)->value;
    if (v.is_integral()) return make_const(int_neg(arena_, v), begin_token);
    if (v.tag == Tag::real) return make_const(make_real(-v.real), begin_token);
  }
  auto* node = make<UnaryExpr>(kind, begin_token, {operand});
  node->operand = operand;
  return node;
}

Expr* Parser::make_binary(ExprKind kind, std::uint32_t begin_token, Expr* left, Expr* right) {
  auto* node = make<BinaryExpr>(kind, begin_token, {left, right});
  node->left = left;
  node->right = right;
  return node;
}

Expr* Parser::parse_expression(bool with_conditional) {
  const Nesting nesting(*this);
  return with_conditional ? parse_conditional() : parse_or();
}

Expr* Parser::parse_conditional() {
  const Nesting nesting(*this);
  const auto begin = static_cast<std::uint32_t>(at_);
  Expr* e = parse_or();
  while (skip_name("if")) {
    Expr* test = parse_or();
    Expr* otherwise = skip_name("else") ? parse_conditional() : nullptr;
    auto* node = make<ConditionalExpr>(ExprKind::conditional, begin, {e, test, otherwise});
    node->test = test;
    node->then = e;
    node->otherwise = otherwise;
    node->absent = arena_.make<UndefinedInfo>();
    const_cast<UndefinedInfo*>(node->absent)->name =
        arena_.copy("the inline if-expression on line " + std::to_string(node->line) +
                    " evaluated to false and no else section was defined.");
    e = node;
  }
  return e;
}

Expr* Parser::parse_or() {
  const auto begin = static_cast<std::uint32_t>(at_);
  Expr* left = parse_and();
  while (skip_name("or")) {
    Expr* right = parse_and();
    left = make_binary(ExprKind::logical_or, begin, left, right);
  }
  return left;
}

Expr* Parser::parse_and() {
  const auto begin = static_cast<std::uint32_t>(at_);
  Expr* left = parse_not();
  while (skip_name("and")) {
    Expr* right = parse_not();
    left = make_binary(ExprKind::logical_and, begin, left, right);
  }
  return left;
}

Expr* Parser::parse_not() {
  const auto begin = static_cast<std::uint32_t>(at_);
  if (skip_name("not")) {
    const Nesting nesting(*this);
    Expr* operand = parse_not();
    auto* node = make<UnaryExpr>(ExprKind::logical_not, begin, {operand});
    node->operand = operand;
    return node;
  }
  return parse_compare();
}

Expr* Parser::parse_compare() {
  const auto begin = static_cast<std::uint32_t>(at_);
  Expr* first = parse_sum();
  std::vector<Expr*> operands;
  std::vector<CompareOp> ops;
  for (;;) {
    CompareOp op = CompareOp::eq;
    switch (current().kind) {
      case TokenKind::eq:
        op = CompareOp::eq;
        break;
      case TokenKind::ne:
        op = CompareOp::ne;
        break;
      case TokenKind::lt:
        op = CompareOp::lt;
        break;
      case TokenKind::le:
        op = CompareOp::le;
        break;
      case TokenKind::gt:
        op = CompareOp::gt;
        break;
      case TokenKind::ge:
        op = CompareOp::ge;
        break;
      default:
        if (is_name("in")) {
          op = CompareOp::in;
        } else if (is_name("not") && peek().kind == TokenKind::name && peek().text == "in") {
          next();
          op = CompareOp::not_in;
        } else {
          if (operands.empty()) return first;
          auto* node = make<CompareExpr>(ExprKind::compare, begin, {first});
          std::uint16_t below = first->depth;
          for (const Expr* operand : operands) below = std::max(below, operand->depth);
          set_depth(node, below);
          node->first = first;
          node->operands = copy(operands);
          node->ops = copy(ops);
          node->count = static_cast<std::uint32_t>(ops.size());
          return node;
        }
    }
    next();
    operands.push_back(parse_sum());
    ops.push_back(op);
  }
}

Expr* Parser::parse_sum() {
  const auto begin = static_cast<std::uint32_t>(at_);
  std::vector<Expr*> items{parse_concat()};
  const auto flatten = [&]() -> Expr* {
    if (items.size() == 1) return items.front();
    auto* node = make<ManyExpr>(ExprKind::sum, begin, {items.front()});
    std::uint16_t below = 0;
    for (const Expr* item : items) below = std::max(below, item->depth);
    set_depth(node, below);
    node->items = copy(items);
    node->count = static_cast<std::uint32_t>(items.size());
    return node;
  };
  for (;;) {
    if (skip(TokenKind::add)) {
      items.push_back(parse_concat());
    } else if (skip(TokenKind::subtract)) {
      Expr* left = flatten();
      Expr* right = parse_concat();
      items = {make_binary(ExprKind::subtract, begin, left, right)};
    } else {
      return flatten();
    }
  }
}

Expr* Parser::parse_concat() {
  const auto begin = static_cast<std::uint32_t>(at_);
  std::vector<Expr*> items{parse_product()};
  while (skip(TokenKind::tilde)) items.push_back(parse_product());
  if (items.size() == 1) return items.front();
  auto* node = make<ManyExpr>(ExprKind::concat, begin, {items.front()});
  std::uint16_t below = 0;
  for (const Expr* item : items) below = std::max(below, item->depth);
  set_depth(node, below);
  node->items = copy(items);
  node->count = static_cast<std::uint32_t>(items.size());
  return node;
}

Expr* Parser::parse_product() {
  const auto begin = static_cast<std::uint32_t>(at_);
  Expr* left = parse_power();
  for (;;) {
    ExprKind kind = ExprKind::multiply;
    if (is(TokenKind::multiply)) {
      kind = ExprKind::multiply;
    } else if (is(TokenKind::divide)) {
      kind = ExprKind::divide;
    } else if (is(TokenKind::floor_divide)) {
      kind = ExprKind::floor_divide;
    } else if (is(TokenKind::modulo)) {
      kind = ExprKind::modulo;
    } else {
      return left;
    }
    next();
    Expr* right = parse_power();
    left = make_binary(kind, begin, left, right);
  }
}

Expr* Parser::parse_power() {
  const auto begin = static_cast<std::uint32_t>(at_);
  Expr* left = parse_unary();
  while (skip(TokenKind::power)) {
    Expr* right = parse_unary();
    left = make_binary(ExprKind::power, begin, left, right);
  }
  return left;
}

Expr* Parser::parse_unary(bool with_filter) {
  const Nesting nesting(*this);
  const auto begin = static_cast<std::uint32_t>(at_);
  Expr* e = nullptr;
  if (is(TokenKind::subtract) || is(TokenKind::add)) {
    const ExprKind kind =
        next().kind == TokenKind::subtract ? ExprKind::negate : ExprKind::positive;
    Expr* operand = parse_unary(false);
    e = make_unary(kind, begin, operand);
  } else {
    e = parse_primary();
  }
  e = parse_postfix(e);
  return with_filter ? parse_filter_chain(e) : e;
}

}  // namespace dynamo::jinja::detail
