// SPDX-License-Identifier: Apache-2.0
// BLAKE3 written from its specification (section 2: https://github.com/BLAKE3-team/BLAKE3-specs).
// Portable and single-threaded: it hashes model files once at start, at memory-like speed is not
// needed.
#include <dynamo/base/hash.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace dynamo::base {
namespace {

constexpr std::size_t kBlockBytes = 64;
constexpr std::size_t kBlocksPerChunk = 16;

// Domain flags of the compression function.
constexpr std::uint32_t kChunkStart = 1;
constexpr std::uint32_t kChunkEnd = 2;
constexpr std::uint32_t kParent = 4;
constexpr std::uint32_t kRoot = 8;
constexpr std::uint32_t kKeyedHash = 16;

constexpr std::uint32_t kIv[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                  0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

constexpr std::uint8_t kPermutation[16] = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};

// Row r says which message word each of the 16 positions of round r takes.
constexpr auto kSchedule = [] {
  std::array<std::array<std::uint8_t, 16>, 7> rows{};
  for (std::uint8_t i = 0; i < 16; ++i) rows[0][i] = i;
  for (std::size_t r = 1; r < rows.size(); ++r)
    for (std::size_t i = 0; i < 16; ++i) rows[r][i] = rows[r - 1][kPermutation[i]];
  return rows;
}();

std::uint32_t load_le(const std::uint8_t* p) noexcept {
  return std::uint32_t{p[0]} | std::uint32_t{p[1]} << 8 | std::uint32_t{p[2]} << 16 |
         std::uint32_t{p[3]} << 24;
}

inline void mix(std::uint32_t* v, int a, int b, int c, int d, std::uint32_t x,
                std::uint32_t y) noexcept {
  v[a] = v[a] + v[b] + x;
  v[d] = std::rotr(v[d] ^ v[a], 16);
  v[c] = v[c] + v[d];
  v[b] = std::rotr(v[b] ^ v[c], 12);
  v[a] = v[a] + v[b] + y;
  v[d] = std::rotr(v[d] ^ v[a], 8);
  v[c] = v[c] + v[d];
  v[b] = std::rotr(v[b] ^ v[c], 7);
}

// The compression function, truncated to its first eight output words.
void compress(const std::uint32_t (&chaining)[8], const std::uint32_t (&m)[16],
              std::uint64_t counter, std::uint32_t block_length, std::uint32_t flags,
              std::uint32_t (&out)[8]) noexcept {
  std::uint32_t v[16];
  std::copy_n(chaining, 8, v);
  std::copy_n(kIv, 4, v + 8);
  v[12] = static_cast<std::uint32_t>(counter);
  v[13] = static_cast<std::uint32_t>(counter >> 32);
  v[14] = block_length;
  v[15] = flags;
  for (const auto& s : kSchedule) {
    mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
    mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
    mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
    mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
    mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
    mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
    mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
    mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
  }
  for (int i = 0; i < 8; ++i) out[i] = v[i] ^ v[i + 8];
}

void block_words(const std::uint8_t* block, std::uint32_t (&words)[16]) noexcept {
  for (std::size_t i = 0; i < 16; ++i) words[i] = load_le(block + 4 * i);
}

void parent_words(const std::uint32_t (&left)[8], const std::uint32_t (&right)[8],
                  std::uint32_t (&words)[16]) noexcept {
  std::copy_n(left, 8, words);
  std::copy_n(right, 8, words + 8);
}

std::uint32_t start_flag(std::uint8_t blocks_compressed) noexcept {
  return blocks_compressed == 0 ? kChunkStart : 0u;
}

}  // namespace

Blake3::Blake3() noexcept : chunk_{}, mode_flags_(0) {
  std::copy_n(kIv, 8, key_);
  std::copy_n(key_, 8, chunk_.chaining_value);
}

Blake3::Blake3(const std::array<std::uint8_t, 32>& key) noexcept
    : chunk_{}, mode_flags_(kKeyedHash) {
  for (std::size_t i = 0; i < 8; ++i) key_[i] = load_le(key.data() + 4 * i);
  std::copy_n(key_, 8, chunk_.chaining_value);
}

// Merges finished subtrees: as many as the chunk count has trailing zero bits.
void Blake3::add_chunk_chaining_value(const std::uint32_t (&value)[8],
                                      std::uint64_t total_chunks) noexcept {
  std::uint32_t merged[8];
  std::copy_n(value, 8, merged);
  for (; (total_chunks & 1) == 0; total_chunks >>= 1) {
    std::uint32_t words[16];
    parent_words(stack_[--stack_length_], merged, words);
    compress(key_, words, 0, kBlockBytes, kParent | mode_flags_, merged);
  }
  std::copy_n(merged, 8, stack_[stack_length_++]);
}

void Blake3::update(std::span<const std::byte> data) noexcept {
  const auto* input = reinterpret_cast<const std::uint8_t*>(data.data());
  std::size_t left = data.size();
  while (left > 0) {
    // A full block is compressed only when more input follows: the last one carries other flags.
    if (chunk_.block_length == kBlockBytes) {
      std::uint32_t words[16];
      block_words(chunk_.block, words);
      const bool last = chunk_.blocks_compressed == kBlocksPerChunk - 1;
      const std::uint32_t flags =
          mode_flags_ | start_flag(chunk_.blocks_compressed) | (last ? kChunkEnd : 0u);
      compress(chunk_.chaining_value, words, chunk_.counter, kBlockBytes, flags,
               chunk_.chaining_value);
      chunk_.block_length = 0;
      ++chunk_.blocks_compressed;
      if (last) {
        add_chunk_chaining_value(chunk_.chaining_value, chunk_.counter + 1);
        std::copy_n(key_, 8, chunk_.chaining_value);
        ++chunk_.counter;
        chunk_.blocks_compressed = 0;
      }
    }
    const std::size_t take = std::min(left, kBlockBytes - chunk_.block_length);
    std::memcpy(chunk_.block + chunk_.block_length, input, take);
    chunk_.block_length = static_cast<std::uint8_t>(chunk_.block_length + take);
    input += take;
    left -= take;
  }
}

void Blake3::update(std::string_view data) noexcept {
  update(std::as_bytes(std::span(data)));
}

std::array<std::uint8_t, 32> Blake3::digest() const noexcept {
  std::uint8_t block[kBlockBytes] = {};
  std::copy_n(chunk_.block, chunk_.block_length, block);
  std::uint32_t words[16];
  block_words(block, words);
  const std::uint32_t flags = mode_flags_ | start_flag(chunk_.blocks_compressed) | kChunkEnd;
  std::uint32_t out[8];
  compress(chunk_.chaining_value, words, stack_length_ == 0 ? 0 : chunk_.counter,
           chunk_.block_length, flags | (stack_length_ == 0 ? kRoot : 0u), out);
  for (std::size_t i = stack_length_; i > 0; --i) {
    parent_words(stack_[i - 1], out, words);
    compress(key_, words, 0, kBlockBytes, mode_flags_ | kParent | (i == 1 ? kRoot : 0u), out);
  }
  std::array<std::uint8_t, 32> bytes{};
  for (std::size_t i = 0; i < 32; ++i)
    bytes[i] = static_cast<std::uint8_t>(out[i / 4] >> (8 * (i % 4)));
  return bytes;
}

std::string Blake3::hex_digest() const {
  return to_hex(digest());
}

std::string blake3_hex(std::string_view data) {
  Blake3 hash;
  hash.update(data);
  return hash.hex_digest();
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

}  // namespace dynamo::base
