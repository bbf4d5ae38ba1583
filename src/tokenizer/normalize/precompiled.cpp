// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include <fmt/core.h>

#include "tokenizer/normalize/normalizer.h"
#include "tokenizer/unicode/properties.h"
#include "tokenizer/unicode/utf8_iteration.h"

namespace dynamo::tokenizer::detail {
namespace {

// Units of a double-array trie. Source: darts-clone (BSD), as SentencePiece writes it.
constexpr bool has_leaf(std::uint32_t unit) noexcept {
  return (unit >> 8 & 1) != 0;
}
constexpr std::uint32_t value_of(std::uint32_t unit) noexcept {
  return unit & 0x7FFFFFFFU;
}
constexpr std::uint32_t label_of(std::uint32_t unit) noexcept {
  return unit & 0x800000FFU;
}
constexpr std::uint32_t offset_of(std::uint32_t unit) noexcept {
  return (unit >> 10) << ((unit & (1U << 9)) >> 6);
}

bool is_control(char32_t c) noexcept {
  using unicode::Category;
  return unicode::has_category(
             c, unicode::mask(Category::Cc, Category::Cf, Category::Zl, Category::Zp)) &&
         !unicode::has(c, unicode::Flag::extends_cluster) &&
         !unicode::has(c, unicode::Flag::prepends);
}

/// End of the grapheme cluster at `at`, as far as clusters of less than six bytes are concerned:
/// longer ones are mapped character by character anyway.
std::size_t cluster_end(std::string_view text, std::size_t at) noexcept {
  unicode::Scalar s = unicode::scalar_at(text, at);
  std::size_t end = at + s.length;
  if (s.value == '\r') return end < text.size() && text[end] == '\n' ? end + 1 : end;
  if (is_control(s.value)) return end;
  while (end < text.size() && unicode::has(s.value, unicode::Flag::prepends)) {
    const unicode::Scalar next = unicode::scalar_at(text, end);
    if (is_control(next.value)) return end;
    s = next;
    end += s.length;
  }
  while (end < text.size()) {
    const unicode::Scalar next = unicode::scalar_at(text, end);
    if (!unicode::has(next.value, unicode::Flag::extends_cluster)) break;
    end += next.length;
  }
  return end;
}

}  // namespace

Result<std::unique_ptr<PrecompiledNormalizer>> PrecompiledNormalizer::make(
    std::string_view charsmap) {
  std::uint32_t trie_bytes = 0;
  if (charsmap.size() < 4) return fail(Errc::invalid_argument, "precompiled_charsmap is too short");
  std::memcpy(&trie_bytes, charsmap.data(), 4);
  charsmap.remove_prefix(4);
  if (trie_bytes % 4 != 0 || trie_bytes > charsmap.size() || trie_bytes == 0) {
    return fail(
        Errc::invalid_argument,
        fmt::format("precompiled_charsmap: a trie of {} bytes in {}", trie_bytes, charsmap.size()));
  }
  std::unique_ptr<PrecompiledNormalizer> out(new PrecompiledNormalizer);
  out->trie_.resize(trie_bytes / 4);
  std::memcpy(out->trie_.data(), charsmap.data(), trie_bytes);
  out->blob_ = charsmap.substr(trie_bytes);
  return out;
}

/// The replacement of the shortest key that begins `chunk`; the library takes the first found.
std::optional<std::string_view> PrecompiledNormalizer::replacement(std::string_view chunk) const {
  std::size_t node = 0;
  node ^= offset_of(trie_[0]);
  for (const char c : chunk) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) break;
    node ^= byte;
    if (node >= trie_.size()) return std::nullopt;
    const std::uint32_t unit = trie_[node];
    if (label_of(unit) != byte) return std::nullopt;
    node ^= offset_of(unit);
    if (!has_leaf(unit)) continue;
    if (node >= trie_.size()) return std::nullopt;
    const std::size_t start = value_of(trie_[node]);
    if (start > blob_.size()) return std::nullopt;
    const std::size_t end = blob_.find('\0', start);
    return std::string_view(blob_).substr(start, end == std::string::npos ? end : end - start);
  }
  return std::nullopt;
}

Result<void> PrecompiledNormalizer::apply(std::string_view text, std::string& out,
                                          bool& at_origin) const {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t before = out.size();
    const std::size_t end = cluster_end(text, at);
    const std::string_view cluster = text.substr(at, end - at);
    if (const auto whole = cluster.size() < 6 ? replacement(cluster) : std::nullopt) {
      out += *whole;
    } else {
      for (std::size_t i = 0; i < cluster.size();) {
        const std::string_view one =
            cluster.substr(i, unicode::utf8_length(static_cast<unsigned char>(cluster[i])));
        out += replacement(one).value_or(one);
        i += one.size();
      }
    }
    if (at == 0 && out.size() == before) at_origin = false;
    at = end;
  }
  return {};
}

}  // namespace dynamo::tokenizer::detail
