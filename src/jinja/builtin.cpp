// SPDX-License-Identifier: Apache-2.0
#include "jinja/builtin.h"

#include <algorithm>
#include <initializer_list>
#include <unordered_map>

#include "jinja/interpreter.h"

namespace dynamo::jinja::detail {
namespace {

using Table = std::unordered_map<std::string_view, const Builtin*>;

Table make_table(std::initializer_list<std::span<const Builtin>> parts) {
  Table table;
  for (const auto part : parts) {
    for (const Builtin& b : part) table.emplace(b.name, &b);
  }
  return table;
}

const Builtin* look_up(const Table& table, std::string_view name) noexcept {
  const auto at = table.find(name);
  return at == table.end() ? nullptr : at->second;
}

template <std::size_t N>
bool is_one_of(std::string_view name, const std::string_view (&names)[N]) noexcept {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

/// Attributes that every Python object (or every container) has.
constexpr std::string_view kObjectAttributes[] = {
    "__class__",   "__delattr__", "__dir__",           "__doc__",          "__eq__",
    "__format__",  "__ge__",      "__getattribute__",  "__getstate__",     "__gt__",
    "__hash__",    "__init__",    "__init_subclass__", "__le__",           "__lt__",
    "__ne__",      "__new__",     "__reduce__",        "__reduce_ex__",    "__repr__",
    "__setattr__", "__sizeof__",  "__str__",           "__subclasshook__", "__len__",
    "__getitem__", "__iter__",    "__contains__"};
constexpr std::string_view kDictMutators[] = {"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::string_view kListMutators[] = {"append", "clear", "pop",    "reverse",
                                              "insert", "sort",  "extend", "remove"};

LoopField loop_field_of(std::string_view name) noexcept {
  constexpr std::pair<std::string_view, LoopField> kFields[] = {
      {"index", LoopField::index},       {"index0", LoopField::index0},
      {"revindex", LoopField::revindex}, {"revindex0", LoopField::revindex0},
      {"first", LoopField::first},       {"last", LoopField::last},
      {"length", LoopField::length},     {"previtem", LoopField::previtem},
      {"nextitem", LoopField::nextitem}, {"depth", LoopField::depth},
      {"depth0", LoopField::depth0}};
  for (const auto& [field, id] : kFields) {
    if (field == name) return id;
  }
  return LoopField::none;
}

}  // namespace

const Builtin* find_filter(std::string_view name) noexcept {
  static const Table table =
      make_table({text_filters(), markup_filters(), number_filters(), sequence_filters(),
                  ordering_filters(), selection_filters()});
  return look_up(table, name);
}
const Builtin* find_test(std::string_view name) noexcept {
  static const Table table = make_table({tests()});
  return look_up(table, name);
}
const Builtin* find_global(std::string_view name) noexcept {
  static const Table table = make_table({globals()});
  return look_up(table, name);
}
const Builtin* find_str_method(std::string_view name) noexcept {
  static const Table table = make_table({str_methods(), str_predicates()});
  return look_up(table, name);
}
const Builtin* find_dict_method(std::string_view name) noexcept {
  static const Table table = make_table({dict_methods()});
  return look_up(table, name);
}
const Builtin* find_list_method(std::string_view name) noexcept {
  static const Table table = make_table({list_methods(), tuple_methods()});
  return look_up(table, name);
}
const Builtin* find_tuple_method(std::string_view name) noexcept {
  static const Table table = make_table({tuple_methods()});
  return look_up(table, name);
}
const Builtin* find_int_method(std::string_view name) noexcept {
  static const Table table = make_table({int_methods()});
  return look_up(table, name);
}
const Builtin* find_float_method(std::string_view name) noexcept {
  static const Table table = make_table({float_methods()});
  return look_up(table, name);
}
const Builtin* find_loop_method(std::string_view name) noexcept {
  static const Table table = make_table({loop_methods()});
  return look_up(table, name);
}
const Builtin* find_cycler_method(std::string_view name) noexcept {
  static const Table table = make_table({cycler_methods()});
  return look_up(table, name);
}

const Attribute* make_attribute(Arena& arena, std::string_view name) {
  Attribute* a = arena.make<Attribute>();
  a->info.name = name;
  a->str_method = find_str_method(name);
  a->dict_method = find_dict_method(name);
  a->list_method = find_list_method(name);
  a->tuple_method = find_tuple_method(name);
  a->int_method = find_int_method(name);
  a->float_method = find_float_method(name);
  a->loop_method = find_loop_method(name);
  a->cycler_method = find_cycler_method(name);
  a->loop_field = loop_field_of(name);
  a->hidden = name.starts_with("__") && is_one_of(name, kObjectAttributes);
  a->mutates_dict = is_one_of(name, kDictMutators);
  a->mutates_list = is_one_of(name, kListMutators);
  return a;
}

}  // namespace dynamo::jinja::detail
