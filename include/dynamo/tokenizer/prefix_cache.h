// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/tokenizer/fwd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace dynamo::tokenizer {

struct PrefixCacheOptions {
  bool enabled = true;
  std::size_t bytes_limit = std::size_t{64} << 20;
  /// On a partial hit also remember the deepest new prefix.
  bool extend = true;
};

struct PrefixCacheStats {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t tokens_cached = 0;    ///< ids that came from the cache
  std::uint64_t tokens_uncached = 0;  ///< ids that were computed
};

/// Remembers the ids of prompt prefixes that end right after a special token, so that the turns of
/// a conversation are not tokenized again with every request.
///
/// The ids are those of Tokenizer::encode, always: a tokenizer whose tokens could depend on what
/// is on the other side of such a border (Tokenizer::splits_at_special_tokens) is not cached at
/// all. Least recently used prefixes go first when the bytes are over the limit. Thread safety: all
/// members from any thread. Source: spec tokenizer-template A11.
class PrefixCache {
 public:
  explicit PrefixCache(std::shared_ptr<const Tokenizer> tokenizer,
                       const PrefixCacheOptions& options = {});
  ~PrefixCache();
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  /// Whether anything is ever cached; when not, encode() is the tokenizer's own.
  bool active() const noexcept;
  /// Appends the ids of `text` without post-processing, special tokens recognised. Returns how many
  /// of them came from the cache; 0 is a miss.
  /// Errors: those of Tokenizer::encode; `out` is then as before.
  Result<std::size_t> encode(std::string_view text, std::vector<TokenId>& out);
  PrefixCacheStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::tokenizer
