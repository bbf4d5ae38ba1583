// SPDX-License-Identifier: Apache-2.0
#include "jinja/symbols.h"

#include <algorithm>

#include "jinja/failure.h"

namespace dynamo::jinja::detail {

std::uint16_t FunctionLayout::slot_of(int level, std::string_view name) {
  const auto next = static_cast<std::uint16_t>(slots.size());
  if (slots.size() >= 60000) fail_syntax("too many variables", 0);
  const auto [at, added] = slots.try_emplace({level, name}, next);
  if (added) function->slots = static_cast<std::uint16_t>(next + 1);
  return at->second;
}

Symbols Symbols::branch_of(const Symbols& base) {
  Symbols branch(base.layout_, base.parent_);
  branch.base_ = &base;
  return branch;
}

Variable Symbols::define(std::string_view name, const LoadInfo& load) {
  const Variable variable{layout_, layout_->slot_of(level_, name)};
  refs_[name] = variable;
  loads_[variable] = load;
  return variable;
}

const Variable* Symbols::find_here(std::string_view name) const noexcept {
  for (const Symbols* s = this; s; s = s->base_) {
    if (const auto at = s->refs_.find(name); at != s->refs_.end()) return &at->second;
  }
  return nullptr;
}

const Variable* Symbols::find(std::string_view name) const noexcept {
  for (const Symbols* s = this; s; s = s->parent_) {
    if (const Variable* variable = s->find_here(name)) return variable;
  }
  return nullptr;
}

bool Symbols::stores_here(std::string_view name) const noexcept {
  for (const Symbols* s = this; s; s = s->base_) {
    if (s->stores_.contains(name)) return true;
  }
  return false;
}

void Symbols::load(std::string_view name) {
  if (!find(name)) define(name, {LoadKind::resolve, name, {}});
}

void Symbols::store(std::string_view name) {
  stores_.insert(name);
  if (find_here(name)) return;
  const Variable* outer = parent_ ? parent_->find(name) : nullptr;
  if (outer) {
    define(name, {LoadKind::alias, name, *outer});
  } else {
    define(name, {LoadKind::unset, name, {}});
  }
}

Variable Symbols::declare_parameter(std::string_view name) {
  stores_.insert(name);
  return define(name, {LoadKind::parameter, name, {}});
}

void Symbols::declare_special(std::string_view name, LoadKind kind) {
  stores_.insert(name);
  define(name, {kind, name, {}});
}

void Symbols::merge_branches(const std::vector<Symbols>& branches) {
  std::set<std::string_view> stored;
  for (const Symbols& branch : branches) {
    for (const std::string_view name : branch.stores_) {
      if (!stores_here(name)) stored.insert(name);
    }
  }
  for (const Symbols& branch : branches) {
    for (const auto& [name, variable] : branch.refs_) refs_[name] = variable;
    for (const auto& [variable, load] : branch.loads_) loads_[variable] = load;
    stores_.insert(branch.stores_.begin(), branch.stores_.end());
  }
  // A branch that is not taken leaves the name as it is outside.
  for (const std::string_view name : stored) {
    const Variable target = *find(name);
    const Variable* outer = parent_ ? parent_->find(name) : nullptr;
    loads_[target] =
        outer ? LoadInfo{LoadKind::alias, name, *outer} : LoadInfo{LoadKind::resolve, name, {}};
  }
}

std::map<std::string_view, Variable> Symbols::visible_stores() const {
  std::map<std::string_view, Variable> visible;
  for (const Symbols* s = this; s; s = s->parent_) {
    for (const std::string_view name : s->stores_) visible.try_emplace(name, *find(name));
  }
  return visible;
}

void SymbolVisitor::visit(const Body& body) {
  for (const Stmt* s : body.span()) visit(*s);
}

void SymbolVisitor::visit_store(const Target& target, bool as_parameter) {
  switch (target.kind) {
    case TargetKind::variable:
      if (as_parameter) {
        symbols_->declare_parameter(target.name);
      } else {
        symbols_->store(target.name);
      }
      break;
    case TargetKind::namespace_attribute:
      symbols_->load(target.name);
      break;
    case TargetKind::tuple:
      for (std::uint32_t i = 0; i < target.count; ++i) visit_store(*target.items[i], as_parameter);
      break;
  }
}

void SymbolVisitor::visit(const Stmt& statement) {
  switch (statement.kind) {
    case StmtKind::output:
      visit(static_cast<const OutputStmt&>(statement).value);
      break;
    case StmtKind::if_: {
      const auto& node = static_cast<const IfStmt&>(statement);
      visit(node.branches[0].test);
      Symbols* const original = symbols_;
      std::vector<Symbols> branches(3, Symbols::branch_of(*original));
      symbols_ = &branches[0];
      visit(node.branches[0].body);
      symbols_ = &branches[1];
      for (std::uint32_t i = 1; i < node.branch_count; ++i) {
        // Each elif is an `if` of its own here.
        visit(node.branches[i].test);
        Symbols* const outer = symbols_;
        std::vector<Symbols> inner(3, Symbols::branch_of(*outer));
        symbols_ = &inner[0];
        visit(node.branches[i].body);
        symbols_ = outer;
        symbols_->merge_branches(inner);
      }
      symbols_ = &branches[2];
      visit(node.otherwise);
      symbols_ = original;
      symbols_->merge_branches(branches);
      break;
    }
    case StmtKind::for_:
      visit(static_cast<const ForStmt&>(statement).iterable);
      break;
    case StmtKind::set: {
      const auto& node = static_cast<const SetStmt&>(statement);
      visit(node.value);
      visit_store(*node.target, false);
      break;
    }
    case StmtKind::set_block:
      visit_store(*static_cast<const SetBlockStmt&>(statement).target, false);
      break;
    case StmtKind::with: {
      const auto& node = static_cast<const WithStmt&>(statement);
      for (std::uint32_t i = 0; i < node.count; ++i) visit(node.values[i]);
      break;
    }
    case StmtKind::macro:
      symbols_->store(static_cast<const MacroStmt&>(statement).function->name);
      break;
    case StmtKind::call:
      visit(static_cast<const CallStmt&>(statement).call);
      break;
    case StmtKind::filter:
      visit(static_cast<const FilterStmt&>(statement).filter);
      break;
    case StmtKind::text:
    case StmtKind::block:
    case StmtKind::generation:
    case StmtKind::break_:
    case StmtKind::continue_:
    case StmtKind::autoescape:
    case StmtKind::unsupported:
      break;
  }
}

void SymbolVisitor::visit(const Arguments& args) {
  for (std::uint16_t i = 0; i < args.positional_count; ++i) visit(args.positional[i]);
  for (std::uint16_t i = 0; i < args.keyword_count; ++i) visit(args.keywords[i].value);
  visit(args.star);
  visit(args.star_star);
}

void SymbolVisitor::visit(const Expr* e) {
  if (!e) return;
  switch (e->kind) {
    case ExprKind::constant:
      break;
    case ExprKind::name:
      symbols_->load(static_cast<const NameExpr*>(e)->name);
      break;
    case ExprKind::attribute:
      visit(static_cast<const AttributeExpr*>(e)->object);
      break;
    case ExprKind::item:
      visit(static_cast<const ItemExpr*>(e)->object);
      visit(static_cast<const ItemExpr*>(e)->index);
      break;
    case ExprKind::slice: {
      const auto* node = static_cast<const SliceExpr*>(e);
      visit(node->object);
      visit(node->start);
      visit(node->stop);
      visit(node->step);
      break;
    }
    case ExprKind::call:
      visit(static_cast<const CallExpr*>(e)->callee);
      visit(static_cast<const CallExpr*>(e)->args);
      break;
    case ExprKind::filter:
    case ExprKind::test:
      visit(static_cast<const ApplyExpr*>(e)->input);
      visit(static_cast<const ApplyExpr*>(e)->args);
      break;
    case ExprKind::sum:
    case ExprKind::concat:
    case ExprKind::list:
    case ExprKind::tuple: {
      const auto* node = static_cast<const ManyExpr*>(e);
      for (std::uint32_t i = 0; i < node->count; ++i) visit(node->items[i]);
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
      visit(static_cast<const BinaryExpr*>(e)->left);
      visit(static_cast<const BinaryExpr*>(e)->right);
      break;
    case ExprKind::negate:
    case ExprKind::positive:
    case ExprKind::logical_not:
      visit(static_cast<const UnaryExpr*>(e)->operand);
      break;
    case ExprKind::compare: {
      const auto* node = static_cast<const CompareExpr*>(e);
      visit(node->first);
      for (std::uint32_t i = 0; i < node->count; ++i) visit(node->operands[i]);
      break;
    }
    case ExprKind::conditional: {
      const auto* node = static_cast<const ConditionalExpr*>(e);
      visit(node->test);
      visit(node->then);
      visit(node->otherwise);
      break;
    }
    case ExprKind::dict: {
      const auto* node = static_cast<const DictExpr*>(e);
      for (std::uint32_t i = 0; i < node->count; ++i) {
        visit(node->keys[i]);
        visit(node->values[i]);
      }
      break;
    }
  }
}

}  // namespace dynamo::jinja::detail
