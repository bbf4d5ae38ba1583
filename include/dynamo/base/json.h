// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/limits.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace dynamo::base {

class Json;
namespace detail {
class JsonReader;
}

/// Members of a JSON object in the order they were written; keys are unique (the last one wins,
/// at the place of the first). Lookup is linear up to 8 members and indexed above that.
/// Values may be changed through iterators, keys may not.
class JsonObject {
 public:
  struct Member;
  using iterator = std::vector<Member>::iterator;
  using const_iterator = std::vector<Member>::const_iterator;

  JsonObject();
  JsonObject(std::initializer_list<std::pair<std::string_view, Json>> members);
  JsonObject(const JsonObject&);
  JsonObject(JsonObject&&) noexcept;
  JsonObject& operator=(const JsonObject&);
  JsonObject& operator=(JsonObject&&) noexcept;
  ~JsonObject();

  std::size_t size() const noexcept;
  bool empty() const noexcept;
  /// The member's value, or null pointer when absent. Invalidated by any change to the object.
  const Json* find(std::string_view key) const noexcept;
  Json* find(std::string_view key) noexcept;
  bool contains(std::string_view key) const noexcept { return find(key) != nullptr; }
  /// The value under `key`, inserted as null at the end when absent.
  Json& operator[](std::string_view key);
  /// Inserts or replaces.
  void set(std::string_view key, Json value);
  /// Removes the member; false when there was none.
  bool erase(std::string_view key);

  iterator begin() noexcept;
  iterator end() noexcept;
  const_iterator begin() const noexcept;
  const_iterator end() const noexcept;

  bool operator==(const JsonObject& other) const;  ///< equal members in any order

 private:
  struct Index;
  std::vector<Member> members_;
  std::unique_ptr<Index> index_;
};

/// A JSON value with exact 64-bit integers, doubles that survive a round trip, and object keys in
/// the order of the source. A value type; copying is deep.
///
/// Integers outside [-2^63, 2^64) become doubles, as in the reference.
/// Thread safety: const access from any number of threads.
class Json {
 public:
  using Array = std::vector<Json>;
  enum class Kind : std::uint8_t {
    null,
    boolean,
    integer,
    unsigned_integer,
    real,
    string,
    array,
    object
  };

  Json() noexcept = default;
  Json(std::nullptr_t) noexcept {}
  /// Only a real bool: pointers and integers do not become one.
  template <std::same_as<bool> Bool>
  Json(Bool value) noexcept : value_(value) {}
  Json(int value) noexcept : value_(static_cast<std::int64_t>(value)) {}
  Json(long value) noexcept : value_(static_cast<std::int64_t>(value)) {}
  Json(long long value) noexcept : value_(static_cast<std::int64_t>(value)) {}
  /// Unsigned values that fit are held as `integer`, so that equal numbers compare equal.
  Json(unsigned value) noexcept : value_(static_cast<std::int64_t>(value)) {}
  Json(unsigned long value) noexcept;
  Json(unsigned long long value) noexcept;
  Json(double value) noexcept : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(std::string value) noexcept : value_(std::move(value)) {}
  Json(Array value) noexcept : value_(std::move(value)) {}
  Json(JsonObject value) noexcept : value_(std::move(value)) {}

  static Json array() { return Json(Array{}); }
  static Json object() { return Json(JsonObject{}); }
  static Json object(std::initializer_list<std::pair<std::string_view, Json>> members) {
    return Json(JsonObject(members));
  }

  Kind kind() const noexcept { return static_cast<Kind>(value_.index()); }
  bool is_null() const noexcept { return kind() == Kind::null; }
  bool is_bool() const noexcept { return kind() == Kind::boolean; }
  bool is_integer() const noexcept {
    return kind() == Kind::integer || kind() == Kind::unsigned_integer;
  }
  bool is_number() const noexcept { return is_integer() || kind() == Kind::real; }
  bool is_string() const noexcept { return kind() == Kind::string; }
  bool is_array() const noexcept { return kind() == Kind::array; }
  bool is_object() const noexcept { return kind() == Kind::object; }
  /// "null", "boolean", "integer", "number", "string", "array" or "object", for messages.
  std::string_view kind_name() const noexcept;

  /// The value when it has the kind, else null pointer. `integer` converts neither way.
  const bool* if_bool() const noexcept { return std::get_if<bool>(&value_); }
  const std::string* if_string() const noexcept { return std::get_if<std::string>(&value_); }
  std::string* if_string() noexcept { return std::get_if<std::string>(&value_); }
  const Array* if_array() const noexcept { return std::get_if<Array>(&value_); }
  Array* if_array() noexcept { return std::get_if<Array>(&value_); }
  const JsonObject* if_object() const noexcept { return std::get_if<JsonObject>(&value_); }
  JsonObject* if_object() noexcept { return std::get_if<JsonObject>(&value_); }

  /// Exact conversions: none when the value is not a number or does not fit exactly.
  std::optional<std::int64_t> as_int64() const noexcept;
  std::optional<std::uint64_t> as_uint64() const noexcept;
  /// Any number as a double (large integers are rounded); none for other kinds.
  std::optional<double> as_double() const noexcept;

  /// The member of an object, or null pointer when this is not an object or has no such member.
  const Json* find(std::string_view key) const noexcept;
  Json* find(std::string_view key) noexcept;
  /// Element of an array, or null pointer.
  const Json* at(std::size_t index) const noexcept;
  /// RFC 6901 pointer ("/a/0/b"), or null pointer.
  const Json* pointer(std::string_view path) const noexcept;
  /// Member of an object; a null value becomes an object first. Asserts on other kinds.
  Json& operator[](std::string_view key);
  /// Appends to an array; a null value becomes an array first. Asserts on other kinds.
  void push_back(Json value);

  /// Structural: object members in any order, numbers by value (1 == 1.0).
  bool operator==(const Json& other) const;

  /// Compact text, keys in order; see JsonWriter for the form of numbers and strings.
  std::string dump() const;
  /// With line breaks and `indent` spaces per level.
  std::string dump_pretty(int indent = 2) const;

 private:
  friend class detail::JsonReader;  // builds values in place
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array,
               JsonObject>
      value_;
};

struct JsonObject::Member {
  std::string key;
  Json value;
};

struct JsonParseOptions {
  std::size_t depth_limit = limits::kJsonDepth;
  std::size_t value_limit = limits::kJsonValues;  ///< scalars, arrays and objects together
  std::size_t size_limit_bytes = std::size_t{1} << 31;
  /// Repair the two defects that the reference repairs before it gives up: raw control characters
  /// inside strings, and invalid UTF-8 (replaced by U+FFFD). A valid text is never changed.
  bool lenient = false;
  /// Refuse a member of the outermost object that is there twice; elsewhere the last one wins.
  bool unique_members = false;
};

/// Parses one JSON text. UTF-8 is validated, doubles are exact, nesting is bounded. Accepts what
/// serde_json accepts: "-0" is a double, numbers that overflow binary64 and lone surrogates are
/// refused, no byte order mark. A nesting of exactly `depth_limit` is accepted.
/// Errors: Errc::invalid_argument with what was expected and what came, line, and column in
/// characters; Errc::payload_too_large above `size_limit_bytes` or `value_limit`.
Result<Json> parse_json(std::string_view text, const JsonParseOptions& options = {});

/// Appends JSON text to a string. It is the only serializer of the project: values, events and
/// server-sent chunks all go through it.
///
/// Integers are written exactly; doubles in the shortest form that round-trips ("0.7", "1.0",
/// "1e16", "1e-7"; NaN and infinities as null), floats in the shortest form that round-trips in
/// binary32. Strings escape the quote, the backslash and control characters only (in the short form
/// where JSON has one), non-ASCII stays UTF-8 and must be valid. The caller keeps begin/end
/// balanced; commas are placed by the writer.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) noexcept : out_(out) {}

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);

  JsonWriter& null();
  JsonWriter& value(bool v);
  JsonWriter& value(std::int64_t v);
  JsonWriter& value(std::uint64_t v);
  JsonWriter& value(int v) { return value(static_cast<std::int64_t>(v)); }
  JsonWriter& value(std::uint32_t v) { return value(static_cast<std::uint64_t>(v)); }
  JsonWriter& value(long long v) { return value(static_cast<std::int64_t>(v)); }
  JsonWriter& value(unsigned long long v) { return value(static_cast<std::uint64_t>(v)); }
  JsonWriter& value(double v);
  JsonWriter& value(float v);
  JsonWriter& value(std::string_view v);
  JsonWriter& value(const std::string& v) { return value(std::string_view(v)); }
  JsonWriter& value(const char* v) { return value(std::string_view(v)); }
  JsonWriter& value(const Json& v);
  /// Text that already is one JSON value.
  JsonWriter& raw(std::string_view json);

  /// `key` and `value` in one call; an empty optional is left out.
  template <class T>
  JsonWriter& member(std::string_view name, const T& v) {
    return key(name).value(v);
  }
  template <class T>
  JsonWriter& member_if(std::string_view name, const std::optional<T>& v) {
    return v ? key(name).value(*v) : *this;
  }
  /// An empty optional is written as null.
  template <class T>
  JsonWriter& member_or_null(std::string_view name, const std::optional<T>& v) {
    key(name);
    return v ? value(*v) : null();
  }

 private:
  void separate();
  std::string& out_;
  bool need_comma_ = false;
};

/// Appends `text` as a quoted JSON string.
void append_json_string(std::string& out, std::string_view text);

}  // namespace dynamo::base

namespace dynamo {
using base::Json;
using base::JsonObject;
using base::JsonWriter;
using base::parse_json;
}  // namespace dynamo
