// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace dynamo::base {

/// XXH3 with 64-bit result (xxHash 0.8).
std::uint64_t xxh3_64(std::span<const std::byte> data, std::uint64_t seed = 0) noexcept;
std::uint64_t xxh3_64(std::string_view data, std::uint64_t seed = 0) noexcept;

/// 128-bit XXH3 as {low, high}.
struct Hash128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const Hash128&) const = default;
};
Hash128 xxh3_128(std::string_view data, std::uint64_t seed = 0) noexcept;

/// BLAKE3, plain or keyed, 32-byte output. Source: https://github.com/BLAKE3-team/BLAKE3-specs
/// (CC0).
class Blake3 {
 public:
  Blake3() noexcept;
  /// The keyed mode: a message authentication code under a 32-byte key.
  explicit Blake3(const std::array<std::uint8_t, 32>& key) noexcept;
  void update(std::span<const std::byte> data) noexcept;
  void update(std::string_view data) noexcept;
  std::array<std::uint8_t, 32> digest() const noexcept;
  std::string hex_digest() const;

 private:
  void add_chunk_chaining_value(const std::uint32_t (&value)[8],
                                std::uint64_t total_chunks) noexcept;
  struct Chunk {
    std::uint32_t chaining_value[8];
    std::uint64_t counter;
    std::uint8_t block[64];
    std::uint8_t block_length;
    std::uint8_t blocks_compressed;
  } chunk_;
  std::uint32_t key_[8];      // what every chunk and parent starts from
  std::uint32_t mode_flags_;  // of every compression
  std::uint32_t stack_[54][8];
  std::uint8_t stack_length_ = 0;
};
std::string blake3_hex(std::string_view data);

/// Lower-case hex of bytes.
std::string to_hex(std::span<const std::uint8_t> bytes);

}  // namespace dynamo::base
