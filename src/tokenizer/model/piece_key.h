// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace dynamo::tokenizer::detail {

/// Up to 15 bytes of text as a value: the bytes, zeros, and the length in the last byte.
struct PieceKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const PieceKey&) const = default;
};
inline constexpr std::size_t kPieceKeyBytes = 15;
/// The key of no text (bytes, but a length of 0), and not that of an empty place.
inline constexpr PieceKey kNoPiece{1, 0};

inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) noexcept {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// Which bits of the two words belong to a text of that many bytes.
struct PieceKeyMask {
  std::uint64_t low;
  std::uint64_t high;
};
inline constexpr std::array<PieceKeyMask, 16> kPieceKeyMasks = [] {
  std::array<PieceKeyMask, 16> masks{};
  for (std::size_t size = 0; size < 16; ++size) {
    const std::uint64_t part = (std::uint64_t{1} << (8 * (size & 7))) - 1;
    masks[size] = size < 8 ? PieceKeyMask{part, 0} : PieceKeyMask{~std::uint64_t{0}, part};
  }
  return masks;
}();

/// `size` is at most 15 and 16 bytes can be read at `p`.
inline PieceKey make_key_padded(const char* p, std::size_t size) noexcept {
  PieceKey key;
  std::memcpy(&key.low, p, 8);
  std::memcpy(&key.high, p + 8, 8);
  key.low &= kPieceKeyMasks[size].low;
  key.high = (key.high & kPieceKeyMasks[size].high) | static_cast<std::uint64_t>(size) << 56;
  return key;
}

inline PieceKey make_key(std::string_view text) noexcept {
  char buffer[16] = {};
  std::memcpy(buffer, text.data(), text.size());
  return make_key_padded(buffer, text.size());
}

inline std::uint64_t hash_key(const PieceKey& key) noexcept {
  return fold_multiply(key.low ^ 0x9E3779B97F4A7C15U, key.high ^ 0xE7037ED1A0B428DBU);
}

/// Equal to hash_key(make_key(text)) for short texts.
inline std::uint64_t hash_text(std::string_view text) noexcept {
  if (text.size() <= kPieceKeyBytes) return hash_key(make_key(text));
  std::uint64_t h = text.size() * 0xA0761D6478BD642FU;
  const char* p = text.data();
  std::size_t left = text.size();
  for (; left > 16; left -= 16, p += 16) {
    std::uint64_t a;
    std::uint64_t b;
    std::memcpy(&a, p, 8);
    std::memcpy(&b, p + 8, 8);
    h = fold_multiply(a ^ h, b ^ 0x8EBC6AF09C88C6E3U);
  }
  std::uint64_t a;
  std::uint64_t b;
  std::memcpy(&a, text.data() + text.size() - 16, 8);
  std::memcpy(&b, text.data() + text.size() - 8, 8);
  return fold_multiply(a ^ h, b ^ 0x589965CC75374CC3U);
}

}  // namespace dynamo::tokenizer::detail
