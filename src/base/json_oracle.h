// SPDX-License-Identifier: Apache-2.0
#pragma once

// A second opinion on JSON texts for tests and fuzzing: simdjson. The product reads with its own
// reader: on requests it takes as long as simdjson plus the conversion of its result (1.2 us for
// 1.4 kB, src/base/json_bench.cpp; arrays of numbers take a quarter longer), it accepts what the
// reference accepts without special cases, and it needs no 15 bytes of scratch memory per byte.

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

namespace dynamo::base::detail {

inline Json from_simdjson(simdjson::dom::element element) {
  using simdjson::dom::element_type;
  switch (element.type()) {
    case element_type::ARRAY: {
      Json::Array elements;
      for (const auto child : element.get_array().value_unsafe())
        elements.push_back(from_simdjson(child));
      return Json(std::move(elements));
    }
    case element_type::OBJECT: {
      JsonObject members;
      for (const auto field : element.get_object().value_unsafe())
        members.set(field.key, from_simdjson(field.value));
      return Json(std::move(members));
    }
    case element_type::INT64:
      return Json(element.get_int64().value_unsafe());
    case element_type::UINT64:
      return Json(element.get_uint64().value_unsafe());
    case element_type::DOUBLE:
      return Json(element.get_double().value_unsafe());
    case element_type::STRING:
      return Json(element.get_string().value_unsafe());
    case element_type::BOOL:
      return Json(element.get_bool().value_unsafe());
    case element_type::NULL_VALUE:
      return Json();
  }
  return Json();
}

/// Whether simdjson 3.0 deliberately reads the text otherwise than we do: "-0" is an integer to
/// it, it refuses integers beyond 64 bits, and it is careless with surrogates in escapes.
inline bool oracle_may_differ(std::string_view text) {
  if (text.find("\\ud") != text.npos || text.find("\\uD") != text.npos) return true;
  for (std::size_t at = 0; (at = text.find("-0", at)) != text.npos; at += 2) {
    const char next = at + 2 < text.size() ? text[at + 2] : '\0';
    if ((next < '0' || next > '9') && next != '.' && next != 'e' && next != 'E') return true;
  }
  std::size_t digits = 0;
  for (const char c : text) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits >= 19) return true;
  }
  return false;
}

/// Levels of nesting: a scalar has none.
inline std::size_t depth_of(const Json& value) {
  std::size_t below = 0;
  if (const auto* array = value.if_array()) {
    for (const Json& element : *array) below = std::max(below, depth_of(element));
  } else if (const auto* object = value.if_object()) {
    for (const auto& member : *object) below = std::max(below, depth_of(member.value));
  } else {
    return 0;
  }
  return below + 1;
}

/// What simdjson makes of a text; none when it refuses it or the value is nested too deeply (its
/// own limit does not count an innermost container that is empty).
inline std::optional<Json> oracle_parse(std::string_view text, std::size_t depth_limit = 128) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.allocate(text.size(), depth_limit + 2) != simdjson::SUCCESS) return std::nullopt;
  if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS) return std::nullopt;
  Json value = from_simdjson(root);
  if (depth_of(value) > depth_limit) return std::nullopt;
  return value;
}

/// Equal in value, kinds of number, order of members and the bits of every double.
inline bool same_json(const Json& a, const Json& b) {
  return a == b && a.dump() == b.dump();
}

}  // namespace dynamo::base::detail
