// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dynamo::llm::detail {

/// Reads members of a JSON object into typed ones and remembers the first that has another type.
/// Unknown members are ignored; null and absent are the same.
class ObjectReader {
 public:
  /// `where` names the object in messages: "stop_conditions".
  ObjectReader(const Json& object, std::string_view where) : object_(object), where_(where) {
    if (!object.is_object()) wrong("", object, "an object");
  }

  template <class T>
  void get(std::string_view key, T& to) {
    if (error_) return;
    const Json* value = object_.find(key);
    if (value != nullptr && !value->is_null()) convert(key, *value, to);
  }
  template <class T>
  void require(std::string_view key, T& to) {
    if (error_) return;
    const Json* value = object_.find(key);
    if (value == nullptr) {
      error_ =
          Error(Errc::invalid_argument, "missing field `" + path(key) + "`").with_param(path(key));
      return;
    }
    convert(key, *value, to);
  }
  /// A member that is read by its own function: `Result<T> read(const Json&)`.
  template <class T, class Read>
  void get_with(std::string_view key, T& to, Read read) {
    if (error_) return;
    const Json* value = object_.find(key);
    if (value == nullptr || value->is_null()) return;
    auto result = read(*value);
    if (result) {
      to = *std::move(result);
    } else {
      error_ = std::move(result).error();
    }
  }
  void reject(std::string_view key, std::string_view expected) {
    const Json* value = object_.find(key);
    if (!error_ && value != nullptr) wrong(key, *value, expected);
  }
  const Json* find(std::string_view key) const noexcept { return object_.find(key); }

  Result<void> status() && {
    if (error_) return fail(*std::move(error_));
    return {};
  }

 private:
  std::string path(std::string_view key) const {
    if (where_.empty()) return std::string(key);
    return key.empty() ? std::string(where_) : std::string(where_).append(1, '.').append(key);
  }
  void wrong(std::string_view key, const Json& found, std::string_view expected) {
    const std::string name = path(key);
    std::string message = name.empty() ? "the value" : "`" + name + "`";
    message.append(": expected ").append(expected).append(", got ").append(found.kind_name());
    error_ = Error(Errc::invalid_argument, std::move(message)).with_param(name);
  }

  void convert(std::string_view key, const Json& from, Json& to) { (void)key, to = from; }
  void convert(std::string_view key, const Json& from, bool& to) {
    if (const bool* value = from.if_bool()) {
      to = *value;
    } else {
      wrong(key, from, "a boolean");
    }
  }
  void convert(std::string_view key, const Json& from, std::string& to) {
    if (const std::string* value = from.if_string()) {
      to = *value;
    } else {
      wrong(key, from, "a string");
    }
  }
  template <std::floating_point Float>
  void convert(std::string_view key, const Json& from, Float& to) {
    const auto value = from.as_double();
    if (value &&
        (std::is_same_v<Float, double> || (*value >= std::numeric_limits<float>::lowest() &&
                                           *value <= std::numeric_limits<float>::max()))) {
      to = static_cast<Float>(*value);
    } else {
      wrong(key, from, "a number");
    }
  }
  template <std::unsigned_integral Integer>
    requires(!std::same_as<Integer, bool>)
  void convert(std::string_view key, const Json& from, Integer& to) {
    const auto value = from.as_uint64();
    if (value && std::in_range<Integer>(*value)) {
      to = static_cast<Integer>(*value);
    } else {
      wrong(key, from, "an unsigned integer of " + std::to_string(8 * sizeof(Integer)) + " bits");
    }
  }
  template <std::signed_integral Integer>
  void convert(std::string_view key, const Json& from, Integer& to) {
    const auto value = from.as_int64();
    if (value && std::in_range<Integer>(*value)) {
      to = static_cast<Integer>(*value);
    } else {
      wrong(key, from, "an integer of " + std::to_string(8 * sizeof(Integer)) + " bits");
    }
  }
  template <class T>
  void convert(std::string_view key, const Json& from, std::optional<T>& to) {
    if (from.is_null()) {
      to.reset();
      return;
    }
    T value{};
    convert(key, from, value);
    if (!error_) to = std::move(value);
  }
  template <class T>
  void convert(std::string_view key, const Json& from, std::vector<T>& to) {
    const Json::Array* items = from.if_array();
    if (items == nullptr) {
      wrong(key, from, "an array");
      return;
    }
    to.clear();
    to.reserve(items->size());
    for (const Json& item : *items) {
      T value{};
      convert(key, item, value);
      if (error_) return;
      to.push_back(std::move(value));
    }
  }

  const Json& object_;
  std::string_view where_;
  std::optional<Error> error_;
};

/// Writes a list of values.
template <class T>
void write_list(JsonWriter& out, const std::vector<T>& values) {
  out.begin_array();
  for (const T& value : values) out.value(value);
  out.end_array();
}

}  // namespace dynamo::llm::detail
