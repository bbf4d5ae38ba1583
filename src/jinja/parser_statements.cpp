// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "jinja/failure.h"
#include "jinja/parser.h"
#include "jinja/parser_nodes.h"
#include "jinja/text.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {

Body Parser::parse() {
  return parse_until({});
}

/// Statements up to a tag named in `ends`, which stays the current token; with no ends, all.
Body Parser::parse_until(std::initializer_list<std::string_view> ends) {
  const Nesting nesting(*this);
  if (ends.size() != 0) expected_ends_.emplace_back(ends);
  std::vector<Stmt*> statements;
  for (;;) {
    const Token& token = current();
    if (token.kind == TokenKind::eof) break;
    next();
    if (token.kind == TokenKind::data) {
      auto* text = make_stmt<TextStmt>(StmtKind::text, token.line);
      text->text = token.text;
      statements.push_back(text);
    } else if (token.kind == TokenKind::variable_begin) {
      auto* output = make_stmt<OutputStmt>(StmtKind::output, current().line);
      output->value = parse_tuple();
      expect(TokenKind::variable_end);
      statements.push_back(output);
    } else if (token.kind == TokenKind::block_begin) {
      if (is(TokenKind::name) &&
          std::find(ends.begin(), ends.end(), current().text) != ends.end()) {
        break;
      }
      if (is_name("print")) {
        parse_print(statements);
      } else {
        statements.push_back(parse_statement());
      }
      expect(TokenKind::block_end);
    } else {
      fail_at("unexpected " + describe(token), token.line);
    }
  }
  if (ends.size() != 0) {
    if (is(TokenKind::eof)) fail_unclosed(current(), true);
    expected_ends_.pop_back();
  }
  Body body;
  body.items = copy(statements);
  body.count = static_cast<std::uint32_t>(statements.size());
  return body;
}

/// A block's inside: the rest of its opening tag, then statements.
Body Parser::parse_body(std::initializer_list<std::string_view> ends) {
  skip(TokenKind::colon);
  expect(TokenKind::block_end);
  return parse_until(ends);
}

void Parser::fail_unclosed(const Token& token, bool at_end) {
  std::string message =
      at_end ? "Unexpected end of template." : "Encountered unknown tag " + quote(token.text) + ".";
  if (!expected_ends_.empty()) {
    std::string looking;
    for (const std::string_view end : expected_ends_.back()) {
      if (!looking.empty()) looking += " or ";
      looking += quote(end);
    }
    const bool misnested =
        !at_end && std::any_of(expected_ends_.begin(), expected_ends_.end(), [&](const auto& ends) {
          return std::find(ends.begin(), ends.end(), token.text) != ends.end();
        });
    message += misnested ? " You probably made a nesting mistake. Jinja is expecting this tag, but"
                           " currently looking for " +
                               looking + "."
                         : " Jinja was looking for the following tags: " + looking + ".";
  }
  if (!open_tags_.empty()) {
    message += " The innermost block that needs to be closed is " + quote(open_tags_.back()) + ".";
  }
  fail_at(std::move(message), token.line);
}

Stmt* Parser::parse_statement() {
  const Nesting nesting(*this);
  const Token& token = current();
  if (token.kind != TokenKind::name) fail("tag name expected");
  const std::string_view tag = token.text;
  open_tags_.push_back(tag);
  Stmt* statement = nullptr;
  if (tag == "if") {
    statement = parse_if();
  } else if (tag == "for") {
    statement = parse_for();
  } else if (tag == "set") {
    statement = parse_set();
  } else if (tag == "macro") {
    statement = parse_macro();
  } else if (tag == "call") {
    statement = parse_call_block();
  } else if (tag == "filter") {
    statement = parse_filter_block();
  } else if (tag == "with") {
    statement = parse_with();
  } else if (tag == "block") {
    statement = parse_block();
  } else if (tag == "generation") {
    statement = parse_generation();
  } else if (tag == "autoescape") {
    statement = parse_autoescape();
  } else if (tag == "break" || tag == "continue") {
    next();
    statement =
        make_stmt<Stmt>(tag == "break" ? StmtKind::break_ : StmtKind::continue_, token.line);
  } else if (tag == "extends" || tag == "include" || tag == "import" || tag == "from") {
    statement = parse_import_like(tag);
  } else {
    open_tags_.pop_back();
    fail_unclosed(token, false);
  }
  open_tags_.pop_back();
  return statement;
}

void Parser::parse_print(std::vector<Stmt*>& out) {
  const std::uint32_t line = next().line;
  bool first = true;
  while (!is(TokenKind::block_end)) {
    if (!first) expect(TokenKind::comma);
    first = false;
    auto* output = make_stmt<OutputStmt>(StmtKind::output, line);
    output->value = parse_expression();
    out.push_back(output);
  }
}

Stmt* Parser::parse_if() {
  auto* node = make_stmt<IfStmt>(StmtKind::if_, next().line);
  std::vector<Branch> branches;
  for (;;) {
    Branch branch{};
    branch.test = parse_tuple(false);
    branch.body = parse_body({"elif", "else", "endif"});
    branches.push_back(branch);
    const std::string_view end = next().text;
    if (end == "elif") continue;
    if (end == "else") {
      node->otherwise = parse_body({"endif"});
      next();
    }
    break;
  }
  node->branches = copy(branches);
  node->branch_count = static_cast<std::uint32_t>(branches.size());
  return node;
}

Stmt* Parser::parse_for() {
  auto* node = make_stmt<ForStmt>(StmtKind::for_, next().line);
  node->target = parse_target(false, "in");
  expect_name("in");
  node->iterable = parse_tuple(false, "recursive");
  if (skip_name("if")) node->test = parse_expression();
  node->recursive = skip_name("recursive");
  node->body = parse_body({"endfor", "else"});
  if (next().text == "else") {
    node->otherwise = parse_body({"endfor"});
    // An empty else is no else, for Jinja2 as well.
    next();
  }
  return node;
}

Target* Parser::parse_target(bool with_namespace, std::string_view end_name) {
  const auto line = current().line;
  std::vector<Target*> items;
  bool is_tuple = false;
  for (;;) {
    if (!items.empty()) expect(TokenKind::comma);
    if (is(TokenKind::variable_end) || is(TokenKind::block_end) || is(TokenKind::right_paren) ||
        (!end_name.empty() && is_name(end_name))) {
      break;
    }
    if (with_namespace && is(TokenKind::name) && peek().kind == TokenKind::dot) {
      const Token& name = next();
      next();
      Target* target = arena_.make<Target>(TargetKind::namespace_attribute, name.line, name.text);
      target->attribute = expect(TokenKind::name).text;
      items.push_back(target);
    } else {
      items.push_back(to_target(parse_primary(), !end_name.empty()));
    }
    if (!is(TokenKind::comma)) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!items.empty()) return items.front();
    fail("Expected an expression, got " + describe(current()));
  }
  Target* tuple = arena_.make<Target>(TargetKind::tuple, line);
  tuple->items = copy(items);
  tuple->count = static_cast<std::uint32_t>(items.size());
  return tuple;
}

Target* Parser::to_target(Expr* e, bool loop_target) {
  if (e->kind == ExprKind::name) {
    const std::string_view name = static_cast<NameExpr*>(e)->name;
    return arena_.make<Target>(TargetKind::variable, e->line, name);
  }
  if (e->kind == ExprKind::tuple) {
    auto* many = static_cast<ManyExpr*>(e);
    Target* tuple = arena_.make<Target>(TargetKind::tuple, e->line);
    tuple->items = arena_.array<Target*>(many->count);
    tuple->count = many->count;
    for (std::uint32_t i = 0; i < many->count; ++i) {
      tuple->items[i] = to_target(many->items[i], loop_target);
    }
    return tuple;
  }
  fail_at("can't assign to " + quote(source_.substr(e->begin, e->end - e->begin)), e->line);
}

Stmt* Parser::parse_set() {
  const std::uint32_t line = next().line;
  Target* target = parse_target(true);
  if (skip(TokenKind::assign)) {
    auto* node = make_stmt<SetStmt>(StmtKind::set, line);
    node->target = target;
    node->value = parse_tuple();
    return node;
  }
  auto* node = make_stmt<SetBlockStmt>(StmtKind::set_block, line);
  node->target = target;
  node->filter = parse_filter(nullptr);
  node->body = parse_body({"endset"});
  next();
  return node;
}

Stmt* Parser::parse_with() {
  auto* node = make_stmt<WithStmt>(StmtKind::with, next().line);
  std::vector<Target*> targets;
  std::vector<Expr*> values;
  while (!is(TokenKind::block_end)) {
    if (!targets.empty()) expect(TokenKind::comma);
    // `with a, b = pair` reads as one target, as in Jinja2.
    targets.push_back(parse_target(false));
    expect(TokenKind::assign);
    values.push_back(parse_expression());
  }
  node->targets = copy(targets);
  node->values = copy(values);
  node->count = static_cast<std::uint32_t>(targets.size());
  node->body = parse_body({"endwith"});
  next();
  return node;
}

void Parser::parse_signature(Function& function) {
  expect(TokenKind::left_paren);
  std::vector<Param> params;
  bool defaults = false;
  while (!is(TokenKind::right_paren)) {
    if (!params.empty()) expect(TokenKind::comma);
    Param param{};
    param.name = expect(TokenKind::name).text;
    for (const Param& other : params) {
      if (other.name == param.name) {
        fail("duplicate argument " + quote(param.name) + " in macro definition");
      }
    }
    if (skip(TokenKind::assign)) {
      param.default_value = parse_expression();
      defaults = true;
    } else if (defaults) {
      fail("non-default argument follows default argument");
    }
    param.info = arena_.make<UndefinedInfo>(
        arena_.copy("parameter " + quote(param.name) + " was not provided"));
    params.push_back(param);
    if (params.size() > 1000) fail("too many parameters");
  }
  expect(TokenKind::right_paren);
  function.params = copy(params);
  function.param_count = static_cast<std::uint32_t>(params.size());
}

Stmt* Parser::parse_macro() {
  auto* node = make_stmt<MacroStmt>(StmtKind::macro, next().line);
  node->function = arena_.make<Function>();
  node->function->name = expect(TokenKind::name).text;
  parse_signature(*node->function);
  node->function->body = parse_body({"endmacro"});
  next();
  return node;
}

Stmt* Parser::parse_call_block() {
  auto* node = make_stmt<CallStmt>(StmtKind::call, next().line);
  node->body = arena_.make<Function>();
  if (is(TokenKind::left_paren)) parse_signature(*node->body);
  Expr* call = parse_expression();
  if (call->kind != ExprKind::call) fail_at("expected call", node->line);
  node->call = static_cast<CallExpr*>(call);
  node->body->body = parse_body({"endcall"});
  next();
  return node;
}

Stmt* Parser::parse_generation() {
  auto* node = make_stmt<CallStmt>(StmtKind::generation, next().line);
  node->body = arena_.make<Function>();
  node->body->body = parse_body({"endgeneration"});
  next();
  return node;
}

Stmt* Parser::parse_filter_block() {
  auto* node = make_stmt<FilterStmt>(StmtKind::filter, next().line);
  node->filter = parse_filter(nullptr, true);
  node->body = parse_body({"endfilter"});
  next();
  return node;
}

Stmt* Parser::parse_block() {
  auto* node = make_stmt<BlockStmt>(StmtKind::block, next().line);
  node->name = expect(TokenKind::name).text;
  node->scoped = skip_name("scoped");
  node->required = skip_name("required");
  if (is(TokenKind::subtract)) {
    fail(
        "Block names in Jinja have to be valid Python identifiers and may not contain hyphens,"
        " use an underscore instead.");
  }
  node->function = arena_.make<Function>();
  node->function->name = node->name;
  node->function->body = parse_body({"endblock"});
  next();
  if (node->required) {
    for (const Stmt* s : node->function->body.span()) {
      if (s->kind != StmtKind::text ||
          !strip_space(static_cast<const TextStmt*>(s)->text).empty()) {
        fail("Required blocks can only contain comments or whitespace");
      }
    }
  }
  skip_name(node->name);
  return node;
}

Stmt* Parser::parse_autoescape() {
  auto* node = make_stmt<AutoescapeStmt>(StmtKind::autoescape, next().line);
  node->on = parse_expression();
  node->body = parse_body({"endautoescape"});
  next();
  return node;
}

void Parser::skip_context_clause() {
  if ((is_name("with") || is_name("without")) && peek().kind == TokenKind::name &&
      peek().text == "context") {
    next();
    next();
  }
}

/// Other templates do not exist for a chat template; reaching the tag is an error, as it is with
/// Jinja2 without a loader.
Stmt* Parser::parse_import_like(std::string_view tag) {
  auto* node = make_stmt<UnsupportedStmt>(StmtKind::unsupported, next().line);
  node->what = tag;
  parse_expression();
  if (tag == "include") {
    if (skip_name("ignore")) expect_name("missing");
    skip_context_clause();
  } else if (tag == "import") {
    expect_name("as");
    expect(TokenKind::name);
    skip_context_clause();
  } else if (tag == "from") {
    expect_name("import");
    bool first = true;
    while (!is(TokenKind::block_end)) {
      if (!first) expect(TokenKind::comma);
      first = false;
      skip_context_clause();
      if (is(TokenKind::block_end)) break;
      expect(TokenKind::name);
      if (skip_name("as")) expect(TokenKind::name);
      skip_context_clause();
    }
  }
  return node;
}

}  // namespace dynamo::jinja::detail
