// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/msgpack.h>
#include <dynamo/kv_router/event.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

/// What engines say of their own cache (vLLM, SGLang; MessagePack over ZeroMQ), turned into the
/// router's events. Source: spec kv-router 2.5; lib/llm/src/kv_router/publisher/zmq_listener.rs
/// (v1.5).
namespace dynamo::kv_router {

/// Why an engine event, or a part of it, was left out. Names are the reference's label values.
enum class EngineEventIssue : std::uint8_t {
  unknown_medium,
  non_local_locality,
  unsupported_ownership,
  unknown_ownership,
  non_main_attention_kind,  ///< the event names a kind that holds no whole prefixes
  unknown_kind,
  non_main_attention_group,   ///< its group was said to be of such a kind
  unlearned_group_idx,        ///< nobody said of what kind its group is
  ambiguous_cache_namespace,  ///< the parent was seen under two tenants
  repeated_block_hash,        ///< within one store, or of its own parent: dropped whole
  block_size_mismatch,        ///< the blocks from there on are left out
  tokens_exhausted,           ///< fewer tokens than blocks: the rest is left out
  empty_store_blocks,         ///< nothing was left of a store
};
inline constexpr std::size_t kEngineEventIssues = 13;
std::string_view name_of(EngineEventIssue issue) noexcept;

struct EngineEventOptions {
  WorkerId worker{};
  DpRank listener_rank{};  ///< of batches that name none
  std::uint32_t block_size_tokens = 16;
  /// When known, runs of it in a block with multimodal objects are replaced by pad values and the
  /// objects not mixed in.
  std::optional<tokens::Token> image_token;
  /// Release 1.5 takes object hashes from `extra_keys` too; 1.6 does not.
  bool mm_hashes_in_extra_keys = true;
};

/// The batches of one engine, in order. It remembers what later events refer to: which attention
/// groups hold prefixes, and which tenant a block belongs to (engines say it of the first block of
/// a chain only). Confined to one thread.
class EngineEventReader {
 public:
  explicit EngineEventReader(EngineEventOptions options);
  ~EngineEventReader();
  EngineEventReader(const EngineEventReader&) = delete;
  EngineEventReader& operator=(const EngineEventReader&) = delete;

  /// The third frame of a message: `[time, [event, …], rank]`. The events that concern the index,
  /// in order; their ids are 0, the publisher numbers what it emits.
  /// Errors: Errc::protocol naming event and byte; then nothing of the batch counts.
  Result<std::vector<RouterEvent>> read(std::string_view payload);

  std::uint64_t issues(EngineEventIssue issue) const noexcept {
    return issues_[static_cast<std::size_t>(issue)];
  }

 private:
  struct Raw;
  // A tenant of an earlier block; none: seen under two.
  using Namespace = std::optional<std::string>;

  static Result<void> read_event(base::MsgpackReader& in, Raw& out);
  std::optional<RouterEvent> convert(Raw& raw, DpRank rank);
  std::optional<StorageTier> placement(const Raw& raw);
  bool holds_prefixes(const Raw& raw, DpRank rank);
  bool find_namespace(const Raw& raw, DpRank rank, std::string& out);
  void remember_namespace(const KvStored& stored, DpRank rank, const std::string& name);
  void store_blocks(Raw& raw, const std::string& cache_namespace, KvStored& out);
  bool drop(EngineEventIssue issue);

  EngineEventOptions options_;
  std::map<std::pair<DpRank, std::uint32_t>, bool> groups_;  // whether they hold prefixes
  std::map<DpRank, std::unordered_map<std::uint64_t, Namespace>> namespaces_;  // by block
  std::array<std::uint64_t, kEngineEventIssues> issues_{};
};

}  // namespace dynamo::kv_router
