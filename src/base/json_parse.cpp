// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/json.h>

#include <cstring>
#include <memory>

#include <simdjson.h>

#include "base/json_reader.h"

namespace dynamo::base {
namespace {

namespace dom = simdjson::dom;

// Below this size the setup of simdjson costs more than it saves (src/base/json_bench.cpp).
constexpr std::size_t kFastPathAbove = 256;
// A parser that grew beyond this for one large text gives its memory back.
constexpr std::size_t kKeepCapacity = 256 * 1024;

bool contains(std::string_view text, std::string_view what) noexcept {
  return ::memmem(text.data(), text.size(), what.data(), what.size()) != nullptr;
}

// Whether the text may hold the number "-0", which is a double: "-0" that no digit, point or
// exponent follows. (In a string it costs a slower parse, nothing else.)
bool may_hold_negative_zero(std::string_view text) noexcept {
  for (std::size_t at = 0; (at = text.find("-0", at)) != std::string_view::npos; at += 2) {
    const char next = at + 2 < text.size() ? text[at + 2] : '\0';
    const bool goes_on = (next >= '0' && next <= '9') || next == '.' || next == 'e' || next == 'E';
    if (!goes_on) return true;
  }
  return false;
}

// False when the value is nested too deeply.
bool convert(dom::element element, std::size_t depth_left, Json& out) {
  switch (element.type()) {
    case dom::element_type::ARRAY: {
      if (depth_left == 0) return false;
      Json::Array elements;
      const dom::array source = element.get_array().value_unsafe();
      elements.reserve(source.size());
      for (const dom::element child : source)
        if (!convert(child, depth_left - 1, elements.emplace_back())) return false;
      out = Json(std::move(elements));
      return true;
    }
    case dom::element_type::OBJECT: {
      if (depth_left == 0) return false;
      JsonObject members;
      for (const dom::key_value_pair field : element.get_object().value_unsafe()) {
        Json value;
        if (!convert(field.value, depth_left - 1, value)) return false;
        members.set(field.key, std::move(value));
      }
      out = Json(std::move(members));
      return true;
    }
    case dom::element_type::INT64:
      out = Json(element.get_int64().value_unsafe());
      return true;
    case dom::element_type::UINT64:
      out = Json(element.get_uint64().value_unsafe());
      return true;
    case dom::element_type::DOUBLE:
      out = Json(element.get_double().value_unsafe());
      return true;
    case dom::element_type::STRING:
      out = Json(element.get_string().value_unsafe());
      return true;
    case dom::element_type::BOOL:
      out = Json(element.get_bool().value_unsafe());
      return true;
    case dom::element_type::NULL_VALUE:
      out = Json();
      return true;
  }
  return false;
}

// The value, or none when simdjson refuses the text or would read it otherwise than the strict
// reader: it takes "-0" for an integer and is careless with surrogates in escapes.
std::optional<Json> parse_fast(std::string_view text, std::size_t depth_limit) {
  if (may_hold_negative_zero(text) || contains(text, "\\ud") || contains(text, "\\uD"))
    return std::nullopt;
  thread_local std::unique_ptr<dom::parser> parser;
  if (!parser) parser = std::make_unique<dom::parser>();
  std::optional<Json> value;
  dom::element root;
  // Two more than the limit: the document itself counts, and convert() does the exact counting.
  if (parser->allocate(std::max(text.size(), parser->capacity()), depth_limit + 2) ==
          simdjson::SUCCESS &&
      parser->parse(text.data(), text.size()).get(root) == simdjson::SUCCESS) {
    value.emplace();
    if (!convert(root, depth_limit, *value)) value.reset();
  }
  if (parser->capacity() > kKeepCapacity) parser.reset();
  return value;
}

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonParseOptions& options) {
  if (text.size() > options.size_limit_bytes)
    return fail(Errc::payload_too_large, "JSON text has " + std::to_string(text.size()) +
                                             " bytes, the limit is " +
                                             std::to_string(options.size_limit_bytes));
  if (text.size() > kFastPathAbove) {
    if (auto value = parse_fast(text, options.depth_limit)) return *std::move(value);
  }
  Result<Json> strict = detail::read_json(text, options.depth_limit);
  if (strict || !options.lenient) return strict;
  Result<Json> repaired = detail::read_json(detail::repair_json(text), options.depth_limit);
  // The first error speaks about the text that was sent.
  return repaired ? std::move(repaired) : std::move(strict);
}

}  // namespace dynamo::base
