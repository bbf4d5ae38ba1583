// SPDX-License-Identifier: Apache-2.0
#include "parsers/value_typing.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>

#include "parsers/json_scanner.h"
#include "parsers/json_text.h"
#include "parsers/python_literal.h"
#include "parsers/whitespace.h"

namespace dynamo::parsers::detail {
namespace {

std::optional<double> finite_double(std::string_view text) noexcept {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::string> json_or_literal(std::string_view text) {
  std::string json;
  if (is_json(text, &json)) return json;
  json.clear();
  if (python_literal_to_json(text, false, json)) return json;
  return std::nullopt;
}

enum class Coercion : std::uint8_t { string, integer, number, boolean, json };

// The words that the XML family's models put into schemas, with the reference's prefixes.
Coercion xml_coercion(std::string_view word) noexcept {
  for (const std::string_view known : {"string", "str", "text", "varchar", "char", "enum"}) {
    if (word == known) return Coercion::string;
  }
  for (const std::string_view prefix : {"int", "uint", "long", "short", "unsigned"}) {
    if (word.starts_with(prefix)) return Coercion::integer;
  }
  if (word.starts_with("num") || word.starts_with("float") || word == "double") {
    return Coercion::number;
  }
  for (const std::string_view known : {"boolean", "bool", "binary"}) {
    if (word == known) return Coercion::boolean;
  }
  return Coercion::json;
}

std::optional<std::string> xml_number(std::string_view text) {
  if (is_integer_literal(text)) return json_integer(text);
  const auto value = finite_double(text);
  if (!value) return std::nullopt;
  constexpr double kInt64End = 9223372036854775808.0;  // 2^63
  if (*value == std::trunc(*value) && *value >= -kInt64End && *value < kInt64End) {
    return std::to_string(static_cast<std::int64_t>(*value));
  }
  return is_json_number(text) ? std::string(text) : Json(*value).dump();
}

// None when the text does not fit the type.
std::optional<std::string> xml_typed(std::string_view text, std::string_view word, bool only) {
  switch (xml_coercion(word)) {
    case Coercion::string:
      return json_string(text);
    case Coercion::integer:
      if (is_integer_literal(text) && fits_int64(text)) return json_integer(text);
      return std::nullopt;
    case Coercion::number:
      return xml_number(text);
    case Coercion::boolean:
      if (equals_ignoring_case(text, "true")) return "true";
      // With nothing else to be, whatever is not true is false.
      if (only || equals_ignoring_case(text, "false")) return "false";
      return std::nullopt;
    case Coercion::json:
      return word == "null" ? std::nullopt : json_or_literal(text);
  }
  return std::nullopt;
}

}  // namespace

bool xml_value_is_string(const Schema& schema) {
  if (!schema.known()) return true;
  for (const std::string& word : schema.types()) {
    if (word == "null") continue;
    return xml_coercion(word) == Coercion::string;
  }
  return true;
}

std::string xml_value(std::string_view text, const Schema& schema) {
  if (equals_ignoring_case(text, "null")) return "null";
  const std::vector<std::string> types = schema.types();
  for (const std::string& word : types) {
    if (auto value = xml_typed(text, word, types.size() == 1)) return *std::move(value);
  }
  return json_string(text);
}

bool glm_value_is_string(const Schema& schema) {
  for (const std::string& word : schema.types()) return word == "string" || word == "object";
  return true;
}

std::string glm_value(std::string_view text, const Schema& schema) {
  const std::string_view trimmed = trim(text);
  if (!trimmed.empty() && std::string_view("{[\"").contains(trimmed[0])) {
    std::string json;
    if (is_json(trimmed, &json)) return json;
  }
  for (const std::string& word : schema.types()) {
    if (word == "integer" || word == "int") {
      if (is_integer_literal(trimmed)) return json_integer(trimmed);
    } else if (word == "number" || word == "float" || word == "double") {
      if (is_json_number(trimmed)) return std::string(trimmed);
      if (is_integer_literal(trimmed)) return json_integer(trimmed);
      if (const auto value = finite_double(trimmed)) return Json(*value).dump();
    } else if (word == "boolean" || word == "bool") {
      for (const std::string_view yes : {"true", "1", "yes"}) {
        if (equals_ignoring_case(trimmed, yes)) return "true";
      }
      for (const std::string_view no : {"false", "0", "no"}) {
        if (equals_ignoring_case(trimmed, no)) return "false";
      }
    } else if (word == "array") {
      std::string json = "[";
      std::string_view rest = trimmed;
      while (!rest.empty()) {
        const std::size_t comma = rest.find(',');
        if (json.size() > 1) json += ',';
        json += json_string(trim(rest.substr(0, comma)));
        rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
      }
      return json + "]";
    } else if (word == "null") {
      if (trimmed.empty() || trimmed == "null" || trimmed == "None") return "null";
    } else if (word == "string") {
      break;
    }
  }
  return json_string(text);
}

std::string m3_scalar(std::string_view text, const Schema& schema) {
  const std::string_view trimmed = trim(text);
  if (equals_ignoring_case(trimmed, "null")) return "null";
  for (const std::string& word : schema.types()) {
    if (word == "string" || word == "enum") break;
    if (word == "integer") {
      if (is_integer_literal(trimmed)) return json_integer(trimmed);
    } else if (word == "number") {
      if (is_json_number(trimmed)) return std::string(trimmed);
      if (const auto value = finite_double(trimmed)) return Json(*value).dump();
    } else if (word == "boolean") {
      if (trimmed == "1" || equals_ignoring_case(trimmed, "true")) return "true";
      if (trimmed == "0" || equals_ignoring_case(trimmed, "false")) return "false";
    } else if (word == "object" || word == "array") {
      if (trimmed.empty()) return word == "object" ? "{}" : "[]";
      std::string json;
      if (is_json(trimmed, &json)) return json;
    }
  }
  return json_string(text);
}

}  // namespace dynamo::parsers::detail
