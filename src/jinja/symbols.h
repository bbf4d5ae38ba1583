// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/ast.h"

namespace dynamo::jinja::detail {

/// A function while its variables are laid out. A variable is known by its scope's level and its
/// name, so two loops one after the other share the slot of a name both set, as in the Python code
/// that Jinja2 would generate.
struct FunctionLayout {
  Function* function;
  FunctionLayout* outer;
  std::map<std::pair<int, std::string_view>, std::uint16_t> slots;
  std::uint16_t slot_of(int level, std::string_view name);
};

/// A variable and the function that owns it.
struct Variable {
  FunctionLayout* owner = nullptr;
  std::uint16_t slot = 0;
  auto operator<=>(const Variable&) const = default;
};

/// The names of one scope. Source of the rules: Jinja2's idtracking.
class Symbols {
 public:
  /// A scope inside `parent`.
  Symbols(FunctionLayout* layout, const Symbols* parent)
      : layout_(layout), parent_(parent), level_(parent ? parent->level_ + 1 : 0) {}
  /// One branch of an `if`: the same scope, and what the branch adds to it.
  static Symbols branch_of(const Symbols& base);

  /// A name is read: unless some scope has it, it comes from the context.
  void load(std::string_view name);
  /// A name is written: it starts as the outer variable of that name, if there is one.
  void store(std::string_view name);
  /// A name that something else gives a value before the scope is used.
  Variable declare_parameter(std::string_view name);
  void declare_special(std::string_view name, LoadKind kind);
  /// Takes over what the branches of an `if` added.
  void merge_branches(const std::vector<Symbols>& branches);

  const Variable* find(std::string_view name) const noexcept;
  /// Names written here or in the scopes around.
  std::map<std::string_view, Variable> visible_stores() const;

  struct LoadInfo {
    LoadKind kind;
    std::string_view name;
    Variable from;
  };
  const std::map<Variable, LoadInfo>& loads() const noexcept { return loads_; }
  FunctionLayout* layout() const noexcept { return layout_; }

 private:
  Variable define(std::string_view name, const LoadInfo& load);
  const Variable* find_here(std::string_view name) const noexcept;
  bool stores_here(std::string_view name) const noexcept;

  FunctionLayout* layout_;
  const Symbols* parent_;
  const Symbols* base_ = nullptr;  ///< of a branch: what it adds to
  int level_;
  std::map<std::string_view, Variable> refs_;
  std::map<Variable, LoadInfo> loads_;
  std::set<std::string_view> stores_;
};

/// Analyses statements and expressions for a scope: which names they read and write there.
class SymbolVisitor {
 public:
  explicit SymbolVisitor(Symbols& symbols) : symbols_(&symbols) {}
  void visit(const Body& body);
  void visit(const Expr* e);
  void visit_store(const Target& target, bool as_parameter);

 private:
  void visit(const Stmt& statement);
  void visit(const Arguments& args);
  Symbols* symbols_;
};

/// Which of `names` (a bit each) are read somewhere in the body before they are written, also in
/// inner scopes.
unsigned undeclared_names(const Body& body, std::initializer_list<std::string_view> names);

}  // namespace dynamo::jinja::detail
