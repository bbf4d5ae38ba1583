// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "jinja/value.h"

namespace dynamo::jinja::detail {

struct NamedArg {
  std::string_view name;
  Value value;
};
/// Evaluated arguments of a call.
struct CallArgs {
  std::span<const Value> positional;
  std::span<const NamedArg> named;
};

/// A filter, test, method or global function.
///
/// Most are `bound`: the arguments are matched to `params` as Python does it and handed over as an
/// array in which what was not given is `missing`. A filter's or test's input and a method's object
/// come first, as args[0], and are not in `params`. Those that take any arguments are `raw`.
struct Builtin {
  using Bound = Value (*)(Interpreter& in, const Value* args);
  using Raw = Value (*)(Interpreter& in, const Value& self, const CallArgs& args);

  std::string_view name;
  Bound bound = nullptr;
  Raw raw = nullptr;
  std::array<std::string_view, 6> params{};
  std::uint8_t required = 0;         ///< of params
  std::uint8_t positional_only = 0;  ///< of params
  std::uint8_t count() const noexcept {
    std::uint8_t n = 0;
    while (n < params.size() && !params[n].empty()) ++n;
    return n;
  }
};

/// By name; null when there is none.
const Builtin* find_filter(std::string_view name) noexcept;
const Builtin* find_test(std::string_view name) noexcept;
const Builtin* find_global(std::string_view name) noexcept;
const Builtin* find_str_method(std::string_view name) noexcept;
const Builtin* find_dict_method(std::string_view name) noexcept;
const Builtin* find_list_method(std::string_view name) noexcept;   ///< list
const Builtin* find_tuple_method(std::string_view name) noexcept;  ///< tuple and range
const Builtin* find_int_method(std::string_view name) noexcept;
const Builtin* find_float_method(std::string_view name) noexcept;
const Builtin* find_loop_method(std::string_view name) noexcept;
const Builtin* find_cycler_method(std::string_view name) noexcept;

enum class LoopField : std::uint8_t {
  none,
  index,
  index0,
  revindex,
  revindex0,
  first,
  last,
  length,
  previtem,
  nextitem,
  depth,
  depth0
};

/// An attribute name with everything that is known about it when the template is compiled.
struct Attribute {
  UndefinedInfo info;  ///< holds the name
  const Builtin* str_method;
  const Builtin* dict_method;
  const Builtin* list_method;
  const Builtin* tuple_method;
  const Builtin* int_method;
  const Builtin* float_method;
  const Builtin* loop_method;
  const Builtin* cycler_method;
  LoopField loop_field;
  bool hidden;        ///< every object has it and the sandbox hides it, like __class__
  bool mutates_dict;  ///< exists but the sandbox refuses it, like dict.update
  bool mutates_list;
  std::string_view name() const noexcept { return info.name; }
};
const Attribute* make_attribute(Arena& arena, std::string_view name);

/// The parts of the tables, each in the file of its name.
std::span<const Builtin> text_filters() noexcept;
std::span<const Builtin> markup_filters() noexcept;
std::span<const Builtin> number_filters() noexcept;
std::span<const Builtin> sequence_filters() noexcept;
std::span<const Builtin> ordering_filters() noexcept;
std::span<const Builtin> selection_filters() noexcept;
std::span<const Builtin> tests() noexcept;
std::span<const Builtin> globals() noexcept;
std::span<const Builtin> str_methods() noexcept;
std::span<const Builtin> str_predicates() noexcept;
std::span<const Builtin> dict_methods() noexcept;
std::span<const Builtin> list_methods() noexcept;
std::span<const Builtin> tuple_methods() noexcept;
std::span<const Builtin> int_methods() noexcept;
std::span<const Builtin> float_methods() noexcept;
std::span<const Builtin> loop_methods() noexcept;
std::span<const Builtin> cycler_methods() noexcept;

}  // namespace dynamo::jinja::detail
