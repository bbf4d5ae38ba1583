// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/json.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "openai/field_path.h"

namespace dynamo::openai::detail {

// read() moves a JSON value into a typed member, or says what was expected where. Strings and
// trees are moved out of `from`, which is not to be used afterwards.

Result<void> read(Json& from, const FieldPath& path, bool& to);
Result<void> read(Json& from, const FieldPath& path, float& to);
Result<void> read(Json& from, const FieldPath& path, double& to);
Result<void> read(Json& from, const FieldPath& path, std::string& to);
Result<void> read(Json& from, const FieldPath& path, Json& to);
Result<void> read(Json& from, const FieldPath& path, std::uint8_t& to);
Result<void> read(Json& from, const FieldPath& path, std::uint32_t& to);
Result<void> read(Json& from, const FieldPath& path, std::uint64_t& to);
Result<void> read(Json& from, const FieldPath& path, std::int32_t& to);
Result<void> read(Json& from, const FieldPath& path, std::int64_t& to);

template <class T>
Result<void> read(Json& from, const FieldPath& path, std::vector<T>& to) {
  Json::Array* items = from.if_array();
  if (items == nullptr) return fail(type_error(path, from, "a sequence"));
  to.clear();
  to.reserve(items->size());
  for (std::size_t i = 0; i < items->size(); ++i) {
    T item{};
    DYN_CHECK(read((*items)[i], path.element(i), item));
    to.push_back(std::move(item));
  }
  return {};
}

/// Null and absent are the same.
template <class T>
Result<void> read(Json& from, const FieldPath& path, std::optional<T>& to) {
  if (from.is_null()) {
    to.reset();
    return {};
  }
  T value{};
  DYN_CHECK(read(from, path, value));
  to = std::move(value);
  return {};
}

/// The string at `path` when it is one of `names`.
Result<std::string> read_variant(const Json& from, const FieldPath& path,
                                 std::span<const std::string_view> names);

/// One member of an object that is read by name.
template <class Target>
struct Field {
  std::string_view name;
  Result<void> (*read)(Json& from, const FieldPath& path, Target& to);
};

/// A Field that reads into a data member.
template <class Target, auto Member>
constexpr Field<Target> field(std::string_view name) {
  return {name, [](Json& from, const FieldPath& path, Target& to) {
            return read(from, path, to.*Member);
          }};
}

/// Fields sorted by name at compile time, found by binary search.
template <class Target, std::size_t Count>
struct FieldTable {
  std::array<Field<Target>, Count> fields;

  consteval explicit FieldTable(std::array<Field<Target>, Count> unsorted) : fields(unsorted) {
    std::ranges::sort(fields, {}, &Field<Target>::name);
  }
  const Field<Target>* find(std::string_view name) const noexcept {
    const auto it = std::ranges::lower_bound(fields, name, {}, &Field<Target>::name);
    return it != fields.end() && it->name == name ? &*it : nullptr;
  }
};
template <class Target, std::size_t Count>
FieldTable(std::array<Field<Target>, Count>) -> FieldTable<Target, Count>;

/// Reads an object whose members are all in `table`; others are refused (`Strict`) or ignored.
enum class Unknown : std::uint8_t { refused, ignored };
template <class Target, std::size_t Count>
Result<void> read_object(Json& from, const FieldPath& path, Target& to,
                         const FieldTable<Target, Count>& table, Unknown unknown) {
  JsonObject* object = from.if_object();
  if (object == nullptr) return fail(type_error(path, from, "a map"));
  for (auto& [key, value] : *object) {
    if (const Field<Target>* known = table.find(key)) {
      DYN_CHECK(known->read(value, path.member(key), to));
    } else if (unknown == Unknown::refused) {
      std::array<std::string_view, Count> names;
      std::ranges::transform(table.fields, names.begin(), &Field<Target>::name);
      return fail(unknown_field(path.member(key), key, names));
    }
  }
  return {};
}

}  // namespace dynamo::openai::detail
