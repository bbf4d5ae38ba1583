// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace dynamo::openai::detail {

/// Where in a request body a value stands: "messages[0].content". A list of frames on the stack, so
/// that it costs nothing until there is something to report; it must not outlive its parents.
class FieldPath {
 public:
  FieldPath() = default;
  FieldPath member(std::string_view key) const noexcept { return FieldPath(this, key, kNoIndex); }
  FieldPath element(std::size_t index) const noexcept { return FieldPath(this, {}, index); }
  std::string to_string() const;

 private:
  static constexpr std::size_t kNoIndex = ~std::size_t{0};
  FieldPath(const FieldPath* parent, std::string_view key, std::size_t index) noexcept
      : parent_(parent), key_(key), index_(index) {}
  void append_to(std::string& out) const;

  const FieldPath* parent_ = nullptr;
  std::string_view key_;
  std::size_t index_ = kNoIndex;
};

// Failures of the types, in the reference's wording: "Failed to deserialize the JSON body into the
// target type: <path>: <detail>". All are Errc::invalid_argument with the path as param().

Error body_error(std::string_view detail);
Error body_error(const FieldPath& path, std::string_view detail);
/// "invalid type: string "hot", expected f32"; "invalid value" for an integer out of range.
Error type_error(const FieldPath& path, const Json& found, std::string_view expected);
Error value_error(const FieldPath& path, const Json& found, std::string_view expected);
/// `where` is the object that lacks the member.
Error missing_field(const FieldPath& where, std::string_view name);
Error unknown_variant(const FieldPath& path, std::string_view found,
                      std::span<const std::string_view> expected);
Error unknown_field(const FieldPath& path, std::string_view found,
                    std::span<const std::string_view> expected);

}  // namespace dynamo::openai::detail
