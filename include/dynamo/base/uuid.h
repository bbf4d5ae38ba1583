// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dynamo::base {

class Rng;

/// A UUID. Source: RFC 9562.
class Uuid {
 public:
  /// A random (version 4) one from a per-thread generator seeded by the operating system.
  static Uuid random();
  static Uuid random(Rng& rng) noexcept;
  /// Accepts the hyphenated form, the 32-digit form, braces and the urn: prefix.
  static std::optional<Uuid> parse(std::string_view text) noexcept;

  /// 36 lower-case characters with hyphens.
  std::string to_string() const;
  const std::array<std::uint8_t, 16>& bytes() const noexcept { return bytes_; }
  bool operator==(const Uuid&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

}  // namespace dynamo::base
