// SPDX-License-Identifier: Apache-2.0
#include <dynamo/tokens/mm_objects.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

namespace dynamo::tokens {

std::vector<std::vector<MmObjectRanges>> objects_by_block(std::span<const MmObjectRanges> objects,
                                                          std::size_t tokens_count,
                                                          std::size_t block_size_tokens) {
  if (block_size_tokens == 0 || tokens_count == 0) return {};
  std::vector<std::vector<MmObjectRanges>> out((tokens_count - 1) / block_size_tokens + 1);
  std::vector<const MmObjectRanges*> last(out.size(), nullptr);  // whose entry is a block's last
  for (const MmObjectRanges& object : objects) {
    for (auto [begin, end] : object.ranges) {
      end = std::min(end, tokens_count);
      while (begin < end) {
        const std::size_t block = begin / block_size_tokens;
        const std::size_t first = block * block_size_tokens;
        const std::size_t stop = std::min(end, first + block_size_tokens);
        if (std::exchange(last[block], &object) != &object) {
          out[block].push_back({.mm_hash = object.mm_hash, .ranges = {}});
        }
        out[block].back().ranges.emplace_back(begin - first, stop - first);
        begin = stop;
      }
    }
  }
  return out;
}

std::vector<BlockMmHashes> mm_hashes_by_block(
    std::span<const std::vector<MmObjectRanges>> by_block) {
  std::vector<BlockMmHashes> out(by_block.size());
  for (std::size_t i = 0; i < by_block.size(); ++i)
    for (const MmObjectRanges& object : by_block[i]) out[i].push_back(object.mm_hash);
  return out;
}

void substitute_image_tokens(std::span<Token> block, Token image_token,
                             std::span<const std::uint64_t> mm_hashes) noexcept {
  if (mm_hashes.empty()) return;
  std::size_t object = 0;
  for (std::size_t i = 0; i < block.size();) {
    if (block[i] != image_token) {
      ++i;
      continue;
    }
    const Token pad = mm_pad_token(mm_hashes[std::min(object, mm_hashes.size() - 1)]);
    for (; i < block.size() && block[i] == image_token; ++i) block[i] = pad;
    ++object;
  }
}

std::optional<std::uint64_t> mm_hash_of_extra_key(std::string_view extra_key) noexcept {
  const auto is_hex = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  };
  if (extra_key.size() != 64 || !std::ranges::all_of(extra_key, is_hex)) return std::nullopt;
  const std::string_view digits = extra_key.substr(0, 16);
  std::uint64_t out = 0;
  std::from_chars(std::to_address(digits.begin()), std::to_address(digits.end()), out, 16);
  return out;
}

}  // namespace dynamo::tokens
