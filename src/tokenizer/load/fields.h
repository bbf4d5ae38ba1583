// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dynamo::tokenizer::detail {

/// Reads the fields of one component; the first wrong one is kept as the error.
class Fields {
 public:
  Fields(const Json& json, std::string_view part) : json_(json), part_(part) {}

  /// The "type" member; empty when there is none.
  std::string_view type() const;
  bool boolean(std::string_view name, std::optional<bool> fallback);
  std::uint32_t unsigned_integer(std::string_view name, std::optional<std::uint32_t> fallback);
  std::string string(std::string_view name, std::optional<std::string_view> fallback);
  /// The member, which must be an array; null when absent or wrong.
  const Json* array(std::string_view name);
  const Json* member(std::string_view name) const { return json_.find(name); }

  bool ok() const noexcept { return !error_; }
  /// The first error, or the value.
  template <class T>
  Result<T> result(T value) {
    if (error_) return std::unexpected(*std::move(error_));
    return value;
  }
  std::unexpected<Error> failure() { return std::unexpected(*std::move(error_)); }
  void wrong(std::string_view name, std::string_view expected);
  /// "normalizer: unknown type 'X'".
  std::unexpected<Error> unknown_type() const;

 private:
  const Json& json_;
  std::string_view part_;
  std::optional<Error> error_;
};

}  // namespace dynamo::tokenizer::detail
