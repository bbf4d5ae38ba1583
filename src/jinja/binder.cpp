// SPDX-License-Identifier: Apache-2.0
#include "jinja/binder.h"

#include <algorithm>
#include <deque>

#include "jinja/failure.h"
#include "jinja/symbols.h"
#include "jinja/text.h"
#include "jinja/walk.h"

namespace dynamo::jinja::detail {
namespace {

/// The compile-time side of a scope while its code is bound.
struct Place {
  const Symbols* symbols;
  bool toplevel = false;  ///< the template itself and conditions in it: what is set is global
  bool soft = false;      ///< inside a condition: unknown filters fail only when reached
  bool in_loop = false;   ///< break and continue mean something
  Escape escape = Escape::off;
};

class Binder {
 public:
  explicit Binder(Template::Compiled& code) : code_(code) {}

  void bind_template(const Body& body) {
    code_.root.body = body;
    collect_blocks(body);
    FunctionLayout layout{&code_.root, nullptr, {}};
    Symbols symbols(&layout, nullptr);
    if (undeclared_names(body, {"self"}) != 0) symbols.declare_special("self", LoadKind::self);
    SymbolVisitor(symbols).visit(body);
    Place place{&symbols};
    place.toplevel = true;
    bind(code_.root.body, place);
    code_.root.scope = make_scope(symbols);
    for (BlockStmt* block : blocks_) bind_block(*block);
    // Only what some function looks up by name needs to be published.
    for (const auto& [id, name] : exports_) {
      const auto at = name_ids_.find(name);
      *id = at == name_ids_.end() ? -1 : at->second;
    }
  }

 private:
  class BlockFinder final : public Walker {
   public:
    explicit BlockFinder(std::vector<BlockStmt*>& found) : found_(found) {}
    void statement(Stmt& s) override {
      if (s.kind == StmtKind::block) found_.push_back(static_cast<BlockStmt*>(&s));
      Walker::statement(s);
    }

   private:
    std::vector<BlockStmt*>& found_;
  };

  void collect_blocks(const Body& body) {
    BlockFinder(blocks_).walk(body);
    for (const BlockStmt* block : blocks_) {
      if (!code_.blocks.try_emplace(block->name, block).second) {
        fail_syntax("block " + quote(block->name) + " defined twice", block->line);
      }
    }
  }

  void bind_block(BlockStmt& block) {
    Function& f = *block.function;
    FunctionLayout layout{&f, nullptr, {}};
    Symbols symbols(&layout, nullptr);
    const unsigned special = undeclared_names(f.body, {"self", "super"});
    if ((special & 1) != 0) symbols.declare_special("self", LoadKind::self);
    if ((special & 2) != 0) symbols.declare_special("super", LoadKind::super);
    SymbolVisitor(symbols).visit(f.body);
    bind(f.body, Place{&symbols});
    f.scope = make_scope(symbols);
  }

  std::uint16_t name_id(std::string_view name) {
    if (code_.names.size() >= 60000) fail_syntax("too many variables", 0);
    const auto [at, added] =
        name_ids_.try_emplace(name, static_cast<std::uint16_t>(code_.names.size()));
    if (added) code_.names.push_back(name);
    return at->second;
  }

  VarRef ref_to(const Variable& variable, const Symbols& from) const {
    VarRef ref;
    ref.slot = variable.slot;
    for (const FunctionLayout* f = from.layout(); f != variable.owner; f = f->outer) ++ref.hops;
    return ref;
  }
  VarRef ref_to(std::string_view name, const Symbols& from) const {
    return ref_to(*from.find(name), from);
  }

  Scope make_scope(const Symbols& symbols) {
    std::vector<Load> loads;
    for (const auto& [variable, info] : symbols.loads()) {
      Load load{};
      load.kind = info.kind;
      load.slot = variable.slot;
      if (info.kind == LoadKind::resolve) load.name_id = name_id(info.name);
      if (info.kind == LoadKind::alias) load.from = ref_to(info.from, symbols);
      loads.push_back(load);
    }
    Scope scope;
    scope.count = static_cast<std::uint32_t>(loads.size());
    Load* copy = code_.arena.array<Load>(loads.size());
    std::copy(loads.begin(), loads.end(), copy);
    scope.loads = copy;
    return scope;
  }

  void bind(const Body& body, const Place& place) {
    for (Stmt* s : body.span()) bind(*s, place);
  }

  void bind(Stmt& s, const Place& place) {
    switch (s.kind) {
      case StmtKind::text:
      case StmtKind::unsupported:
        break;
      case StmtKind::output:
        static_cast<OutputStmt&>(s).escape = place.escape;
        bind(static_cast<OutputStmt&>(s).value, place);
        break;
      case StmtKind::if_: {
        auto& node = static_cast<IfStmt&>(s);
        Place soft = place;
        soft.soft = true;
        for (std::uint32_t i = 0; i < node.branch_count; ++i) {
          bind(node.branches[i].test, soft);
          bind(node.branches[i].body, soft);
        }
        bind(node.otherwise, soft);
        break;
      }
      case StmtKind::for_:
        bind_for(static_cast<ForStmt&>(s), place);
        break;
      case StmtKind::set:
        bind_target(*static_cast<SetStmt&>(s).target, place, place.toplevel);
        bind(static_cast<SetStmt&>(s).value, place);
        break;
      case StmtKind::set_block: {
        auto& node = static_cast<SetBlockStmt&>(s);
        Symbols symbols(place.symbols->layout(), place.symbols);
        SymbolVisitor visitor(symbols);
        visitor.visit(node.body);
        visitor.visit(node.filter);
        const Place inner = inner_place(place, symbols);
        bind(node.body, inner);
        bind(node.filter, inner);
        bind_target(*node.target, place, place.toplevel);
        node.scope = make_scope(symbols);
        break;
      }
      case StmtKind::with: {
        auto& node = static_cast<WithStmt&>(s);
        Symbols symbols(place.symbols->layout(), place.symbols);
        SymbolVisitor visitor(symbols);
        for (std::uint32_t i = 0; i < node.count; ++i) visitor.visit_store(*node.targets[i], true);
        visitor.visit(node.body);
        const Place inner = inner_place(place, symbols);
        for (std::uint32_t i = 0; i < node.count; ++i) {
          bind_target(*node.targets[i], inner, false);
          bind(node.values[i], place);
        }
        bind(node.body, inner);
        node.scope = make_scope(symbols);
        break;
      }
      case StmtKind::macro: {
        auto& node = static_cast<MacroStmt&>(s);
        bind_function(*node.function, place, node.line);
        node.ref = ref_to(node.function->name, *place.symbols);
        node.export_name = -1;
        if (place.toplevel) exports_.emplace_back(&node.export_name, node.function->name);
        break;
      }
      case StmtKind::call:
      case StmtKind::generation: {
        auto& node = static_cast<CallStmt&>(s);
        node.escape = place.escape;
        bind_function(*node.body, place, node.line);
        if (node.call) bind(node.call, place);
        break;
      }
      case StmtKind::filter: {
        auto& node = static_cast<FilterStmt&>(s);
        node.escape = place.escape;
        Symbols symbols(place.symbols->layout(), place.symbols);
        SymbolVisitor visitor(symbols);
        visitor.visit(node.body);
        visitor.visit(node.filter);
        const Place inner = inner_place(place, symbols);
        bind(node.body, inner);
        bind(node.filter, inner);
        node.scope = make_scope(symbols);
        break;
      }
      case StmtKind::block: {
        auto& node = static_cast<BlockStmt&>(s);
        if (!node.scoped) break;
        std::vector<LocalName> locals;
        for (const auto& [name, variable] : place.symbols->visible_stores()) {
          locals.push_back({name_id(name), ref_to(variable, *place.symbols)});
        }
        node.locals = code_.arena.array<LocalName>(locals.size());
        std::copy(locals.begin(), locals.end(), node.locals);
        node.local_count = static_cast<std::uint32_t>(locals.size());
        break;
      }
      case StmtKind::break_:
      case StmtKind::continue_:
        if (!place.in_loop) {
          fail_syntax(s.kind == StmtKind::break_ ? "'break' outside loop"
                                                 : "'continue' not properly in loop",
                      s.line);
        }
        break;
      case StmtKind::autoescape: {
        auto& node = static_cast<AutoescapeStmt&>(s);
        Symbols symbols(place.symbols->layout(), place.symbols);
        SymbolVisitor visitor(symbols);
        visitor.visit(node.on);
        visitor.visit(node.body);
        Place inner = inner_place(place, symbols);
        bind(node.on, inner);
        inner.escape = node.on->kind != ExprKind::constant                      ? Escape::dynamic
                       : is_true(static_cast<const ConstExpr*>(node.on)->value) ? Escape::on
                                                                                : Escape::off;
        bind(node.body, inner);
        node.scope = make_scope(symbols);
        break;
      }
    }
  }

  static Place inner_place(const Place& place, const Symbols& symbols) {
    Place inner{&symbols};
    inner.in_loop = place.in_loop;
    inner.escape = place.escape;
    return inner;
  }

  FunctionLayout& new_layout(Function& function, const Place& place) {
    FunctionLayout& outer = *place.symbols->layout();
    outer.function->has_inner = true;
    layouts_.push_back({&function, &outer, {}});
    return layouts_.back();
  }

  void refuse_loop_target(const Target& target) {
    if (target.kind == TargetKind::variable && target.name == "loop") {
      fail_syntax("Can't assign to special loop variable in for-loop target", target.line);
    }
    for (std::uint32_t i = 0; i < target.count; ++i) refuse_loop_target(*target.items[i]);
  }

  class LoopTargetFinder final : public Walker {
   public:
    explicit LoopTargetFinder(Binder& binder) : binder_(binder) {}
    void target(Target& t) override { binder_.refuse_loop_target(t); }

   private:
    Binder& binder_;
  };

  void bind_for(ForStmt& node, const Place& place) {
    LoopTargetFinder(*this).statement(node);
    std::vector<BlockStmt*> inner_blocks;
    BlockFinder(inner_blocks).statement(node);
    node.uses_loop = node.recursive || undeclared_names(node.body, {"loop"}) != 0 ||
                     std::any_of(inner_blocks.begin(), inner_blocks.end(),
                                 [](const BlockStmt* b) { return b->scoped; });

    if (node.test) {
      node.filter = code_.arena.make<Function>();
      FunctionLayout& layout = new_layout(*node.filter, place);
      Symbols symbols(&layout, place.symbols);
      SymbolVisitor visitor(symbols);
      visitor.visit_store(*node.target, true);
      visitor.visit(node.test);
      Place inner{&symbols};
      inner.soft = place.soft;
      bind(node.test, Place{&symbols});
      // The same target, with the slots of the filter's own frame.
      node.filter_target = copy_target(*node.target);
      bind_target(*node.filter_target, inner, false);
      node.filter->scope = make_scope(symbols);
    }

    FunctionLayout* layout = place.symbols->layout();
    if (node.recursive) {
      node.recursion = code_.arena.make<Function>();
      layout = &new_layout(*node.recursion, place);
    }
    Symbols symbols(layout, place.symbols);
    if (node.uses_loop) symbols.declare_parameter("loop");
    SymbolVisitor visitor(symbols);
    visitor.visit_store(*node.target, true);
    visitor.visit(node.body);
    Place inner{&symbols};
    inner.in_loop = true;
    inner.escape = place.escape;
    bind_target(*node.target, inner, false);
    bind(node.body, inner);
    if (node.uses_loop) node.loop = ref_to("loop", symbols);
    node.scope = make_scope(symbols);

    if (node.otherwise.count != 0) {
      Symbols else_symbols(layout, place.symbols);
      SymbolVisitor(else_symbols).visit(node.otherwise);
      Place otherwise = inner_place(place, else_symbols);
      if (node.recursive) otherwise.in_loop = false;
      bind(node.otherwise, otherwise);
      node.else_scope = make_scope(else_symbols);
    }
    bind(node.iterable, place);
  }

  Target* copy_target(const Target& target) {
    Target* copy = code_.arena.make<Target>(target);
    if (target.count != 0) {
      copy->items = code_.arena.array<Target*>(target.count);
      for (std::uint32_t i = 0; i < target.count; ++i)
        copy->items[i] = copy_target(*target.items[i]);
    }
    return copy;
  }

  void bind_function(Function& f, const Place& place, std::uint32_t line) {
    FunctionLayout& layout = new_layout(f, place);
    Symbols symbols(&layout, place.symbols);
    SymbolVisitor visitor(symbols);
    const auto analyze = [&] {
      for (std::uint32_t i = 0; i < f.param_count; ++i) symbols.declare_parameter(f.params[i].name);
      for (std::uint32_t i = 0; i < f.param_count; ++i) visitor.visit(f.params[i].default_value);
      visitor.visit(f.body);
    };
    analyze();
    const unsigned special = undeclared_names(f.body, {"caller", "kwargs", "varargs"});
    const auto named = [&f](std::string_view name) -> const Param* {
      for (std::uint32_t i = 0; i < f.param_count; ++i) {
        if (f.params[i].name == name) return &f.params[i];
      }
      return nullptr;
    };
    const Param* explicit_caller = named("caller");
    f.explicit_caller = explicit_caller != nullptr;
    if ((special & 1) != 0) {
      if (explicit_caller && !explicit_caller->default_value) {
        fail_syntax(
            "When defining macros or call blocks the special \"caller\" argument must be omitted"
            " or be given a default.",
            line);
      }
      f.takes_caller = true;
      if (!explicit_caller) symbols.declare_parameter("caller");
    }
    if ((special & 2) != 0 && !named("kwargs")) {
      f.takes_kwargs = true;
      symbols.declare_parameter("kwargs");
    }
    if ((special & 4) != 0 && !named("varargs")) {
      f.takes_varargs = true;
      symbols.declare_parameter("varargs");
    }
    visitor.visit(f.body);

    Place inner{&symbols};
    inner.escape = place.escape;
    for (std::uint32_t i = 0; i < f.param_count; ++i) {
      f.params[i].ref = ref_to(f.params[i].name, symbols);
      if (f.params[i].default_value) bind(f.params[i].default_value, inner);
    }
    if (f.takes_caller) f.caller = ref_to("caller", symbols);
    if (f.takes_kwargs) f.kwargs = ref_to("kwargs", symbols);
    if (f.takes_varargs) f.varargs = ref_to("varargs", symbols);
    f.autoescape = place.escape == Escape::on;
    bind(f.body, inner);
    f.scope = make_scope(symbols);
  }

  void bind_target(Target& target, const Place& place, bool exported) {
    switch (target.kind) {
      case TargetKind::variable:
        if (exported) exports_.emplace_back(&target.export_name, target.name);
        [[fallthrough]];
      case TargetKind::namespace_attribute:
        target.ref = ref_to(target.name, *place.symbols);
        break;
      case TargetKind::tuple:
        for (std::uint32_t i = 0; i < target.count; ++i) {
          bind_target(*target.items[i], place, exported);
        }
        break;
    }
  }

  /// Expressions: names get their slots, unknown filters and tests are refused.
  class ExprBinder final : public Walker {
   public:
    ExprBinder(Binder& binder, const Place& place) : binder_(binder), place_(place) {}
    void expression(Expr& e) override {
      if (e.kind == ExprKind::name) {
        auto& name = static_cast<NameExpr&>(e);
        name.ref = binder_.ref_to(name.name, *place_.symbols);
        return;
      }
      if (e.kind == ExprKind::filter || e.kind == ExprKind::test) {
        const auto& apply = static_cast<ApplyExpr&>(e);
        if (!apply.function && soft_ == 0 && !place_.soft) {
          fail_syntax(std::string("No ") + (e.kind == ExprKind::filter ? "filter" : "test") +
                          " named " + quote(apply.name) + ".",
                      e.line);
        }
      }
      if (e.kind == ExprKind::conditional) ++soft_;
      Walker::expression(e);
      if (e.kind == ExprKind::conditional) --soft_;
    }

   private:
    Binder& binder_;
    const Place& place_;
    int soft_ = 0;
  };

  void bind(Expr* e, const Place& place) {
    if (e) ExprBinder(*this, place).expression(*e);
  }

  Template::Compiled& code_;
  std::vector<BlockStmt*> blocks_;
  std::deque<FunctionLayout> layouts_;
  std::map<std::string_view, std::uint16_t> name_ids_;
  std::vector<std::pair<std::int32_t*, std::string_view>> exports_;
};

}  // namespace

void bind(Template::Compiled& code, const Body& body) {
  Binder(code).bind_template(body);
}

}  // namespace dynamo::jinja::detail
