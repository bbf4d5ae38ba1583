// SPDX-License-Identifier: Apache-2.0
#include "jinja/value.h"

#include <algorithm>
#include <cstring>

#include "jinja/bigint.h"
#include "jinja/compare.h"
#include "jinja/failure.h"
#include "jinja/text.h"

namespace dynamo::jinja::detail {
namespace {

constexpr std::uint32_t kLinearEntries = 8;

std::string_view type_name(Tag tag) noexcept {
  switch (tag) {
    case Tag::missing:
    case Tag::undefined:
      return "Undefined";
    case Tag::none:
      return "NoneType";
    case Tag::boolean:
      return "bool";
    case Tag::integer:
    case Tag::big:
      return "int";
    case Tag::real:
      return "float";
    case Tag::string:
      return "str";
    case Tag::json_array:
    case Tag::list:
      return "list";
    case Tag::tuple:
      return "tuple";
    case Tag::json_object:
    case Tag::dict:
      return "dict";
    case Tag::dict_view:
      return "dict view";
    case Tag::range:
      return "range";
    case Tag::iterator:
      return "generator";
    case Tag::name_space:
      return "Namespace";
    case Tag::loop:
      return "LoopContext";
    case Tag::macro:
      return "Macro";
    case Tag::method:
      return "builtin_function_or_method";
    case Tag::function:
      return "function";
    case Tag::cycler:
      return "Cycler";
    case Tag::joiner:
      return "Joiner";
    case Tag::block:
      return "BlockReference";
    case Tag::self:
      return "TemplateReference";
  }
  return "object";
}

std::string object_name(Tag tag) {
  if (tag == Tag::none) return "None";
  std::string_view module;
  switch (tag) {
    case Tag::name_space:
    case Tag::cycler:
    case Tag::joiner:
      module = "jinja2.utils.";
      break;
    case Tag::loop:
    case Tag::macro:
    case Tag::block:
    case Tag::self:
    case Tag::undefined:
      module = "jinja2.runtime.";
      break;
    default:
      break;
  }
  return std::string(module) + std::string(type_name(tag)) + " object";
}

}  // namespace

std::int64_t Range::size() const noexcept {
  if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
  return start > stop ? (start - stop - 1) / -step + 1 : 0;
}

std::string_view type_name(const Value& value) noexcept {
  if (value.is_markup()) return "Markup";
  if (value.tag == Tag::dict_view) {
    switch (value.view->kind) {
      case ViewKind::keys:
        return "dict_keys";
      case ViewKind::values:
        return "dict_values";
      case ViewKind::items:
        return "dict_items";
    }
  }
  return type_name(value.tag);
}

std::string object_name(const Value& value) {
  return object_name(value.tag);
}

bool is_true(const Value& value) noexcept {
  switch (value.tag) {
    case Tag::missing:
    case Tag::undefined:
    case Tag::none:
      return false;
    case Tag::boolean:
      return value.boolean;
    case Tag::integer:
      return value.integer != 0;
    case Tag::big:
      return true;
    case Tag::real:
      return value.real != 0.0;
    case Tag::string:
      return value.size != 0;
    case Tag::json_array:
      return !value.json_array->empty();
    case Tag::json_object:
      return !value.json_object->empty();
    case Tag::list:
    case Tag::tuple:
      return value.list->size != 0;
    case Tag::dict:
      return value.dict->size != 0;
    case Tag::dict_view:
      return value.view->dict ? value.view->dict->size != 0 : !value.view->object->empty();
    case Tag::range:
      return value.range->size() != 0;
    default:
      return true;
  }
}

Value from_json(Arena& arena, const Json& json) {
  switch (json.kind()) {
    case Json::Kind::null:
      return make_none();
    case Json::Kind::boolean:
      return make_bool(*json.if_bool());
    case Json::Kind::integer:
      return make_int(*json.as_int64());
    case Json::Kind::unsigned_integer:
      return BigInt::value_of(arena, *json.as_uint64());
    case Json::Kind::real:
      return make_real(*json.as_double());
    case Json::Kind::string:
      return make_string(*json.if_string());
    case Json::Kind::array:
      return make_pointer(Tag::json_array, json.if_array());
    case Json::Kind::object:
      return make_pointer(Tag::json_object, json.if_object());
  }
  return make_none();
}

const Value* Dict::find(std::string_view key) const noexcept {
  if (!index) {
    for (std::uint32_t i = 0; i < size; ++i) {
      if (entries[i].key.is_string() && entries[i].key.str() == key) return &entries[i].value;
    }
    return nullptr;
  }
  return find(make_string(key));
}

const Value* Dict::find(const Value& key) const {
  if (!index) {
    for (std::uint32_t i = 0; i < size; ++i) {
      if (equals(entries[i].key, key)) return &entries[i].value;
    }
    return nullptr;
  }
  const std::uint32_t mask = index_size - 1;
  for (std::uint32_t at = static_cast<std::uint32_t>(hash_of(key)) & mask;; at = (at + 1) & mask) {
    const std::uint32_t position = index[at];
    if (position == 0) return nullptr;
    if (equals(entries[position - 1].key, key)) return &entries[position - 1].value;
  }
}

DictBuilder::DictBuilder(Arena& arena, std::size_t expected)
    : arena_(arena), dict_(arena.make<Dict>()) {
  dict_->capacity = static_cast<std::uint32_t>(std::max<std::size_t>(expected, 1));
  dict_->entries = arena.array<Dict::Entry>(dict_->capacity);
  dict_->size = 0;
  dict_->index = nullptr;
  dict_->index_size = 0;
}

void DictBuilder::set(const Value& key, const Value& value) {
  require_hashable(key);
  Dict& d = *dict_;
  if (const Value* existing = d.find(key)) {
    *const_cast<Value*>(existing) = value;
    return;
  }
  if (d.size == d.capacity) {
    Dict::Entry* more = arena_.array<Dict::Entry>(std::size_t{d.capacity} * 2);
    std::copy_n(d.entries, d.size, more);
    d.entries = more;
    d.capacity *= 2;
  }
  d.entries[d.size++] = {key, value};
  if (d.size <= kLinearEntries) return;
  const auto insert = [&d](std::uint32_t position) {
    const std::uint32_t mask = d.index_size - 1;
    std::uint32_t at = static_cast<std::uint32_t>(hash_of(d.entries[position].key)) & mask;
    while (d.index[at] != 0) at = (at + 1) & mask;
    d.index[at] = position + 1;
  };
  if (d.size * 2 > d.index_size) {
    d.index_size = std::max<std::uint32_t>(32, d.index_size * 2);
    d.index = arena_.array<std::uint32_t>(d.index_size);
    std::fill_n(d.index, d.index_size, 0U);
    for (std::uint32_t i = 0; i < d.size; ++i) insert(i);
  } else {
    insert(d.size - 1);
  }
}

ListBuilder::ListBuilder(Arena& arena, std::size_t expected)
    : arena_(arena),
      items_(arena.array<Value>(std::max<std::size_t>(expected, 1))),
      capacity_(static_cast<std::uint32_t>(std::max<std::size_t>(expected, 1))) {}

void ListBuilder::grow() {
  Value* more = arena_.array<Value>(std::size_t{capacity_} * 2);
  std::copy_n(items_, size_, more);
  items_ = more;
  capacity_ *= 2;
}

Value ListBuilder::finish(Tag tag) const {
  List* list = arena_.make<List>();
  list->items = items_;
  list->size = size_;
  return make_pointer(tag, list);
}

Value make_list(Arena& arena, std::span<const Value> items) {
  Value* copy = arena.array<Value>(items.size());
  std::copy(items.begin(), items.end(), copy);
  return make_pointer(Tag::list, arena.make<List>(copy, static_cast<std::uint32_t>(items.size())));
}

Value make_tuple(Arena& arena, std::initializer_list<Value> items) {
  Value* copy = arena.array<Value>(items.size());
  std::copy(items.begin(), items.end(), copy);
  return make_pointer(Tag::tuple, arena.make<List>(copy, static_cast<std::uint32_t>(items.size())));
}

void fail_with_undefined(const Value& undefined) {
  const UndefinedInfo& info = *undefined.undefined;
  const auto object = static_cast<Tag>(undefined.extra);
  switch (static_cast<UndefinedKind>(undefined.flags)) {
    case UndefinedKind::name:
      fail_undefined(quote(info.name) + " is undefined");
    case UndefinedKind::attribute:
      fail_undefined(quote(object_name(object)) + " has no attribute " + quote(info.name));
    case UndefinedKind::element:
      fail_undefined(object_name(object) + " has no element " + repr(info.key));
    case UndefinedKind::hint:
      fail_undefined(std::string(info.name));
    case UndefinedKind::unsafe:
      fail_security("access to attribute " + quote(info.name) + " of '" +
                    std::string(type_name(object)) + "' object is unsafe.");
  }
  fail_undefined("undefined");
}

}  // namespace dynamo::jinja::detail
