// SPDX-License-Identifier: Apache-2.0
#include "jinja/walk.h"

#include "jinja/symbols.h"

namespace dynamo::jinja::detail {

void Walker::walk(Arguments& args) {
  for (std::uint16_t i = 0; i < args.positional_count; ++i) walk(args.positional[i]);
  for (std::uint16_t i = 0; i < args.keyword_count; ++i) walk(args.keywords[i].value);
  walk(args.star);
  walk(args.star_star);
}

void Walker::walk_signature(Function& f) {
  for (std::uint32_t i = 0; i < f.param_count; ++i) parameter(f.params[i]);
  for (std::uint32_t i = 0; i < f.param_count; ++i) walk(f.params[i].default_value);
}

void Walker::target(Target& t) {
  for (std::uint32_t i = 0; i < t.count; ++i) target(*t.items[i]);
}

void Walker::statement(Stmt& s) {
  switch (s.kind) {
    case StmtKind::output:
      walk(static_cast<OutputStmt&>(s).value);
      break;
    case StmtKind::if_: {
      auto& node = static_cast<IfStmt&>(s);
      for (std::uint32_t i = 0; i < node.branch_count; ++i) {
        walk(node.branches[i].test);
        walk(node.branches[i].body);
      }
      walk(node.otherwise);
      break;
    }
    case StmtKind::for_: {
      auto& node = static_cast<ForStmt&>(s);
      target(*node.target);
      walk(node.iterable);
      walk(node.body);
      walk(node.otherwise);
      walk(node.test);
      break;
    }
    case StmtKind::set:
      target(*static_cast<SetStmt&>(s).target);
      walk(static_cast<SetStmt&>(s).value);
      break;
    case StmtKind::set_block:
      target(*static_cast<SetBlockStmt&>(s).target);
      walk(static_cast<SetBlockStmt&>(s).filter);
      walk(static_cast<SetBlockStmt&>(s).body);
      break;
    case StmtKind::with: {
      auto& node = static_cast<WithStmt&>(s);
      for (std::uint32_t i = 0; i < node.count; ++i) target(*node.targets[i]);
      for (std::uint32_t i = 0; i < node.count; ++i) walk(node.values[i]);
      walk(node.body);
      break;
    }
    case StmtKind::macro: {
      auto& node = static_cast<MacroStmt&>(s);
      walk_signature(*node.function);
      walk(node.function->body);
      break;
    }
    case StmtKind::call:
    case StmtKind::generation: {
      auto& node = static_cast<CallStmt&>(s);
      if (node.call) walk(node.call);
      walk_signature(*node.body);
      walk(node.body->body);
      break;
    }
    case StmtKind::filter:
      walk(static_cast<FilterStmt&>(s).body);
      walk(static_cast<FilterStmt&>(s).filter);
      break;
    case StmtKind::block:
      walk(static_cast<BlockStmt&>(s).function->body);
      break;
    case StmtKind::autoescape:
      walk(static_cast<AutoescapeStmt&>(s).on);
      walk(static_cast<AutoescapeStmt&>(s).body);
      break;
    case StmtKind::text:
    case StmtKind::break_:
    case StmtKind::continue_:
    case StmtKind::unsupported:
      break;
  }
}

void Walker::expression(Expr& e) {
  switch (e.kind) {
    case ExprKind::constant:
    case ExprKind::name:
      break;
    case ExprKind::attribute:
      walk(static_cast<AttributeExpr&>(e).object);
      break;
    case ExprKind::item:
      walk(static_cast<ItemExpr&>(e).object);
      walk(static_cast<ItemExpr&>(e).index);
      break;
    case ExprKind::slice: {
      auto& node = static_cast<SliceExpr&>(e);
      walk(node.object);
      walk(node.start);
      walk(node.stop);
      walk(node.step);
      break;
    }
    case ExprKind::call:
      walk(static_cast<CallExpr&>(e).callee);
      walk(static_cast<CallExpr&>(e).args);
      break;
    case ExprKind::filter:
    case ExprKind::test:
      walk(static_cast<ApplyExpr&>(e).input);
      walk(static_cast<ApplyExpr&>(e).args);
      break;
    case ExprKind::sum:
    case ExprKind::concat:
    case ExprKind::list:
    case ExprKind::tuple: {
      auto& node = static_cast<ManyExpr&>(e);
      for (std::uint32_t i = 0; i < node.count; ++i) walk(node.items[i]);
      break;
    }
    case ExprKind::subtract:
    case ExprKind::multiply:
    case ExprKind::divide:
    case ExprKind::floor_divide:
    case ExprKind::modulo:
    case ExprKind::power:
    case ExprKind::logical_and:
    case ExprKind::logical_or:
      walk(static_cast<BinaryExpr&>(e).left);
      walk(static_cast<BinaryExpr&>(e).right);
      break;
    case ExprKind::negate:
    case ExprKind::positive:
    case ExprKind::logical_not:
      walk(static_cast<UnaryExpr&>(e).operand);
      break;
    case ExprKind::compare: {
      auto& node = static_cast<CompareExpr&>(e);
      walk(node.first);
      for (std::uint32_t i = 0; i < node.count; ++i) walk(node.operands[i]);
      break;
    }
    case ExprKind::conditional: {
      auto& node = static_cast<ConditionalExpr&>(e);
      walk(node.test);
      walk(node.then);
      walk(node.otherwise);
      break;
    }
    case ExprKind::dict: {
      auto& node = static_cast<DictExpr&>(e);
      for (std::uint32_t i = 0; i < node.count; ++i) {
        walk(node.keys[i]);
        walk(node.values[i]);
      }
      break;
    }
  }
}

namespace {

/// Jinja2 decides by a plain walk whether `loop`, `caller`, … are meant: a name counts when it is
/// read before anything in walking order writes it.
class UndeclaredWalker final : public Walker {
 public:
  explicit UndeclaredWalker(std::initializer_list<std::string_view> names)
      : names_(names), open_((1U << names.size()) - 1) {}

  void expression(Expr& e) override {
    if (e.kind == ExprKind::name) {
      undeclared_ |= bit(static_cast<NameExpr&>(e).name) & open_;
      return;
    }
    Walker::expression(e);
  }
  void target(Target& t) override {
    if (t.kind == TargetKind::variable) open_ &= ~bit(t.name);
    Walker::target(t);
  }
  void parameter(Param& p) override { open_ &= ~bit(p.name); }
  void statement(Stmt& s) override {
    // Blocks are functions of their own, outside of this code.
    if (s.kind != StmtKind::block) Walker::statement(s);
  }

  unsigned undeclared() const noexcept { return undeclared_; }

 private:
  unsigned bit(std::string_view name) const noexcept {
    unsigned mask = 1;
    for (const std::string_view n : names_) {
      if (n == name) return mask;
      mask <<= 1;
    }
    return 0;
  }
  std::vector<std::string_view> names_;
  unsigned open_;
  unsigned undeclared_ = 0;
};

}  // namespace

unsigned undeclared_names(const Body& body, std::initializer_list<std::string_view> names) {
  UndeclaredWalker walker(names);
  walker.walk(body);
  return walker.undeclared();
}

}  // namespace dynamo::jinja::detail
