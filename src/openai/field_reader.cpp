// SPDX-License-Identifier: Apache-2.0
#include "openai/field_reader.h"

#include <cmath>

namespace dynamo::openai::detail {
namespace {

template <class Integer>
Result<void> read_integer(const Json& from, const FieldPath& path, Integer& to,
                          std::string_view name) {
  if (!from.is_integer()) return fail(type_error(path, from, name));
  if constexpr (std::is_signed_v<Integer>) {
    const auto value = from.as_int64();
    if (!value || !std::in_range<Integer>(*value)) return fail(value_error(path, from, name));
    to = static_cast<Integer>(*value);
  } else {
    const auto value = from.as_uint64();
    if (!value || !std::in_range<Integer>(*value)) return fail(value_error(path, from, name));
    to = static_cast<Integer>(*value);
  }
  return {};
}

}  // namespace

Result<void> read(Json& from, const FieldPath& path, bool& to) {
  const bool* value = from.if_bool();
  if (value == nullptr) return fail(type_error(path, from, "a boolean"));
  to = *value;
  return {};
}

Result<void> read(Json& from, const FieldPath& path, double& to) {
  const auto value = from.as_double();
  if (!value) return fail(type_error(path, from, "f64"));
  to = *value;
  return {};
}

Result<void> read(Json& from, const FieldPath& path, float& to) {
  const auto value = from.as_double();
  if (!value) return fail(type_error(path, from, "f32"));
  constexpr double kMax = std::numeric_limits<float>::max();
  to = std::abs(*value) <= kMax
           ? static_cast<float>(*value)
           : std::copysign(std::numeric_limits<float>::infinity(), *value > 0 ? 1.0F : -1.0F);
  return {};
}

Result<void> read(Json& from, const FieldPath& path, std::string& to) {
  std::string* value = from.if_string();
  if (value == nullptr) return fail(type_error(path, from, "a string"));
  to = std::move(*value);
  return {};
}

Result<void> read(Json& from, const FieldPath&, Json& to) {
  to = std::move(from);
  return {};
}

Result<void> read(Json& from, const FieldPath& path, std::uint8_t& to) {
  return read_integer(from, path, to, "u8");
}
Result<void> read(Json& from, const FieldPath& path, std::uint32_t& to) {
  return read_integer(from, path, to, "u32");
}
Result<void> read(Json& from, const FieldPath& path, std::uint64_t& to) {
  return read_integer(from, path, to, "u64");
}
Result<void> read(Json& from, const FieldPath& path, std::int32_t& to) {
  return read_integer(from, path, to, "i32");
}
Result<void> read(Json& from, const FieldPath& path, std::int64_t& to) {
  return read_integer(from, path, to, "i64");
}

Result<std::string> read_variant(const Json& from, const FieldPath& path,
                                 std::span<const std::string_view> names) {
  const std::string* text = from.if_string();
  if (text == nullptr) return fail(type_error(path, from, "a string"));
  if (std::ranges::find(names, std::string_view(*text)) == names.end()) {
    return fail(unknown_variant(path, *text, names));
  }
  return *text;
}

}  // namespace dynamo::openai::detail
