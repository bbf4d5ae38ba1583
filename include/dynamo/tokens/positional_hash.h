// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/tokens/hash.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace dynamo::tokens {

__extension__ using Uint128 = unsigned __int128;

/// 128 bits, most significant first: what the reference writes as MessagePack bin or as a JSON
/// array of 16 numbers.
using Bytes128 = std::array<std::uint8_t, 16>;
Bytes128 to_big_endian(Uint128 value) noexcept;
Uint128 from_big_endian(const Bytes128& bytes) noexcept;

/// Where a block stands, what it holds and what precedes it, in one value:
/// bits 127-64 [mode:2][position:P][block hash, low L bits], bits 63-0 the sequence hash;
/// P/L = 8/54, 16/46, 24/38, 31/31 by mode, the smallest that fits. The same in v0.9 and v1.5.
struct PositionalSequenceHash {
  Uint128 value = 0;

  /// `position` must be below 2^31.
  static PositionalSequenceHash make(SequenceHash sequence, std::uint64_t position,
                                     BlockHash block) noexcept;
  unsigned mode() const noexcept { return static_cast<unsigned>(value >> 126); }
  std::uint64_t position() const noexcept;
  SequenceHash sequence_hash() const noexcept {
    return SequenceHash{static_cast<std::uint64_t>(value)};
  }
  /// The low bits of the block hash that the mode has room for.
  std::uint64_t block_hash_fragment() const noexcept;
  auto operator<=>(const PositionalSequenceHash&) const = default;
};

/// A block with a link to its parent, v1.5 layout: [mode:2][position:P][sequence hash:64]
/// [parent fragment:R], P/R = 8/54, 16/46, 24/38. The fragment is the low R bits of the parent's
/// sequence hash, 0 at the root. Positions are below 2^24.
///
/// Nothing in a value tells it from the v0.9 layout; never mix persisted data.
/// Ordered by position, then sequence hash, then the raw value.
struct PositionalLineageHash {
  static constexpr std::uint64_t kPositions = std::uint64_t{1} << 24;
  Uint128 value = 0;

  /// `position` must be below kPositions; a parent is given exactly when it is not 0.
  static PositionalLineageHash make(SequenceHash current, std::optional<SequenceHash> parent,
                                    std::uint64_t position) noexcept;
  /// The hash of the block that follows with this content.
  PositionalLineageHash extend(BlockHash child) const noexcept;

  unsigned mode() const noexcept { return static_cast<unsigned>(value >> 126); }
  std::uint64_t position() const noexcept;
  SequenceHash current() const noexcept;
  std::uint64_t parent_fragment() const noexcept;
  /// What a child at `child_position` holds as its parent fragment when this is its parent.
  std::uint64_t parent_fragment_for_child_position(std::uint64_t child_position) const noexcept;

  /// "position:base58(current)" and, behind the root, ":base58(parent fragment)".
  std::string to_string() const;
  bool operator==(const PositionalLineageHash&) const = default;
  std::strong_ordering operator<=>(const PositionalLineageHash& other) const noexcept;
};

/// The v0.9 layout: [mode:2][position:P][parent fragment:N][current fragment:N], N = 59, 55, 51.
/// The current fragment keeps only the bits that a child at the next position has room for, so that
/// it equals the child's parent fragment across the borders of the modes.
struct PositionalLineageHashV09 {
  Uint128 value = 0;
  /// `position` must be below PositionalLineageHash::kPositions.
  static PositionalLineageHashV09 make(SequenceHash current, std::optional<SequenceHash> parent,
                                       std::uint64_t position) noexcept;
  std::uint64_t position() const noexcept;
  std::uint64_t parent_fragment() const noexcept;
  std::uint64_t current_fragment() const noexcept;
  auto operator<=>(const PositionalLineageHashV09&) const = default;
};

/// Base 58 with Bitcoin's alphabet of the 8 big-endian bytes; leading zero bytes as '1'.
std::string base58(std::uint64_t value);

}  // namespace dynamo::tokens

/// @cond
template <>
struct std::hash<dynamo::tokens::PositionalLineageHash> {
  std::size_t operator()(const dynamo::tokens::PositionalLineageHash& hash) const noexcept {
    return static_cast<std::size_t>(hash.current()) ^ static_cast<std::size_t>(hash.position());
  }
};
template <>
struct std::hash<dynamo::tokens::PositionalSequenceHash> {
  std::size_t operator()(const dynamo::tokens::PositionalSequenceHash& hash) const noexcept {
    return static_cast<std::size_t>(hash.sequence_hash()) ^
           static_cast<std::size_t>(hash.position());
  }
};
/// @endcond
