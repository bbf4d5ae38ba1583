// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/kv_router/event.h>

#include <array>
#include <optional>
#include <string_view>

namespace dynamo::kv_router::detail {

inline constexpr std::array<std::string_view, 4> kTierNames{"device", "host_pinned", "disk",
                                                            "external"};
inline constexpr std::array<std::string_view, 2> kDomainNames{"worker", "cache_owner"};

constexpr std::string_view name_of(StorageTier tier) noexcept {
  return kTierNames[static_cast<std::size_t>(tier)];
}
constexpr std::string_view name_of(ResidencyDomain domain) noexcept {
  return kDomainNames[static_cast<std::size_t>(domain)];
}

constexpr std::optional<StorageTier> tier_of(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kTierNames.size(); ++i) {
    if (kTierNames[i] == name) return static_cast<StorageTier>(i);
  }
  return std::nullopt;
}
constexpr std::optional<ResidencyDomain> domain_of(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kDomainNames.size(); ++i) {
    if (kDomainNames[i] == name) return static_cast<ResidencyDomain>(i);
  }
  return std::nullopt;
}

}  // namespace dynamo::kv_router::detail
