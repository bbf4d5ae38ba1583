// SPDX-License-Identifier: Apache-2.0
#include "jinja/compare.h"

#include <bit>
#include <cmath>
#include <functional>

#include "jinja/bigint.h"
#include "jinja/failure.h"

namespace dynamo::jinja::detail {
namespace {

/// Nesting of values that are compared. JSON is at most 128 deep; the rest is for literals.
constexpr int kDepthMax = 300;

bool equals_at(const Value& a, const Value& b, int depth);

bool json_equals(const Value& a, const Json& b, int depth) {
  switch (b.kind()) {
    case Json::Kind::null:
      return a.tag == Tag::none;
    case Json::Kind::boolean:
      return equals_at(a, make_bool(*b.if_bool()), depth);
    case Json::Kind::integer:
      return equals_at(a, make_int(*b.as_int64()), depth);
    case Json::Kind::unsigned_integer: {
      if (!a.is_number()) return false;
      Arena arena(1024);
      return equals_at(a, from_json(arena, b), depth);
    }
    case Json::Kind::real:
      return equals_at(a, make_real(*b.as_double()), depth);
    case Json::Kind::string:
      return a.is_string() && a.str() == *b.if_string();
    case Json::Kind::array:
      return equals_at(a, make_pointer(Tag::json_array, b.if_array()), depth);
    case Json::Kind::object:
      return equals_at(a, make_pointer(Tag::json_object, b.if_object()), depth);
  }
  return false;
}

/// Python compares True with 1, which Json's own equality does not.
bool json_pair_equals(const Json& a, const Json& b, int depth) {
  Arena arena(1024);
  return json_equals(from_json(arena, a), b, depth);
}

bool numbers_equal(const Value& a, const Value& b) {
  if (a.tag == Tag::real && b.tag == Tag::real) return a.real == b.real;
  if (a.tag == Tag::real) return int_compare(b, a.real) == 0;
  if (b.tag == Tag::real) return int_compare(a, b.real) == 0;
  return int_compare(a, b) == 0;
}

bool sequences_equal(const Value& a, const Value& b, int depth) {
  if (a.tag == Tag::json_array && b.tag == Tag::json_array && a.json_array == b.json_array) {
    return true;
  }
  if (a.tag != Tag::json_array && b.tag != Tag::json_array) {
    if (a.list->size != b.list->size) return false;
    for (std::uint32_t i = 0; i < a.list->size; ++i) {
      if (!equals_at(a.list->items[i], b.list->items[i], depth)) return false;
    }
    return true;
  }
  if (a.tag == Tag::json_array && b.tag == Tag::json_array) {
    if (a.json_array->size() != b.json_array->size()) return false;
    for (std::size_t i = 0; i < a.json_array->size(); ++i) {
      if (!json_pair_equals((*a.json_array)[i], (*b.json_array)[i], depth)) return false;
    }
    return true;
  }
  const Json::Array& array = a.tag == Tag::json_array ? *a.json_array : *b.json_array;
  const List& list = a.tag == Tag::json_array ? *b.list : *a.list;
  if (array.size() != list.size) return false;
  for (std::uint32_t i = 0; i < list.size; ++i) {
    if (!json_equals(list.items[i], array[i], depth)) return false;
  }
  return true;
}

bool mappings_equal(const Value& a, const Value& b, int depth) {
  if (a.tag == Tag::json_object && b.tag == Tag::json_object) {
    if (a.json_object == b.json_object) return true;
    if (a.json_object->size() != b.json_object->size()) return false;
    for (const JsonObject::Member& m : *a.json_object) {
      const Json* other = b.json_object->find(m.key);
      if (!other || !json_pair_equals(m.value, *other, depth)) return false;
    }
    return true;
  }
  if (a.tag == Tag::dict && b.tag == Tag::dict) {
    if (a.dict->size != b.dict->size) return false;
    for (std::uint32_t i = 0; i < a.dict->size; ++i) {
      const Value* other = b.dict->find(a.dict->entries[i].key);
      if (!other || !equals_at(a.dict->entries[i].value, *other, depth)) return false;
    }
    return true;
  }
  const JsonObject& object = a.tag == Tag::json_object ? *a.json_object : *b.json_object;
  const Dict& dict = a.tag == Tag::json_object ? *b.dict : *a.dict;
  if (object.size() != dict.size) return false;
  for (std::uint32_t i = 0; i < dict.size; ++i) {
    if (!dict.entries[i].key.is_string()) return false;
    const Json* other = object.find(dict.entries[i].key.str());
    if (!other || !json_equals(dict.entries[i].value, *other, depth)) return false;
  }
  return true;
}

bool equals_at(const Value& a, const Value& b, int depth) {
  if (depth > kDepthMax) fail_limit("values are nested too deeply to compare");
  if (a.is_string()) return b.is_string() && a.str() == b.str();
  if (a.is_number()) return b.is_number() && numbers_equal(a, b);
  switch (a.tag) {
    case Tag::missing:
    case Tag::undefined:
      return b.is_undefined() || b.is_missing();
    case Tag::none:
      return b.is_none();
    case Tag::json_array:
    case Tag::list:
      return (b.tag == Tag::json_array || b.tag == Tag::list) && sequences_equal(a, b, depth + 1);
    case Tag::tuple:
      return b.tag == Tag::tuple && sequences_equal(a, b, depth + 1);
    case Tag::json_object:
    case Tag::dict:
      return b.is_mapping() && mappings_equal(a, b, depth + 1);
    case Tag::range: {
      if (b.tag != Tag::range) return false;
      const std::int64_t size = a.range->size();
      if (size != b.range->size()) return false;
      return size == 0 ||
             (a.range->start == b.range->start && (size == 1 || a.range->step == b.range->step));
    }
    case Tag::dict_view: {
      if (b.tag != Tag::dict_view || a.view->kind != b.view->kind) return false;
      if (a.view->kind == ViewKind::values) return a.view == b.view;
      const auto whole = [](const DictView& v) {
        return v.dict ? make_pointer(Tag::dict, v.dict) : make_pointer(Tag::json_object, v.object);
      };
      if (a.view->kind == ViewKind::items) {
        return mappings_equal(whole(*a.view), whole(*b.view), depth + 1);
      }
      const auto size = [](const DictView& v) {
        return v.dict ? std::size_t{v.dict->size} : v.object->size();
      };
      if (size(*a.view) != size(*b.view)) return false;
      if (a.view->dict) {
        for (std::uint32_t i = 0; i < a.view->dict->size; ++i) {
          const Value& key = a.view->dict->entries[i].key;
          const bool there = b.view->dict ? b.view->dict->find(key) != nullptr
                                          : key.is_string() && b.view->object->contains(key.str());
          if (!there) return false;
        }
        return true;
      }
      for (const JsonObject::Member& m : *a.view->object) {
        if (!(b.view->dict ? b.view->dict->find(m.key) != nullptr
                           : b.view->object->contains(m.key))) {
          return false;
        }
      }
      return true;
    }
    default:
      return a.tag == b.tag && a.pointer == b.pointer;
  }
}

template <class T>
bool in_order(const T& comparison, Order order) {
  switch (order) {
    case Order::lt:
      return comparison < 0;
    case Order::le:
      return comparison <= 0;
    case Order::gt:
      return comparison > 0;
    case Order::ge:
      return comparison >= 0;
  }
  return false;
}

[[noreturn]] void fail_unordered(const Value& a, Order order, const Value& b) {
  if (a.is_undefined()) fail_with_undefined(a);
  if (b.is_undefined()) fail_with_undefined(b);
  constexpr std::string_view kSigns[] = {"<", "<=", ">", ">="};
  fail_type("'" + std::string(kSigns[static_cast<int>(order)]) +
            "' not supported between instances of '" + std::string(type_name(a)) + "' and '" +
            std::string(type_name(b)) + "'");
}

std::size_t array_size(const Value& v) {
  return v.tag == Tag::json_array ? v.json_array->size() : v.list->size;
}

bool arrays_ordered(const Value& a, Order order, const Value& b, int depth);

bool ordered_at(const Value& a, Order order, const Value& b, int depth) {
  if (a.is_string() && b.is_string()) return in_order(a.str().compare(b.str()) <=> 0, order);
  if (a.is_number() && b.is_number()) {
    if (a.tag == Tag::real && b.tag == Tag::real) return in_order(a.real <=> b.real, order);
    if (b.tag == Tag::real) return in_order(int_compare(a, b.real), order);
    if (a.tag == Tag::real) return in_order(0 <=> int_compare(b, a.real), order);
    return in_order(int_compare(a, b), order);
  }
  const bool lists = (a.tag == Tag::json_array || a.tag == Tag::list) &&
                     (b.tag == Tag::json_array || b.tag == Tag::list);
  if (lists || (a.tag == Tag::tuple && b.tag == Tag::tuple)) {
    return arrays_ordered(a, order, b, depth + 1);
  }
  fail_unordered(a, order, b);
}

bool arrays_ordered(const Value& a, Order order, const Value& b, int depth) {
  if (depth > kDepthMax) fail_limit("values are nested too deeply to compare");
  const std::size_t a_size = array_size(a);
  const std::size_t b_size = array_size(b);
  Arena arena(std::size_t{1} << 24);
  const auto item = [&arena](const Value& v, std::size_t i) {
    return v.tag == Tag::json_array ? from_json(arena, (*v.json_array)[i]) : v.list->items[i];
  };
  for (std::size_t i = 0; i < a_size && i < b_size; ++i) {
    const Value x = item(a, i);
    const Value y = item(b, i);
    if (!equals_at(x, y, depth)) return ordered_at(x, order, y, depth);
  }
  return in_order(a_size <=> b_size, order);
}

}  // namespace

bool equals(const Value& a, const Value& b) {
  return equals_at(a, b, 0);
}
bool equals(const Value& a, const Json& b) {
  return json_equals(a, b, 0);
}
bool ordered(const Value& a, Order order, const Value& b) {
  return ordered_at(a, order, b, 0);
}

std::uint64_t hash_of(const Value& value) {
  switch (value.tag) {
    case Tag::string:
      return std::hash<std::string_view>{}(value.str());
    case Tag::boolean:
    case Tag::integer:
    case Tag::big:
      return int_hash(value);
    case Tag::real:
      if (std::fabs(value.real) < 9.2e18 && value.real == std::trunc(value.real)) {
        return int_hash(make_int(static_cast<std::int64_t>(value.real)));
      }
      return std::bit_cast<std::uint64_t>(value.real);
    case Tag::tuple: {
      std::uint64_t h = 0x345678;
      for (const Value& item : value.list->span()) h = h * 1000003 + hash_of(item);
      return h;
    }
    case Tag::none:
      return 1;
    case Tag::missing:
    case Tag::undefined:
      return 2;
    case Tag::range:
      return 3;
    default:
      return std::hash<const void*>{}(value.pointer);
  }
}

void require_hashable(const Value& value) {
  switch (value.tag) {
    case Tag::json_array:
    case Tag::json_object:
    case Tag::list:
    case Tag::dict:
      fail_type("unhashable type: '" + std::string(type_name(value)) + "'");
    case Tag::dict_view:
      if (value.view->kind != ViewKind::values) {
        fail_type("unhashable type: '" + std::string(type_name(value)) + "'");
      }
      break;
    case Tag::tuple:
      for (const Value& item : value.list->span()) require_hashable(item);
      break;
    default:
      break;
  }
}

bool same_object(const Value& a, const Value& b) noexcept {
  if (a.tag != b.tag) return false;
  switch (a.tag) {
    case Tag::missing:
    case Tag::none:
      return true;
    case Tag::boolean:
      return a.boolean == b.boolean;
    case Tag::integer:
      return a.integer == b.integer;
    case Tag::real:
      return a.real == b.real;
    case Tag::string:
      return a.str() == b.str();
    default:
      return a.pointer == b.pointer;
  }
}

}  // namespace dynamo::jinja::detail
