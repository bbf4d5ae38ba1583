// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/tokens/hash.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Names of blocks under a secret, for what routers tell each other of running requests: whoever
/// listens cannot test guesses of a prompt against them. The prefix index stays public.
/// Source: lib/kv-router/src/tracking_hash.rs (v1.5); spec kv-router 1.5.
namespace dynamo::tokens {

/// `router_tracking_hash`.
enum class TrackingHashKind : std::uint8_t { public_xxh3_v1, keyed_xxh3_v1 };
/// "public-xxh3-v1" or "keyed-xxh3-v1". Errors: Errc::invalid_argument.
Result<TrackingHashKind> parse_tracking_hash_kind(std::string_view name);

/// The content of `router_tracking_key_file` and its `router_tracking_key_id`.
struct TrackingKey {
  std::array<std::uint8_t, 32> key{};
  std::string id;

  /// Errors: Errc::invalid_argument when the file has not exactly 32 bytes, or the id is empty or
  /// has blanks around it. The message does not show the key.
  static Result<TrackingKey> make(std::string_view key_bytes, std::string_view id);
};

/// What keeps names apart beside the key.
struct TrackingScope {
  std::string_view model;
  std::string_view routing_group;
  std::uint32_t block_size_tokens = 0;
  std::string_view cache_namespace;  ///< empty: none
  std::string_view lora_name;        ///< empty: none
  bool eagle = false;
};

/// Seeds of block hashes and of their chain. Confined to no thread: a value.
struct TrackingSeeds {
  SaltHash block{};
  SaltHash chain{};
  bool operator==(const TrackingSeeds&) const = default;

  /// public-xxh3-v1: the router's own names.
  static TrackingSeeds public_seeds(const TrackingScope& scope) noexcept;
  /// keyed-xxh3-v1: from the keyed BLAKE3 of the scope.
  static TrackingSeeds keyed_seeds(const TrackingKey& key, const TrackingScope& scope);

  /// Names of the complete blocks. `mm_hashes` as in BlockHashOptions.
  std::vector<SequenceHash> names(std::span<const Token> tokens, const TrackingScope& scope,
                                  std::span<const BlockMmHashes> mm_hashes = {}) const;
};

}  // namespace dynamo::tokens
