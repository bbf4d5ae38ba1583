// SPDX-License-Identifier: Apache-2.0
#include "jinja/facts.h"

#include <algorithm>

#include "jinja/builtin.h"
#include "jinja/walk.h"

namespace dynamo::jinja::detail {
namespace {

/// The name at the end of an access path: `content` for m.content, m['content'], m.get('content')
/// and a variable of that name; empty for anything else.
std::string_view last_name(const Expr* e) {
  switch (e->kind) {
    case ExprKind::name:
      return static_cast<const NameExpr*>(e)->name;
    case ExprKind::attribute:
      return static_cast<const AttributeExpr*>(e)->attribute->name();
    case ExprKind::item: {
      const Expr* index = static_cast<const ItemExpr*>(e)->index;
      if (index->kind != ExprKind::constant) return {};
      const Value& key = static_cast<const ConstExpr*>(index)->value;
      return key.is_string() ? key.str() : std::string_view();
    }
    case ExprKind::call: {
      const auto* call = static_cast<const CallExpr*>(e);
      if (call->callee->kind != ExprKind::attribute || call->args.positional_count == 0) return {};
      if (static_cast<const AttributeExpr*>(call->callee)->attribute->name() != "get") return {};
      const Expr* first = call->args.positional[0];
      if (first->kind != ExprKind::constant) return {};
      const Value& key = static_cast<const ConstExpr*>(first)->value;
      return key.is_string() ? key.str() : std::string_view();
    }
    default:
      return {};
  }
}

class FactWalker final : public Walker {
 public:
  explicit FactWalker(Template::Compiled& code) : code_(code) {}

  void expression(Expr& e) override {
    switch (e.kind) {
      case ExprKind::attribute:
        code_.mentions.push_back(static_cast<AttributeExpr&>(e).attribute->name());
        code_.attributes.push_back(static_cast<AttributeExpr&>(e).attribute->name());
        break;
      case ExprKind::item:
      case ExprKind::call:
        if (const std::string_view name = last_name(&e); !name.empty()) {
          code_.attributes.push_back(name);
        }
        break;
      case ExprKind::constant:
        note(static_cast<ConstExpr&>(e).value);
        break;
      case ExprKind::test: {
        const auto& test = static_cast<ApplyExpr&>(e);
        const bool dotted =
            test.input->kind == ExprKind::name || test.input->kind == ExprKind::attribute;
        if (test.name == "string" && dotted && last_name(test.input) == "arguments") {
          code_.facts.tests_arguments_is_string = true;
        }
        break;
      }
      case ExprKind::logical_not: {
        Expr& operand = *static_cast<UnaryExpr&>(e).operand;
        if (operand.kind != ExprKind::test) break;
        Walker::expression(operand);
        return;
      }
      default:
        break;
    }
    Walker::expression(e);
  }

 private:
  void note(const Value& constant) {
    if (constant.is_string()) code_.mentions.push_back(constant.str());
    if (constant.tag == Tag::list || constant.tag == Tag::tuple) {
      for (const Value& item : constant.list->span()) note(item);
    }
  }

  Template::Compiled& code_;
};

class ContentLoopFinder final : public Walker {
 public:
  void statement(Stmt& s) override {
    if (s.kind == StmtKind::for_) {
      const Expr* iterable = static_cast<ForStmt&>(s).iterable;
      // Filters and slices on the way do not matter.
      for (bool down = true; down;) {
        switch (iterable->kind) {
          case ExprKind::filter:
            down = static_cast<const ApplyExpr*>(iterable)->input != nullptr;
            if (down) iterable = static_cast<const ApplyExpr*>(iterable)->input;
            break;
          case ExprKind::slice:
            iterable = static_cast<const SliceExpr*>(iterable)->object;
            break;
          default:
            down = false;
        }
      }
      const std::string_view name = last_name(iterable);
      found_ = found_ || name.find("content") != std::string_view::npos || name == "item" ||
               name == "parts";
    }
    Walker::statement(s);
  }
  void expression(Expr& e) override {
    // content[0].text and content | map(…) read parts as well.
    if (e.kind == ExprKind::item) {
      const auto& item = static_cast<ItemExpr&>(e);
      found_ = found_ || last_name(item.object) == "content";
    }
    if (e.kind == ExprKind::filter) {
      const auto& filter = static_cast<ApplyExpr&>(e);
      const bool selects = filter.name == "map" || filter.name == "selectattr" ||
                           filter.name == "rejectattr" || filter.name == "first";
      found_ = found_ || (selects && filter.input && last_name(filter.input) == "content");
    }
    Walker::expression(e);
  }
  bool found() const noexcept { return found_; }

 private:
  bool found_ = false;
};

}  // namespace

void collect_facts(Template::Compiled& code) {
  FactWalker(code).walk(code.root.body);
  for (auto* names : {&code.mentions, &code.attributes}) {
    std::sort(names->begin(), names->end());
    names->erase(std::unique(names->begin(), names->end()), names->end());
  }
  const auto reads = [&](std::string_view name) {
    return std::find(code.names.begin(), code.names.end(), name) != code.names.end();
  };
  const auto mentions = [&](std::string_view name) {
    return std::binary_search(code.mentions.begin(), code.mentions.end(), name);
  };
  Facts& facts = code.facts;
  facts.reads_tools = reads("tools");
  facts.reads_documents = reads("documents");
  facts.reads_add_generation_prompt = reads("add_generation_prompt");
  facts.reads_enable_thinking = reads("enable_thinking");
  facts.reads_reasoning_content = mentions("reasoning_content");
  facts.reads_tool_calls = mentions("tool_calls");
  facts.reads_clock = reads("strftime_now");
  ContentLoopFinder finder;
  finder.walk(code.root.body);
  facts.walks_content = finder.found();
}

}  // namespace dynamo::jinja::detail
