// SPDX-License-Identifier: Apache-2.0
#include "jinja/iteration.h"

#include "jinja/compare.h"
#include "jinja/failure.h"
#include "jinja/interpreter.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {

bool Cursor::next(Interpreter& in, Value& item) {
  switch (kind_) {
    case Tag::json_array:
      if (at_ >= source_.json_array->size()) return false;
      item = from_json(in.arena(), (*source_.json_array)[at_++]);
      return true;
    case Tag::list:
      if (at_ >= source_.list->size) return false;
      item = source_.list->items[at_++];
      return true;
    case Tag::json_object:
      if (at_ >= source_.json_object->size()) return false;
      item = make_string(source_.json_object->begin()[static_cast<std::ptrdiff_t>(at_++)].key);
      return true;
    case Tag::dict:
      if (at_ >= source_.dict->size) return false;
      item = source_.dict->entries[at_++].key;
      return true;
    case Tag::dict_view: {
      const DictView& view = *source_.view;
      Value key;
      Value value;
      if (view.dict) {
        if (at_ >= view.dict->size) return false;
        key = view.dict->entries[at_].key;
        value = view.dict->entries[at_].value;
      } else {
        if (at_ >= view.object->size()) return false;
        const JsonObject::Member& m = view.object->begin()[static_cast<std::ptrdiff_t>(at_)];
        key = make_string(m.key);
        if (view.kind != ViewKind::keys) value = from_json(in.arena(), m.value);
      }
      ++at_;
      item = view.kind == ViewKind::keys     ? key
             : view.kind == ViewKind::values ? value
                                             : make_tuple(in.arena(), {key, value});
      return true;
    }
    case Tag::string: {
      if (at_ >= source_.size) return false;
      const std::string_view text = source_.str();
      std::size_t end = at_;
      next_char(text, end);
      item = make_string(text.substr(at_, end - at_));  // plain, also of Markup
      at_ = end;
      return true;
    }
    case Tag::range: {
      const Range& range = *source_.range;
      if (at_ >= static_cast<std::uint64_t>(range.size())) return false;
      item = make_int(range.start + static_cast<std::int64_t>(at_++) * range.step);
      return true;
    }
    case Tag::iterator:
      return source_.iterator->next(in, item);
    default:
      return false;
  }
}

bool is_iterable(const Value& value) noexcept {
  switch (value.tag) {
    case Tag::undefined:
    case Tag::json_array:
    case Tag::list:
    case Tag::tuple:
    case Tag::json_object:
    case Tag::dict:
    case Tag::dict_view:
    case Tag::string:
    case Tag::range:
    case Tag::iterator:
    case Tag::loop:
      return true;
    default:
      return false;
  }
}

Cursor iterate(const Value& value) {
  if (!is_iterable(value) || value.tag == Tag::loop) {
    fail_type("'" + std::string(type_name(value)) + "' object is not iterable");
  }
  Cursor cursor;
  cursor.kind_ = value.tag == Tag::tuple ? Tag::list : value.tag;
  cursor.source_ = value;
  return cursor;
}

std::optional<std::int64_t> length_of(const Value& value) {
  switch (value.tag) {
    case Tag::missing:
    case Tag::undefined:
      return 0;
    case Tag::string:
      return static_cast<std::int64_t>(char_count(value.str()));
    case Tag::json_array:
      return static_cast<std::int64_t>(value.json_array->size());
    case Tag::json_object:
      return static_cast<std::int64_t>(value.json_object->size());
    case Tag::list:
    case Tag::tuple:
      return value.list->size;
    case Tag::dict:
      return value.dict->size;
    case Tag::dict_view:
      return static_cast<std::int64_t>(value.view->dict ? value.view->dict->size
                                                        : value.view->object->size());
    case Tag::range:
      return value.range->size();
    case Tag::loop:
      return value.loop->length();
    default:
      return std::nullopt;
  }
}

std::int64_t require_length(const Value& value) {
  if (const auto length = length_of(value)) return *length;
  fail_type("object of type '" + std::string(type_name(value)) + "' has no len()");
}

const List* to_list(Interpreter& in, const Value& value) {
  if (value.tag == Tag::list || value.tag == Tag::tuple) return value.list;
  const auto expected = value.tag == Tag::iterator ? std::nullopt : length_of(value);
  ListBuilder list(in.arena(), static_cast<std::size_t>(expected.value_or(8)));
  Cursor cursor = iterate(value);
  for (Value item; cursor.next(in, item);) {
    in.charge(1);
    list.add(item);
  }
  return list.list().list;
}

bool contains(Interpreter& in, const Value& container, const Value& item) {
  switch (container.tag) {
    case Tag::string:
      if (!item.is_string()) {
        fail_type("'in <string>' requires string as left operand, not " +
                  std::string(type_name(item)));
      }
      in.charge(container.size / 64);
      return container.str().find(item.str()) != std::string_view::npos;
    case Tag::json_object:
      require_hashable(item);
      return item.is_string() && container.json_object->contains(item.str());
    case Tag::dict:
      require_hashable(item);
      return container.dict->find(item) != nullptr;
    case Tag::json_array:
      in.charge(container.json_array->size() / 8);
      for (const Json& element : *container.json_array) {
        if (equals(item, element)) return true;
      }
      return false;
    case Tag::list:
    case Tag::tuple:
      in.charge(container.list->size / 8);
      for (const Value& element : container.list->span()) {
        if (same_object(element, item) || equals(element, item)) return true;
      }
      return false;
    case Tag::dict_view:
      if (container.view->kind == ViewKind::keys) {
        return contains(in,
                        container.view->dict
                            ? make_pointer(Tag::dict, container.view->dict)
                            : make_pointer(Tag::json_object, container.view->object),
                        item);
      }
      [[fallthrough]];
    case Tag::undefined:
    case Tag::iterator:
    case Tag::range: {
      Cursor cursor = iterate(container);
      for (Value element; cursor.next(in, element);) {
        in.charge(1);
        if (equals(element, item)) return true;
      }
      return false;
    }
    default:
      fail_type("argument of type '" + std::string(type_name(container)) + "' is not iterable");
  }
}

bool LoopState::advance(Value& item) {
  if (!after.is_missing()) {
    item = after;
    after = Value{};
  } else if (!cursor.next(*interpreter, item)) {
    return false;
  }
  ++index0;
  before = current;
  current = item;
  return true;
}

const Value& LoopState::peek() {
  if (after.is_missing()) {
    Value item;
    if (cursor.next(*interpreter, item)) after = item;
  }
  return after;
}

std::int64_t LoopState::length() {
  if (known_length >= 0) return known_length;
  if (const auto n = length_of(iterable)) {
    known_length = *n;
  } else {
    ListBuilder rest(interpreter->arena());
    for (Value item; cursor.next(*interpreter, item);) {
      interpreter->charge(1);
      rest.add(item);
    }
    const Value list = rest.list();
    cursor = iterate(list);
    known_length = list.list->size + index0 + 1 + (after.is_missing() ? 0 : 1);
  }
  return known_length;
}

}  // namespace dynamo::jinja::detail
