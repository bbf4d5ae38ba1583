// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/load/fields.h"

#include <fmt/core.h>

namespace dynamo::tokenizer::detail {

std::string_view Fields::type() const {
  const Json* type = json_.find("type");
  const std::string* text = type != nullptr ? type->if_string() : nullptr;
  return text != nullptr ? std::string_view(*text) : std::string_view();
}

void Fields::wrong(std::string_view name, std::string_view expected) {
  if (error_) return;
  const Json* value = json_.find(name);
  error_ = Error(Errc::invalid_argument,
                 fmt::format("{} ({}): '{}' must be {}, found {}", part_, type(), name, expected,
                             value == nullptr ? "nothing" : value->kind_name()));
}

std::unexpected<Error> Fields::unknown_type() const {
  if (!json_.is_object()) {
    return fail(Errc::invalid_argument,
                fmt::format("{}: expected an object, found {}", part_, json_.kind_name()));
  }
  if (type().empty()) return fail(Errc::invalid_argument, fmt::format("{}: no 'type'", part_));
  return fail(Errc::invalid_argument, fmt::format("{}: unknown type '{}'", part_, type()));
}

bool Fields::boolean(std::string_view name, std::optional<bool> fallback) {
  const Json* value = json_.find(name);
  if (value == nullptr || value->is_null()) {
    if (!fallback) wrong(name, "a boolean");
    return fallback.value_or(false);
  }
  if (const bool* b = value->if_bool()) return *b;
  wrong(name, "a boolean");
  return false;
}

std::uint32_t Fields::unsigned_integer(std::string_view name,
                                       std::optional<std::uint32_t> fallback) {
  const Json* value = json_.find(name);
  if (value == nullptr || value->is_null()) {
    if (!fallback) wrong(name, "an integer");
    return fallback.value_or(0);
  }
  const auto number = value->as_uint64();
  if (number && *number <= UINT32_MAX) return static_cast<std::uint32_t>(*number);
  wrong(name, "an integer of 0 to 4294967295");
  return 0;
}

std::string Fields::string(std::string_view name, std::optional<std::string_view> fallback) {
  const Json* value = json_.find(name);
  if (value == nullptr || value->is_null()) {
    if (!fallback) wrong(name, "a string");
    return std::string(fallback.value_or(""));
  }
  if (const std::string* text = value->if_string()) return *text;
  wrong(name, "a string");
  return {};
}

const Json* Fields::array(std::string_view name) {
  const Json* value = json_.find(name);
  if (value != nullptr && value->is_array()) return value;
  wrong(name, "an array");
  return nullptr;
}

}  // namespace dynamo::tokenizer::detail
