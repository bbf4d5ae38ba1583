// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/hash.h>
#include <dynamo/tokenizer/prefix_cache.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "tokenizer/tokenizer_impl.h"

namespace dynamo::tokenizer {
namespace {

/// Prefixes of one text that are remembered when none was known: the first ones are what requests
/// of different conversations share, the last ones what the next turn of this one repeats.
constexpr std::size_t kFirstRemembered = 8;
constexpr std::size_t kLastRemembered = 8;
constexpr std::size_t kShards = 16;
/// List node, map node and the control block of the ids, roughly.
constexpr std::size_t kEntryOverheadBytes = 192;

struct HashOfHash {
  std::size_t operator()(const base::Hash128& hash) const noexcept { return hash.low; }
};

/// A place where the text may be cut, with the hash of what is before it.
struct Boundary {
  std::size_t end;
  base::Hash128 hash;
};

using SharedIds = std::shared_ptr<const std::vector<TokenId>>;

/// Chained, so that the hashes of all prefixes together cost one pass over the text.
base::Hash128 chain(const base::Hash128& before, std::string_view text) {
  const base::Hash128 part = base::xxh3_128(text);
  const std::uint64_t words[4] = {before.low, before.high, part.low, part.high};
  return base::xxh3_128({reinterpret_cast<const char*>(words), sizeof words});
}

/// By hash, and by the text itself: texts of equal hash can be made, and one tenant must not get
/// the ids of another's.
class Shard {
 public:
  SharedIds find(const base::Hash128& hash, std::string_view prefix) {
    const std::lock_guard lock(mutex_);
    const auto found = index_.find(hash);
    if (found == index_.end() || found->second->text != prefix) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return found->second->ids;
  }

  void insert(const base::Hash128& hash, std::string_view prefix, SharedIds ids,
              std::size_t bytes_limit) {
    const std::size_t bytes = ids->size() * sizeof(TokenId) + prefix.size() + kEntryOverheadBytes;
    if (bytes > bytes_limit) return;
    const std::lock_guard lock(mutex_);
    if (index_.contains(hash)) return;
    while (bytes_ + bytes > bytes_limit) {
      bytes_ -= order_.back().bytes;
      index_.erase(order_.back().hash);
      order_.pop_back();
    }
    order_.push_front({hash, std::string(prefix), std::move(ids), bytes});
    index_[hash] = order_.begin();
    bytes_ += bytes;
  }

  void add_to(PrefixCacheStats& stats) const {
    const std::lock_guard lock(mutex_);
    stats.entries += index_.size();
    stats.bytes += bytes_;
  }

 private:
  struct Entry {
    base::Hash128 hash;
    std::string text;
    SharedIds ids;
    std::size_t bytes;
  };
  mutable std::mutex mutex_;
  std::list<Entry> order_;  ///< most recently used first
  std::unordered_map<base::Hash128, std::list<Entry>::iterator, HashOfHash> index_;
  std::size_t bytes_ = 0;
};

}  // namespace

struct PrefixCache::Impl {
  std::shared_ptr<const Tokenizer> tokenizer;
  PrefixCacheOptions options;
  bool active = false;
  std::array<Shard, kShards> shards;
  std::atomic<std::uint64_t> hits{0};
  std::atomic<std::uint64_t> misses{0};
  std::atomic<std::uint64_t> tokens_cached{0};
  std::atomic<std::uint64_t> tokens_uncached{0};

  Shard& shard_of(const base::Hash128& hash) { return shards[(hash.high >> 60) % kShards]; }
  std::size_t shard_bytes() const { return options.bytes_limit / kShards; }

  std::vector<Boundary> boundaries_of(std::string_view text) const;
  Result<void> encode_fresh(std::string_view text, std::span<const Boundary> boundaries,
                            std::vector<TokenId>& out);
  Result<void> encode_behind(std::string_view text, std::size_t begin,
                             std::span<const Boundary> deeper, std::size_t first_id,
                             std::vector<TokenId>& out);
  void remember(const Boundary& boundary, std::string_view text, std::span<const TokenId> ids) {
    shard_of(boundary.hash)
        .insert(boundary.hash, text.substr(0, boundary.end),
                std::make_shared<const std::vector<TokenId>>(ids.begin(), ids.end()),
                shard_bytes());
  }
};

/// The ends of all special tokens but one at the very end.
std::vector<Boundary> PrefixCache::Impl::boundaries_of(std::string_view text) const {
  const detail::AddedVocabulary& added = tokenizer->impl_->parts.added;
  std::vector<Boundary> out;
  base::Hash128 hash;
  std::size_t hashed = 0;
  std::size_t from = 0;
  while (const auto match = added.raw().find(text, from)) {
    from = match->end;
    if (from == text.size()) break;
    if (!added.tokens()[match->value].special) continue;
    hash = chain(hash, text.substr(hashed, from - hashed));
    hashed = from;
    out.push_back({.end = from, .hash = hash});
  }
  return out;
}

PrefixCache::PrefixCache(std::shared_ptr<const Tokenizer> tokenizer,
                         const PrefixCacheOptions& options)
    : impl_(std::make_unique<Impl>()) {
  impl_->tokenizer = std::move(tokenizer);
  impl_->options = options;
  impl_->active = options.enabled && impl_->tokenizer->splits_at_special_tokens();
}

PrefixCache::~PrefixCache() = default;

bool PrefixCache::active() const noexcept {
  return impl_->active;
}

Result<std::size_t> PrefixCache::encode(std::string_view text, std::vector<TokenId>& out) {
  if (!impl_->active) {
    DYN_CHECK(impl_->tokenizer->encode(text, out));
    return 0;
  }
  const std::vector<Boundary> boundaries = impl_->boundaries_of(text);
  const std::size_t first_id = out.size();
  std::size_t cached = 0;
  std::size_t deeper = boundaries.size();
  for (; deeper > 0; --deeper) {
    const Boundary& boundary = boundaries[deeper - 1];
    const SharedIds ids =
        impl_->shard_of(boundary.hash).find(boundary.hash, text.substr(0, boundary.end));
    if (ids == nullptr) continue;
    cached = ids->size();
    out.insert(out.end(), ids->begin(), ids->end());
    break;
  }
  const auto done = cached != 0
                        ? impl_->encode_behind(text, boundaries[deeper - 1].end,
                                               std::span(boundaries).subspan(deeper), first_id, out)
                        : impl_->encode_fresh(text, boundaries, out);
  if (!done) {
    out.resize(first_id);
    return std::unexpected(done.error());
  }
  (cached != 0 ? impl_->hits : impl_->misses).fetch_add(1, std::memory_order_relaxed);
  impl_->tokens_cached.fetch_add(cached, std::memory_order_relaxed);
  impl_->tokens_uncached.fetch_add(out.size() - first_id - cached, std::memory_order_relaxed);
  return cached;
}

/// No prefix was known: encodes part by part and remembers prefixes.
Result<void> PrefixCache::Impl::encode_fresh(std::string_view text,
                                             std::span<const Boundary> boundaries,
                                             std::vector<TokenId>& out) {
  const std::size_t first_id = out.size();
  std::size_t begin = 0;
  for (std::size_t i = 0; i < boundaries.size(); ++i) {
    if (i >= kFirstRemembered && i + kLastRemembered < boundaries.size()) continue;
    DYN_CHECK(tokenizer->encode(text.substr(begin, boundaries[i].end - begin), out));
    begin = boundaries[i].end;
    remember(boundaries[i], text, std::span(out).subspan(first_id));
  }
  return tokenizer->encode(text.substr(begin), out);
}

/// The prefix up to `begin` was known and its ids are in `out`: encodes the rest, and remembers the
/// deepest prefix.
Result<void> PrefixCache::Impl::encode_behind(std::string_view text, std::size_t begin,
                                              std::span<const Boundary> deeper,
                                              std::size_t first_id, std::vector<TokenId>& out) {
  if (options.extend && !deeper.empty()) {
    const Boundary& deepest = deeper.back();
    DYN_CHECK(tokenizer->encode(text.substr(begin, deepest.end - begin), out));
    begin = deepest.end;
    remember(deepest, text, std::span(out).subspan(first_id));
  }
  return tokenizer->encode(text.substr(begin), out);
}

PrefixCacheStats PrefixCache::stats() const {
  PrefixCacheStats stats;
  stats.hits = impl_->hits.load(std::memory_order_relaxed);
  stats.misses = impl_->misses.load(std::memory_order_relaxed);
  stats.tokens_cached = impl_->tokens_cached.load(std::memory_order_relaxed);
  stats.tokens_uncached = impl_->tokens_uncached.load(std::memory_order_relaxed);
  for (const Shard& shard : impl_->shards) shard.add_to(stats);
  return stats;
}

}  // namespace dynamo::tokenizer
