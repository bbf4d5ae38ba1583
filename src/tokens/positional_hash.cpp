// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/tokens/positional_hash.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace dynamo::tokens {
namespace {

constexpr unsigned position_bits(unsigned mode) noexcept {
  return mode == 3 ? 31 : 8 * (mode + 1);
}
constexpr unsigned mode_of(std::uint64_t position) noexcept {
  return position < (1ULL << 8) ? 0 : position < (1ULL << 16) ? 1 : position < (1ULL << 24) ? 2 : 3;
}
constexpr std::uint64_t low_bits(std::uint64_t value, unsigned bits) noexcept {
  return bits >= 64 ? value : value & ((std::uint64_t{1} << bits) - 1);
}
/// The position that stands behind the mode.
std::uint64_t position_in(Uint128 value) noexcept {
  const unsigned bits = position_bits(static_cast<unsigned>(value >> 126));
  return low_bits(static_cast<std::uint64_t>(value >> (126 - bits)), bits);
}
Uint128 head(std::uint64_t position) noexcept {
  const unsigned mode = mode_of(position);
  return Uint128{mode} << 126 | Uint128{position} << (126 - position_bits(mode));
}
/// Bits of the parent fragment, v1.5.
constexpr unsigned fragment_bits(unsigned mode) noexcept {
  return 62 - position_bits(mode);
}
/// Bits of each fragment, v0.9.
constexpr unsigned fragment_bits_v09(unsigned mode) noexcept {
  return (126 - position_bits(mode)) / 2;
}

}  // namespace

Bytes128 to_big_endian(Uint128 value) noexcept {
  Bytes128 out;
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::uint8_t>(value >> (120 - 8 * i));
  }
  return out;
}

Uint128 from_big_endian(const Bytes128& bytes) noexcept {
  Uint128 out = 0;
  for (const std::uint8_t byte : bytes) out = out << 8 | byte;
  return out;
}

PositionalSequenceHash PositionalSequenceHash::make(SequenceHash sequence, std::uint64_t position,
                                                    BlockHash block) noexcept {
  DYN_ASSERT(position < (std::uint64_t{1} << 31));
  const unsigned room = 62 - position_bits(mode_of(position));
  const std::uint64_t local = low_bits(std::to_underlying(block), room);
  return {head(position) | Uint128{local} << 64 | std::to_underlying(sequence)};
}

std::uint64_t PositionalSequenceHash::position() const noexcept {
  return position_in(value);
}

std::uint64_t PositionalSequenceHash::block_hash_fragment() const noexcept {
  return low_bits(static_cast<std::uint64_t>(value >> 64), 62 - position_bits(mode()));
}

PositionalLineageHash PositionalLineageHash::make(SequenceHash current,
                                                  std::optional<SequenceHash> parent,
                                                  std::uint64_t position) noexcept {
  DYN_ASSERT(position < kPositions);
  DYN_ASSERT(parent.has_value() == (position > 0));
  const unsigned bits = fragment_bits(mode_of(position));
  const std::uint64_t fragment = parent ? low_bits(std::to_underlying(*parent), bits) : 0;
  return {head(position) | Uint128{std::to_underlying(current)} << bits | fragment};
}

PositionalLineageHash PositionalLineageHash::extend(BlockHash child) const noexcept {
  return make(next_sequence_hash(current(), child), current(), position() + 1);
}

std::uint64_t PositionalLineageHash::position() const noexcept {
  return position_in(value);
}

SequenceHash PositionalLineageHash::current() const noexcept {
  return SequenceHash{static_cast<std::uint64_t>(value >> fragment_bits(mode()))};
}

std::uint64_t PositionalLineageHash::parent_fragment() const noexcept {
  return low_bits(static_cast<std::uint64_t>(value), fragment_bits(mode()));
}

std::uint64_t PositionalLineageHash::parent_fragment_for_child_position(
    std::uint64_t child_position) const noexcept {
  return low_bits(std::to_underlying(current()), fragment_bits(mode_of(child_position)));
}

std::string PositionalLineageHash::to_string() const {
  std::string out = std::to_string(position()) + ":" + base58(std::to_underlying(current()));
  if (position() > 0) out += ":" + base58(parent_fragment());
  return out;
}

std::strong_ordering PositionalLineageHash::operator<=>(
    const PositionalLineageHash& other) const noexcept {
  if (const auto order = position() <=> other.position(); order != 0) return order;
  if (const auto order = current() <=> other.current(); order != 0) return order;
  return value <=> other.value;
}

PositionalLineageHashV09 PositionalLineageHashV09::make(SequenceHash current,
                                                        std::optional<SequenceHash> parent,
                                                        std::uint64_t position) noexcept {
  DYN_ASSERT(position < PositionalLineageHash::kPositions);
  const unsigned bits = fragment_bits_v09(mode_of(position));
  // The last position of all has no next one to make room for.
  const std::uint64_t next = std::min(position + 1, PositionalLineageHash::kPositions - 1);
  const unsigned kept = std::min(bits, fragment_bits_v09(mode_of(next)));
  const std::uint64_t parent_fragment = parent ? low_bits(std::to_underlying(*parent), bits) : 0;
  return {head(position) | Uint128{parent_fragment} << bits |
          low_bits(std::to_underlying(current), kept)};
}

std::uint64_t PositionalLineageHashV09::position() const noexcept {
  return position_in(value);
}

std::uint64_t PositionalLineageHashV09::parent_fragment() const noexcept {
  const unsigned bits = fragment_bits_v09(static_cast<unsigned>(value >> 126));
  return low_bits(static_cast<std::uint64_t>(value >> bits), bits);
}

std::uint64_t PositionalLineageHashV09::current_fragment() const noexcept {
  return low_bits(static_cast<std::uint64_t>(value),
                  fragment_bits_v09(static_cast<unsigned>(value >> 126)));
}

std::string base58(std::uint64_t value) {
  constexpr std::string_view kAlphabet =
      "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  std::string out;
  for (std::uint64_t rest = value; rest > 0; rest /= 58) out += kAlphabet[rest % 58];
  for (int shift = 56; shift >= 0 && (value >> shift & 0xFF) == 0; shift -= 8) out += '1';
  std::ranges::reverse(out);
  return out;
}

}  // namespace dynamo::tokens
