// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "jinja/ast.h"
#include "jinja/lexer.h"

namespace dynamo::jinja::detail {

/// Builds the tree of a template from its tokens, by Jinja2's grammar. Variables are left for the
/// binder (binder.h). Throws a Failure of kind syntax.
class Parser {
 public:
  Parser(Arena& arena, std::string_view source);
  Body parse();

 private:
  // Statements (parser_statements.cpp).
  Body parse_until(std::initializer_list<std::string_view> ends);
  Body parse_body(std::initializer_list<std::string_view> ends);
  Stmt* parse_statement();
  Stmt* parse_for();
  Stmt* parse_if();
  Stmt* parse_set();
  Stmt* parse_with();
  Stmt* parse_macro();
  Stmt* parse_call_block();
  Stmt* parse_filter_block();
  Stmt* parse_block();
  Stmt* parse_generation();
  Stmt* parse_autoescape();
  Stmt* parse_import_like(std::string_view tag);
  void parse_print(std::vector<Stmt*>& out);
  void parse_signature(Function& function);
  void skip_context_clause();
  [[noreturn]] void fail_unclosed(const Token& token, bool at_end);
  Target* parse_target(bool with_namespace, std::string_view end_name = {});
  Target* to_target(Expr* e, bool loop_target);

  // Expressions (parser.cpp).
  Expr* parse_expression(bool with_conditional = true);
  Expr* parse_conditional();
  Expr* parse_or();
  Expr* parse_and();
  Expr* parse_not();
  Expr* parse_compare();
  Expr* parse_sum();
  Expr* parse_concat();
  Expr* parse_product();
  Expr* parse_power();
  Expr* parse_unary(bool with_filter = true);
  Expr* parse_primary();
  Expr* parse_tuple(bool with_conditional = true, std::string_view end_name = {},
                    bool in_parentheses = false);
  Expr* parse_list();
  Expr* parse_dict();
  Expr* parse_postfix(Expr* e);
  Expr* parse_filter_chain(Expr* e);
  Expr* parse_subscript(Expr* e);
  Expr* parse_call(Expr* e);
  Expr* parse_filter(Expr* e, bool start_inline = false);
  Expr* parse_test(Expr* e);
  Arguments parse_arguments();
  std::string_view parse_dotted_name();

  // Tokens.
  const Token& current() const noexcept { return tokens_[at_]; }
  const Token& peek() const noexcept { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& next() noexcept;
  bool is(TokenKind kind) const noexcept { return current().kind == kind; }
  bool is_name(std::string_view name) const noexcept {
    return is(TokenKind::name) && current().text == name;
  }
  bool skip_name(std::string_view name) noexcept;
  bool skip(TokenKind kind) noexcept;
  const Token& expect(TokenKind kind);
  void expect_name(std::string_view name);
  [[noreturn]] void fail(std::string message) const { fail_at(std::move(message), current().line); }
  [[noreturn]] static void fail_at(std::string message, std::uint32_t line);

  // Nodes.
  template <class Node>
  Node* make(ExprKind kind, std::uint32_t begin_token, std::initializer_list<const Expr*> children);
  template <class Node>
  Node* make_stmt(StmtKind kind, std::uint32_t line) {
    Node* node = arena_.make<Node>();
    node->kind = kind;
    node->line = line;
    return node;
  }
  template <class T>
  T* copy(const std::vector<T>& items) {
    T* at = arena_.array<T>(items.size());
    std::copy(items.begin(), items.end(), at);
    return at;
  }
  Expr* make_const(Value value, std::uint32_t begin_token);
  /// A list or tuple; a constant when its items are.
  Expr* make_sequence(ExprKind kind, std::uint32_t begin_token, const std::vector<Expr*>& items);
  Expr* make_unary(ExprKind kind, std::uint32_t begin_token, Expr* operand);
  Expr* make_binary(ExprKind kind, std::uint32_t begin_token, Expr* left, Expr* right);
  void set_depth(Expr* e, std::uint16_t below);

  /// Levels of brackets and blocks while parsing; bounds the parser's own recursion.
  class Nesting;

  Arena& arena_;
  std::string_view source_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int nesting_ = 0;
  std::vector<std::string_view> open_tags_;
  std::vector<std::vector<std::string_view>> expected_ends_;
};

}  // namespace dynamo::jinja::detail
