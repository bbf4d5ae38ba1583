// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "jinja/value.h"

/// The compiled form of a template: a tree of small nodes in one arena, with variables resolved to
/// slots, names to builtins and constants to values. Walking it is the interpreter's whole work.
namespace dynamo::jinja::detail {

struct Body;
struct Expr;
struct Function;

/// A variable of this function (hops 0) or of one around it.
struct VarRef {
  std::uint16_t hops = 0;
  std::uint16_t slot = 0;
};

enum class ExprKind : std::uint8_t {
  constant,
  name,
  attribute,
  item,
  slice,
  call,
  filter,
  test,
  sum,     ///< a + b + c …, flattened: prompts are built of long ones
  concat,  ///< a ~ b ~ c …
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  negate,
  positive,
  compare,
  logical_and,
  logical_or,
  logical_not,
  conditional,
  list,
  tuple,
  dict,
};

struct Expr {
  ExprKind kind;
  std::uint16_t depth;  ///< levels of nodes below; bounds the interpreter's recursion
  std::uint32_t line;
  std::uint32_t begin, end;  ///< its place in the source, for messages
};

struct ConstExpr : Expr {
  Value value;
};
struct NameExpr : Expr {
  std::string_view name;
  VarRef ref;
  const UndefinedInfo* info;
};
struct AttributeExpr : Expr {
  Expr* object;
  const Attribute* attribute;
};
struct ItemExpr : Expr {
  Expr* object;
  Expr* index;
  /// For a constant text: what to do when there is no such item.
  const Attribute* attribute;
};
struct SliceExpr : Expr {
  Expr* object;
  Expr *start, *stop, *step;  ///< null when left out
};

struct Keyword {
  std::string_view name;
  Expr* value;
};
struct Arguments {
  Expr** positional;
  Keyword* keywords;
  Expr* star;       ///< *args or null
  Expr* star_star;  ///< **kwargs or null
  std::uint16_t positional_count;
  std::uint16_t keyword_count;
  bool is_simple() const noexcept { return keyword_count == 0 && !star && !star_star; }
};
struct CallExpr : Expr {
  Expr* callee;
  Arguments args;
};
/// The tests that need no call.
enum class FastTest : std::uint8_t {
  other,
  defined,
  undefined,
  none,
  string,
  mapping,
  iterable,
  boolean,
  true_,
  false_,
  number,
  sequence
};
/// A filter or a test.
struct ApplyExpr : Expr {
  Expr* input;              ///< null inside {% filter %} and {% set %}: the block's text
  const Builtin* function;  ///< null: unknown, and fails when it is reached
  std::string_view name;
  Arguments args;
  FastTest fast_test;
};
struct UnaryExpr : Expr {
  Expr* operand;
};
struct BinaryExpr : Expr {
  Expr *left, *right;
};
struct ManyExpr : Expr {  ///< sum, concat, list, tuple
  Expr** items;
  std::uint32_t count;
};
struct DictExpr : Expr {
  Expr** keys;
  Expr** values;
  std::uint32_t count;
};
enum class CompareOp : std::uint8_t { eq, ne, lt, le, gt, ge, in, not_in };
struct CompareExpr : Expr {
  Expr* first;
  Expr** operands;
  CompareOp* ops;
  std::uint32_t count;
};
struct ConditionalExpr : Expr {
  Expr* test;
  Expr* then;
  Expr* otherwise;              ///< may be null
  const UndefinedInfo* absent;  ///< what the value is then
};

/// What {% set %}, {% for %} and {% with %} write to.
enum class TargetKind : std::uint8_t { variable, namespace_attribute, tuple };
struct Target {
  TargetKind kind;
  std::uint32_t line;
  std::string_view name{};
  VarRef ref{};
  std::int32_t export_name = -1;  ///< variable: also a global of the template under this name id
  std::string_view attribute{};   ///< namespace_attribute
  Target** items = nullptr;       ///< tuple
  std::uint32_t count = 0;
};

/// How a variable gets its value when its scope is entered; a parameter has it already.
enum class LoadKind : std::uint8_t { parameter, resolve, alias, unset, self, super };
struct Load {
  LoadKind kind;
  std::uint16_t slot;
  std::uint16_t name_id;  ///< resolve
  VarRef from;            ///< alias
};
struct Scope {
  const Load* loads = nullptr;
  std::uint32_t count = 0;
};

enum class StmtKind : std::uint8_t {
  text,
  output,
  if_,
  for_,
  set,
  set_block,
  with,
  macro,
  call,
  filter,
  block,
  generation,
  break_,
  continue_,
  autoescape,
  unsupported,
};

struct Stmt {
  StmtKind kind;
  std::uint32_t line;
};
struct Body {
  Stmt** items = nullptr;
  std::uint32_t count = 0;
  std::span<Stmt*> span() const noexcept { return {items, count}; }
};

/// When printed values are HTML-escaped.
enum class Escape : std::uint8_t { off, on, dynamic };

struct TextStmt : Stmt {
  std::string_view text;
};
struct OutputStmt : Stmt {
  Expr* value;
  Escape escape;
};
struct Branch {
  Expr* test;
  Body body;
};
struct IfStmt : Stmt {
  Branch* branches;
  std::uint32_t branch_count;
  Body otherwise;
};
struct ForStmt : Stmt {
  Target* target;
  Expr* iterable;
  Expr* test;
  Body body;
  Body otherwise;
  bool recursive;
  bool uses_loop;
  VarRef loop;
  Scope scope;
  Scope else_scope;
  Function* filter;     ///< with a test: tries each item
  Function* recursion;  ///< recursive: the whole loop, called by loop(...)
  Target* filter_target;
};
struct SetStmt : Stmt {
  Target* target;
  Expr* value;
};
struct SetBlockStmt : Stmt {
  Target* target;
  Expr* filter;  ///< null, or filters whose innermost input is null
  Body body;
  Scope scope;
};
struct WithStmt : Stmt {
  Target** targets;
  Expr** values;
  std::uint32_t count;
  Body body;
  Scope scope;
};
struct Param {
  std::string_view name;
  Expr* default_value;  ///< null: undefined when not given
  VarRef ref;
  const UndefinedInfo* info;
};
/// What runs in a frame of its own: the template, a block, a macro, the body of a call, a loop's
/// filter or a recursive loop.
struct Function {
  std::string_view name;
  std::uint16_t slots;
  bool has_inner;  ///< other functions refer to its frame, which must outlive the call
  bool takes_caller, takes_kwargs, takes_varargs;
  bool explicit_caller;
  bool autoescape;
  Param* params;
  std::uint32_t param_count;
  VarRef caller, kwargs, varargs;
  Scope scope;
  Body body;
};
struct MacroStmt : Stmt {
  Function* function;
  VarRef ref;
  std::int32_t export_name;
};
struct CallStmt : Stmt {
  Function* body;
  CallExpr* call;  ///< null for {% generation %}
  Escape escape;
};
struct FilterStmt : Stmt {
  Expr* filter;
  Body body;
  Scope scope;
  Escape escape;
};
struct LocalName {
  std::uint16_t name_id;
  VarRef ref;
};
struct BlockStmt : Stmt {
  Function* function;
  std::string_view name;
  bool scoped, required;
  LocalName* locals;  ///< scoped: variables the block sees
  std::uint32_t local_count;
};
struct AutoescapeStmt : Stmt {
  Expr* on;
  Body body;
  Scope scope;
};
struct UnsupportedStmt : Stmt {
  std::string_view what;
};

}  // namespace dynamo::jinja::detail
