// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "jinja/ast.h"
#include "jinja/iteration.h"
#include "jinja/value.h"

/// The objects of a render that have state or code.
namespace dynamo::jinja::detail {

/// The variables of one running function. Heap-like (in the arena) when inner functions refer to
/// it, on the C++ stack otherwise.
struct Frame {
  Value* slots;
  Frame* outer;  ///< frame of the function around this one in the source
};

struct MethodObject {
  const Builtin* function;
  Value self;
};

struct MacroObject {
  const Function* function;
  Frame* outer;
  std::string_view name() const noexcept { return function->name; }
};

struct NamespaceObject {
  DictBuilder attributes;
};

struct Cycler {
  std::span<const Value> items;
  std::size_t position;
};

struct Joiner {
  Value separator;
  bool used;
};

struct BlockReference {
  const Function* function;
};

/// `loop` inside a for. Looks one item ahead only when a template asks for it, as in Jinja2: the
/// loop's filter may depend on what the body did before.
struct LoopState {
  Interpreter* interpreter;
  Value iterable;
  Cursor cursor;
  const ForStmt* recursive;  ///< null when loop(...) is not allowed
  Frame* outer;
  std::int64_t index0 = -1;
  std::int64_t known_length = -1;
  std::int64_t depth0;
  Value before{}, current{}, after{};
  Value last_changed{};  ///< tuple of loop.changed's arguments

  bool advance(Value& item);
  /// The next item, or missing at the end.
  const Value& peek();
  std::int64_t length();
};

}  // namespace dynamo::jinja::detail
