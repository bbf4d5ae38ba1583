// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/json.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "jinja/arena.h"

namespace dynamo::jinja::detail {

class BigInt;
class Interpreter;
class Iterator;
struct Attribute;
struct BlockReference;
struct Builtin;
struct Cycler;
struct Dict;
struct Joiner;
struct List;
struct LoopState;
struct MacroObject;
struct MethodObject;
struct NamespaceObject;
struct UndefinedInfo;

/// What a value is. The order of none … string is used by range checks below.
enum class Tag : std::uint8_t {
  missing,    ///< no value at all: an argument not given, a variable not set
  undefined,  ///< Jinja2's Undefined
  none,
  boolean,
  integer,  ///< fits 64 bits
  big,      ///< an integer that does not
  real,
  string,
  json_array,   ///< a view of the request's JSON
  json_object,  ///< a view of the request's JSON
  list,
  tuple,
  dict,
  dict_view,  ///< keys(), values() or items()
  range,
  iterator,  ///< a generator: one pass, always true, no length
  name_space,
  loop,
  macro,
  method,  ///< bound to its object
  function,
  cycler,
  joiner,
  block,  ///< self.name
  self,
};

struct Range {
  std::int64_t start, stop, step;
  std::int64_t size() const noexcept;
};

/// Flag of the tuples that groupby makes: they have attributes `grouper` and `list`.
inline constexpr std::uint8_t kGroupTuple = 2;

/// Whether a dict_view shows keys, values or pairs.
enum class ViewKind : std::uint8_t { keys, values, items };
struct DictView {
  ViewKind kind;
  const Dict* dict;          ///< either this
  const JsonObject* object;  ///< or this
};

/// A value while rendering: 16 bytes, passed in registers, never owning. What it points to lives in
/// the render's arena, in the compiled template, or in the caller's JSON.
struct Value {
  Tag tag = Tag::missing;
  std::uint8_t flags = 0;  ///< string: kMarkup; undefined: UndefinedKind
  std::uint16_t extra = 0;
  std::uint32_t size = 0;  ///< string: bytes
  union {
    std::int64_t integer;
    double real;
    bool boolean;
    const char* text;
    const BigInt* big;
    const Json::Array* json_array;
    const JsonObject* json_object;
    const List* list;
    const Dict* dict;
    const DictView* view;
    const Range* range;
    Iterator* iterator;
    NamespaceObject* name_space;
    LoopState* loop;
    const MacroObject* macro;
    const MethodObject* method;
    const Builtin* function;
    Cycler* cycler;
    Joiner* joiner;
    const BlockReference* block;
    const UndefinedInfo* undefined;
    const void* pointer = nullptr;
  };

  /// Text that is known to be HTML (Python's Markup).
  static constexpr std::uint8_t kMarkup = 1;

  bool is(Tag t) const noexcept { return tag == t; }
  bool is_missing() const noexcept { return tag == Tag::missing; }
  bool is_undefined() const noexcept { return tag == Tag::undefined; }
  bool is_none() const noexcept { return tag == Tag::none; }
  bool is_string() const noexcept { return tag == Tag::string; }
  bool is_markup() const noexcept { return tag == Tag::string && (flags & kMarkup) != 0; }
  /// bool or int of any size: what Python accepts as an index.
  bool is_integral() const noexcept {
    return tag == Tag::boolean || tag == Tag::integer || tag == Tag::big;
  }
  bool is_number() const noexcept { return is_integral() || tag == Tag::real; }
  bool is_mapping() const noexcept { return tag == Tag::json_object || tag == Tag::dict; }
  /// list, JSON array or tuple.
  bool is_array() const noexcept {
    return tag == Tag::json_array || tag == Tag::list || tag == Tag::tuple;
  }

  std::string_view str() const noexcept { return {text, size}; }
};
static_assert(sizeof(Value) == 16);

inline Value make_none() noexcept {
  Value v;
  v.tag = Tag::none;
  return v;
}
inline Value make_bool(bool b) noexcept {
  Value v;
  v.tag = Tag::boolean;
  v.integer = 0;
  v.boolean = b;
  return v;
}
inline Value make_int(std::int64_t i) noexcept {
  Value v;
  v.tag = Tag::integer;
  v.integer = i;
  return v;
}
inline Value make_real(double d) noexcept {
  Value v;
  v.tag = Tag::real;
  v.real = d;
  return v;
}
/// A view of text that outlives the value. Texts over 4 GiB do not exist here: budgets are smaller.
inline Value make_string(std::string_view text, bool markup = false) noexcept {
  Value v;
  v.tag = Tag::string;
  v.flags = markup ? Value::kMarkup : 0;
  v.size = static_cast<std::uint32_t>(text.size());
  v.text = text.data();
  return v;
}
inline Value make_pointer(Tag tag, const void* pointer) noexcept {
  Value v;
  v.tag = tag;
  v.pointer = pointer;
  return v;
}

/// Elements of a list or tuple; immutable once built (the sandbox allows no mutation).
struct List {
  const Value* items;
  std::uint32_t size;
  std::span<const Value> span() const noexcept { return {items, size}; }
};

/// An insertion-ordered mapping; immutable once built. Lookup is linear up to 8 entries and hashed
/// above.
struct Dict {
  struct Entry {
    Value key;
    Value value;
  };
  Entry* entries;
  std::uint32_t size;
  std::uint32_t capacity;
  std::uint32_t* index;  ///< open addressing over positions + 1; null while small
  std::uint32_t index_size;

  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const noexcept;
};

/// Fills a Dict; the last value of a key wins at the place of the first, as in Python.
class DictBuilder {
 public:
  explicit DictBuilder(Arena& arena, std::size_t expected = 4);
  /// Throws a Failure of kind type when the key is unhashable.
  void set(const Value& key, const Value& value);
  Dict* dict() noexcept { return dict_; }
  Value value() const noexcept { return make_pointer(Tag::dict, dict_); }

 private:
  Arena& arena_;
  Dict* dict_;
};

/// Collects values for a list or tuple of unknown length.
class ListBuilder {
 public:
  explicit ListBuilder(Arena& arena, std::size_t expected = 8);
  void add(const Value& value) {
    if (size_ == capacity_) grow();
    items_[size_++] = value;
  }
  std::uint32_t size() const noexcept { return size_; }
  Value* items() noexcept { return items_; }
  Value list() const { return finish(Tag::list); }
  Value tuple() const { return finish(Tag::tuple); }

 private:
  void grow();
  Value finish(Tag tag) const;
  Arena& arena_;
  Value* items_;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_;
};

Value make_list(Arena& arena, std::span<const Value> items);
Value make_tuple(Arena& arena, std::initializer_list<Value> items);

/// A view of a JSON value. Integers above 2^63 become big integers in the arena.
Value from_json(Arena& arena, const Json& json);

/// Python's name of the type, as error messages have it: "str", "dict", "NoneType", …
std::string_view type_name(const Value& value) noexcept;
/// Jinja2's way to name the object in undefined messages: "'dict object'", "None".
std::string object_name(const Value& value);

/// Python's bool().
bool is_true(const Value& value) noexcept;

/// Why a value is undefined; the message is made only when somebody asks.
enum class UndefinedKind : std::uint8_t {
  name,       ///< info->name is a variable
  attribute,  ///< extra: Tag of the object that lacks info->name
  element,    ///< extra: Tag of the object that lacks info->key
  hint,       ///< info->name is the message
  unsafe,     ///< the sandbox hides attribute info->name of an object of Tag extra
};
struct UndefinedInfo {
  std::string_view name;
  Value key{};
};
inline Value make_undefined(UndefinedKind kind, const UndefinedInfo* info,
                            Tag object = Tag::missing) noexcept {
  Value v;
  v.tag = Tag::undefined;
  v.flags = static_cast<std::uint8_t>(kind);
  v.extra = static_cast<std::uint16_t>(object);
  v.undefined = info;
  return v;
}
/// Throws the failure that using this undefined value is.
[[noreturn]] void fail_with_undefined(const Value& undefined);

}  // namespace dynamo::jinja::detail
