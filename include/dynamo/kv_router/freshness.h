// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace dynamo::kv_router {

/// How far what the index says of a (worker, rank) can be trusted.
enum class Freshness : std::uint8_t {
  unknown,     ///< nothing heard: what is known of its cache is what was routed there
  fresh,       ///< every event so far is in the index
  recovering,  ///< events are missing and have been asked for; the index stands at the last before
  degraded,    ///< events are missing for good
  lost,        ///< its publisher is gone while the worker lives; the index stands at the last event
};

/// Whether a worker's overlap is exact, or only probably right.
constexpr bool is_exact(Freshness freshness) noexcept {
  return freshness == Freshness::fresh;
}
/// For logs and metrics: the enumerator's name.
constexpr std::string_view name_of(Freshness freshness) noexcept {
  switch (freshness) {
    case Freshness::unknown:
      return "unknown";
    case Freshness::fresh:
      return "fresh";
    case Freshness::recovering:
      return "recovering";
    case Freshness::degraded:
      return "degraded";
    case Freshness::lost:
      return "lost";
  }
  return "unknown";
}

}  // namespace dynamo::kv_router
