// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/jinja/template.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "jinja/ast.h"
#include "jinja/bigint.h"
#include "jinja/builtin.h"
#include "jinja/objects.h"

namespace dynamo::jinja::detail {

/// One render: walks the tree of a compiled template and appends to the output. Everything that
/// changes while rendering is in here.
class Interpreter {
 public:
  Interpreter(const Template::Compiled& code, const Context& context, std::string& out,
              const RenderOptions& options);
  /// Throws a Failure.
  void run();

  // --- for builtins -----------------------------------------------------------------------------
  Arena& arena() noexcept { return arena_; }
  /// Text made while rendering, moved into the arena.
  Value text(std::string_view text, bool markup = false) {
    charge(text.size() / 64);
    return make_string(arena_.copy(text), markup);
  }
  /// Accounts for work that grows with data.
  void charge(std::uint64_t steps) {
    if (steps > steps_left_) [[unlikely]]
      fail_steps();
    steps_left_ -= steps;
  }
  /// Accounts for spelling the value.
  void charge_text(const Value& v) {
    if (v.tag == Tag::big) [[unlikely]]
      charge(BigInt::steps(v, v));
  }
  /// Fails when the native stack is nearly used up.
  void check_stack();

  /// Jinja2's environment.getattr: attribute first, then item.
  Value attribute(const Value& object, const Attribute& attribute);
  /// Jinja2's environment.getitem: item first, then attribute.
  Value item(const Value& object, const Value& key, const Attribute* attribute = nullptr);
  Value call(const Value& callee, const CallArgs& args);
  Value apply(const Builtin& builtin, const Value& self, const CallArgs& args);
  /// Calls a macro or the like and returns its text.
  Value call_macro(const MacroObject& macro, const CallArgs& args);
  Value call_loop(const LoopState& loop, const Value& iterable);
  /// Whether a loop's filter accepts an item; its variables live in `frame`.
  bool loop_filter(const ForStmt& loop, Frame& frame, const Value& item);
  void enter(const Scope& scope, Frame& frame);

  Value undefined_hint(std::string_view message);
  bool autoescape() const noexcept { return autoescape_; }
  const RenderOptions& options() const noexcept { return options_; }
  std::uint64_t random();
  /// Line of the statement that is executing, and the expression in it, for messages.
  std::uint32_t line() const noexcept { return line_; }
  const Expr* expression() const noexcept { return expression_; }

 private:
  enum class Flow : std::uint8_t { normal, break_loop, continue_loop };
  class Call;

  [[noreturn]] void fail_steps() const;
  [[noreturn]] void fail_output() const;

  // Statements (interpreter_statements.cpp).
  Flow run_body(const Body& body, Frame& frame);
  Flow run_statement(const Stmt& statement, Frame& frame);
  Flow run_if(const IfStmt& node, Frame& frame);
  Flow run_for(const ForStmt& node, Frame& frame);
  Flow run_loop(const ForStmt& node, const Value& iterable, Frame& frame, std::int64_t depth0);
  void run_set_block(const SetBlockStmt& node, Frame& frame, Flow& flow);
  Flow run_with(const WithStmt& node, Frame& frame);
  Flow run_filter(const FilterStmt& node, Frame& frame);
  Flow run_autoescape(const AutoescapeStmt& node, Frame& frame);
  void run_call(const CallStmt& node, Frame& frame);
  void run_block(const BlockStmt& node, Frame& frame);
  void run_function(const Function& function, Frame* outer, const Value* args);
  void leave(const Scope& scope, Frame& frame);
  void assign(const Target& target, const Value& value, Frame& frame);
  void unpack(const Target& target, const Value& value, Frame& frame);
  /// Takes back what was printed since `begin`, as a text.
  Value take_output(std::size_t begin, bool markup);

  // Expressions (interpreter.cpp).
  Value eval(const Expr& e, Frame& frame);
  Value eval_name(const NameExpr& e, Frame& frame);
  Value eval_attribute(const AttributeExpr& e, Frame& frame);
  Value eval_item(const ItemExpr& e, Frame& frame);
  Value eval_slice(const SliceExpr& e, Frame& frame);
  Value eval_call(const CallExpr& e, Frame& frame, const Value* caller = nullptr);
  Value eval_filter(const ApplyExpr& e, Frame& frame, const Value* block_text = nullptr);
  Value eval_test(const ApplyExpr& e, Frame& frame);
  Value eval_sum(const ManyExpr& e, Frame& frame);
  Value eval_concat(const ManyExpr& e, Frame& frame);
  Value eval_arithmetic(const BinaryExpr& e, Frame& frame);
  Value eval_compare(const CompareExpr& e, Frame& frame);
  Value eval_many(const ManyExpr& e, Frame& frame);
  Value eval_dict(const DictExpr& e, Frame& frame);
  bool compare(CompareOp op, const Value& a, const Value& b);
  bool eval_true(const Expr& e, Frame& frame) { return is_true(eval(e, frame)); }

  /// Evaluates and prints, without making a value of text that is built up.
  void print(const Expr& e, Frame& frame, bool escape);
  void print_value(const Value& value, bool escape);
  void print_text(const Value& value);
  void append(std::string_view text) {
    if (text.size() > output_limit_ - out_.size()) [[unlikely]]
      fail_output();
    out_.append(text);
  }
  bool escapes(Escape escape) const noexcept {
    return escape == Escape::on || (escape == Escape::dynamic && autoescape_);
  }

  Value& variable(const VarRef& ref, Frame& frame) noexcept {
    Frame* f = &frame;
    // The binder counts only frames that are there.
    // NOLINTBEGIN(clang-analyzer-core.NullDereference)
    for (std::uint16_t i = ref.hops; i > 0; --i) f = f->outer;
    return f->slots[ref.slot];
    // NOLINTEND(clang-analyzer-core.NullDereference)
  }

  const Template::Compiled& code_;
  const Context& context_;
  std::string& out_;
  const RenderOptions& options_;
  Arena arena_;
  std::uint64_t steps_left_;
  std::size_t output_limit_;
  std::uint32_t recursion_left_;
  const char* stack_base_ = nullptr;
  Value* names_ = nullptr;  ///< what the template's global names stand for, by name id
  std::uint32_t line_ = 0;
  const Expr* expression_ = nullptr;
  bool autoescape_ = false;
  std::uint64_t random_state_ = 0;
};

}  // namespace dynamo::jinja::detail
