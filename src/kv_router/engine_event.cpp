// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/msgpack.h>
#include <dynamo/kv_router/engine_event.h>
#include <dynamo/kv_router/event_codec.h>
#include <dynamo/tokens/mm_objects.h>

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <variant>

namespace dynamo::kv_router {
namespace {

using Kind = MsgpackReader::Kind;
using Read = Result<void>;

constexpr std::string_view kSaltPrefix = "dynamo-cache-salt:";
// More attention groups than any model has; more tenants' blocks than an engine holds.
constexpr std::size_t kGroupsLimit = 4096;
constexpr std::size_t kNamespacedBlocksLimit = std::size_t{1} << 22;

/// One element behind the fields that every engine sends; what it means depends on its neighbours.
using Tail = std::variant<std::monostate, std::int64_t, std::string_view,
                          std::vector<tokens::BlockMmHashes>>;

Result<std::uint32_t> token(MsgpackReader& in) {
  const std::size_t at = in.offset();
  DYN_TRY(const std::uint64_t number, in.integer_bits());
  // Token ids are 32 bits; -1 and the like are cast bit by bit.
  const auto low = static_cast<std::uint32_t>(number);
  if (number != low && number != static_cast<std::uint64_t>(
                                     static_cast<std::int64_t>(static_cast<std::int32_t>(low))))
    return fail(Errc::protocol, "a token of more than 32 bits at byte " + std::to_string(at));
  return low;
}

Result<std::size_t> bounded_array(MsgpackReader& in) {
  const std::size_t at = in.offset();
  DYN_TRY(const std::size_t length, in.array());
  if (length > kEventBlocksLimit)
    return fail(Errc::protocol, std::to_string(length) + " blocks at byte " + std::to_string(at) +
                                    ", the limit is " + std::to_string(kEventBlocksLimit));
  return length;
}

Read read_hashes(MsgpackReader& in, std::vector<EngineHash>& out) {
  out.clear();
  DYN_TRY(const std::size_t length, bounded_array(in));
  out.reserve(length);
  for (std::size_t i = 0; i < length; ++i) {
    DYN_TRY(const std::uint64_t hash, in.integer_bits());
    out.push_back(EngineHash{hash});
  }
  return {};
}

// A list of objects, each a map or an array that begins with the object's hash.
Read read_mm_objects(MsgpackReader& in, tokens::BlockMmHashes& out) {
  if (in.take_nil()) return {};
  DYN_TRY(const std::size_t objects, in.array());
  for (std::size_t i = 0; i < objects; ++i) {
    if (in.peek() == Kind::array) {
      DYN_TRY(const std::size_t length, in.array());
      for (std::size_t field = 0; field < length; ++field) {
        if (field == 0) {
          DYN_TRY(const std::uint64_t hash, in.unsigned_integer());
          out.push_back(hash);
        } else {
          DYN_CHECK(in.skip());
        }
      }
      continue;
    }
    DYN_TRY(const std::size_t entries, in.map());
    for (std::size_t entry = 0; entry < entries; ++entry) {
      DYN_TRY(const std::string_view key, in.string());
      if (key == "mm_hash") {
        DYN_TRY(const std::uint64_t hash, in.unsigned_integer());
        out.push_back(hash);
      } else {
        DYN_CHECK(in.skip());
      }
    }
  }
  return {};
}

Read read_mm_infos(MsgpackReader& in, std::vector<tokens::BlockMmHashes>& out) {
  out.clear();
  if (in.take_nil()) return {};
  DYN_TRY(const std::size_t blocks, bounded_array(in));
  for (std::size_t i = 0; i < blocks; ++i) {
    tokens::BlockMmHashes& block = out.emplace_back();
    if (in.take_nil()) continue;
    if (in.peek() == Kind::array) {
      DYN_TRY(const std::size_t fields, in.array());
      for (std::size_t field = 0; field < fields; ++field) {
        if (auto done = field == 0 ? read_mm_objects(in, block) : in.skip(); !done) return done;
      }
      continue;
    }
    DYN_TRY(const std::size_t entries, in.map());
    for (std::size_t entry = 0; entry < entries; ++entry) {
      DYN_TRY(const std::string_view key, in.string());
      if (auto done = key == "mm_objects" ? read_mm_objects(in, block) : in.skip(); !done)
        return done;
    }
  }
  return {};
}

Read read_tail(MsgpackReader& in, Tail& out) {
  switch (in.peek()) {
    case Kind::integer: {
      DYN_TRY(const std::uint64_t bits, in.integer_bits());
      out = static_cast<std::int64_t>(bits);
      return {};
    }
    case Kind::string: {
      DYN_TRY(const std::string_view text, in.string());
      out = text;
      return {};
    }
    case Kind::array: {
      // Something else than object lists, from a newer engine, is passed over.
      MsgpackReader ahead = in;
      std::vector<tokens::BlockMmHashes> infos;
      if (read_mm_infos(ahead, infos)) out = std::move(infos);
      return in.skip();
    }
    default:
      return in.skip();
  }
}

std::optional<std::string_view> text_or_nil(std::string_view text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

}  // namespace

// An event as it came. Views point into the payload.
struct EngineEventReader::Raw {
  enum class Type : std::uint8_t { none, stored, removed, cleared, ignored };
  Type type = Type::none;
  std::vector<EngineHash> hashes;
  std::optional<EngineHash> parent;
  std::vector<tokens::Token> tokens;
  bool eagle = false;
  std::uint64_t block_size = 0;
  std::string_view medium;
  std::string_view lora_name;
  std::string_view cache_salt;
  // Among the first block's extra keys; an adapter's name may look like a salt and comes first.
  std::vector<std::string_view> salt_keys;
  std::vector<tokens::BlockMmHashes> extra_mm;
  std::vector<tokens::BlockMmHashes> mm_infos;
  std::optional<std::uint32_t> group;
  std::optional<std::string_view> kind;
  std::optional<std::string_view> locality;
  std::optional<std::string_view> ownership;

  bool set_type(std::string_view name) {
    type = name == "BlockStored"        ? Type::stored
           : name == "BlockRemoved"     ? Type::removed
           : name == "AllBlocksCleared" ? Type::cleared
           : name == "Ignored"          ? Type::ignored
                                        : Type::none;
    return type != Type::none;
  }

  void set_group(std::int64_t number) {
    if (number >= 0 && number <= std::numeric_limits<std::uint32_t>::max())
      group = static_cast<std::uint32_t>(number);
  }

  Read read_tokens(MsgpackReader& in) {
    tokens.clear();
    DYN_TRY(const std::size_t length, in.array());
    eagle = length > 0 && in.peek() == Kind::array;
    tokens.reserve(length + (eagle ? 1 : 0));
    for (std::size_t i = 0; i < length; ++i) {
      if (!eagle) {
        DYN_TRY(const std::uint32_t id, token(in));
        tokens.push_back(id);
        continue;
      }
      // Pairs that overlap: the first of each, and the second of the last.
      DYN_TRY(const std::size_t two, in.array());
      if (two != 2) return fail(Errc::protocol, "a token pair of " + std::to_string(two));
      DYN_TRY(const std::uint32_t first, token(in));
      DYN_TRY(const std::uint32_t second, token(in));
      tokens.push_back(first);
      if (i + 1 == length) tokens.push_back(second);
    }
    return {};
  }

  // Per block nil or a list of strings, pairs that begin with a string, and other things.
  Read read_extra_keys(MsgpackReader& in) {
    extra_mm.clear();
    salt_keys.clear();
    if (in.take_nil()) return {};
    DYN_TRY(const std::size_t blocks, bounded_array(in));
    for (std::size_t i = 0; i < blocks; ++i) {
      tokens::BlockMmHashes& mm = extra_mm.emplace_back();
      if (in.peek() != Kind::array) {
        DYN_CHECK(in.skip());
        continue;
      }
      DYN_TRY(const std::size_t keys, in.array());
      for (std::size_t key = 0; key < keys; ++key) {
        MsgpackReader ahead = in;
        DYN_CHECK(in.skip());
        if (ahead.peek() == Kind::array) {
          DYN_TRY(const std::size_t length, ahead.array());
          if (length == 0) continue;
        }
        if (ahead.peek() != Kind::string) continue;
        DYN_TRY(const std::string_view text, ahead.string());
        if (const auto hash = tokens::mm_hash_of_extra_key(text)) mm.push_back(*hash);
        if (i == 0 && salt_keys.size() < 2 && text.starts_with(kSaltPrefix))
          salt_keys.push_back(text);
      }
    }
    return {};
  }

  Read field(MsgpackReader& in, std::string_view key) {
    const auto text = [&](auto& into) -> Read {
      if (in.take_nil()) return {};
      DYN_TRY(const std::string_view value, in.string());
      into = value;
      return {};
    };
    if (key == "block_hashes") return read_hashes(in, hashes);
    if (key == "token_ids") return read_tokens(in);
    if (key == "extra_keys") return read_extra_keys(in);
    if (key == "block_mm_infos") return read_mm_infos(in, mm_infos);
    if (key == "medium") return text(medium);
    if (key == "lora_name") return text(lora_name);
    if (key == "cache_salt") return text(cache_salt);
    if (key == "kv_cache_spec_kind") return text(kind);
    if (key == "locality") return text(locality);
    if (key == "ownership") return text(ownership);
    if (key == "parent_block_hash") {
      if (in.take_nil()) return {};
      DYN_TRY(const std::uint64_t hash, in.integer_bits());
      parent = EngineHash{hash};
      return {};
    }
    if (key == "block_size") {
      DYN_TRY(block_size, in.unsigned_integer());
      return {};
    }
    if (key == "group_idx") {
      if (in.take_nil()) return {};
      DYN_TRY(const std::uint64_t number, in.unsigned_integer());
      set_group(static_cast<std::int64_t>(
          std::min<std::uint64_t>(number, std::numeric_limits<std::int64_t>::max())));
      return {};
    }
    return in.skip();
  }

  // group, kind, window, locality, ownership where their types fit; of other tails (older engines)
  // the first number is the group, a string the kind, a list the multimodal objects.
  void take_tail(std::vector<Tail>& tail) {
    const auto fits = [&]<class T>(std::size_t i, T*) {
      return i >= tail.size() || std::holds_alternative<std::monostate>(tail[i]) ||
             std::holds_alternative<T>(tail[i]);
    };
    constexpr std::int64_t* kInt = nullptr;
    constexpr std::string_view* kText = nullptr;
    const auto text = [&](std::size_t i) -> std::optional<std::string_view> {
      if (i >= tail.size()) return std::nullopt;
      const auto* value = std::get_if<std::string_view>(&tail[i]);
      return value == nullptr ? std::nullopt : text_or_nil(*value);
    };
    if (tail.size() >= 4 && fits(0, kInt) && fits(1, kText) && fits(2, kInt) && fits(3, kText) &&
        fits(4, kText)) {
      if (const auto* number = std::get_if<std::int64_t>(&tail[0])) set_group(*number);
      kind = text(1);
      locality = text(3);
      ownership = text(4);
      return;
    }
    for (Tail& element : tail) {
      if (const auto* number = std::get_if<std::int64_t>(&element)) {
        if (!group) set_group(*number);
      } else if (const auto* value = std::get_if<std::string_view>(&element)) {
        if (!kind) kind = text_or_nil(*value);
      } else if (auto* infos = std::get_if<std::vector<tokens::BlockMmHashes>>(&element)) {
        mm_infos = std::move(*infos);
      }
    }
  }
};

std::string_view name_of(EngineEventIssue issue) noexcept {
  constexpr std::array<std::string_view, kEngineEventIssues> kNames{
      "unknown_medium",           "non_local_locality",      "unsupported_ownership",
      "unknown_ownership",        "non_main_attention_kind", "unknown_kind",
      "non_main_attention_group", "unlearned_group_idx",     "ambiguous_cache_namespace",
      "repeated_block_hash",      "block_size_mismatch",     "tokens_exhausted",
      "empty_store_blocks"};
  return kNames[static_cast<std::size_t>(issue)];
}

EngineEventReader::EngineEventReader(EngineEventOptions options) : options_(options) {}
EngineEventReader::~EngineEventReader() = default;

Result<void> EngineEventReader::read_event(MsgpackReader& in, Raw& out) {
  const auto unknown = [](std::string_view name) {
    return fail(Errc::protocol, "unknown event '" + std::string(name.substr(0, 40)) + "'");
  };
  if (in.peek() == Kind::map) {
    DYN_TRY(const std::size_t entries, in.map());
    for (std::size_t i = 0; i < entries; ++i) {
      DYN_TRY(const std::string_view key, in.string());
      if (key == "type") {
        DYN_TRY(const std::string_view name, in.string());
        if (!out.set_type(name)) return unknown(name);
      } else if (auto done = out.field(in, key); !done) {
        return fail(std::move(done).error().with(std::string(key.substr(0, 40))));
      }
    }
    return out.type == Raw::Type::none ? fail(Errc::protocol, "no type") : Read{};
  }
  DYN_TRY(const std::size_t length, in.array());
  if (length == 0) return fail(Errc::protocol, "no type");
  DYN_TRY(const std::string_view name, in.string());
  if (!out.set_type(name)) return unknown(name);
  constexpr std::array<std::string_view, 9> kStored{
      "",        "block_hashes", "parent_block_hash", "token_ids", "block_size",
      "lora_id", "medium",       "lora_name",         "extra_keys"};
  constexpr std::array<std::string_view, 3> kRemoved{"", "block_hashes", "medium"};
  constexpr std::array<std::string_view, 2> kCleared{"", "ownership"};
  constexpr std::array<std::string_view, 1> kIgnored{""};
  const std::span<const std::string_view> fields =
      out.type == Raw::Type::stored    ? std::span<const std::string_view>(kStored)
      : out.type == Raw::Type::removed ? std::span<const std::string_view>(kRemoved)
      : out.type == Raw::Type::cleared ? std::span<const std::string_view>(kCleared)
                                       : std::span<const std::string_view>(kIgnored);
  const bool has_tail = out.type == Raw::Type::stored || out.type == Raw::Type::removed;
  constexpr std::size_t kTailFields = 5;
  std::vector<Tail> tail;
  for (std::size_t i = 1; i < length; ++i) {
    Read done;
    if (i < fields.size()) {
      done = out.field(in, fields[i]);
    } else if (has_tail && tail.size() < kTailFields) {
      done = read_tail(in, tail.emplace_back());
    } else {
      done = in.skip();
    }
    if (!done) return fail(std::move(done).error().with("element " + std::to_string(i)));
  }
  if (out.type == Raw::Type::stored && length < 5)
    return fail(Errc::protocol, "BlockStored of " + std::to_string(length) + " elements");
  if (out.type == Raw::Type::removed && length < 2)
    return fail(Errc::protocol, "BlockRemoved without hashes");
  out.take_tail(tail);
  return {};
}

Result<std::vector<RouterEvent>> EngineEventReader::read(std::string_view payload) {
  MsgpackReader in(payload);
  std::vector<Raw> raws;
  DpRank rank = options_.listener_rank;
  const auto read_batch = [&]() -> Read {
    DYN_TRY(const std::size_t length, in.array());
    if (length < 2) return fail(Errc::protocol, "a batch is [time, events, rank]");
    DYN_CHECK(in.skip());
    DYN_TRY(const std::size_t count, in.array());
    for (std::size_t i = 0; i < count; ++i) {
      if (auto done = read_event(in, raws.emplace_back()); !done)
        return fail(std::move(done).error().with("event " + std::to_string(i)));
    }
    if (length > 2 && !in.take_nil()) {
      DYN_TRY(const std::uint64_t number, in.unsigned_integer());
      if (number > std::numeric_limits<std::int32_t>::max())
        return fail(Errc::protocol, "rank " + std::to_string(number));
      rank = DpRank{static_cast<std::uint32_t>(number)};
    }
    for (std::size_t i = 3; i < length; ++i) DYN_CHECK(in.skip());
    return {};
  };
  if (auto done = read_batch(); !done)
    return fail(std::move(done).error().with("engine event batch"));
  std::vector<RouterEvent> out;
  for (Raw& raw : raws)
    if (auto event = convert(raw, rank)) out.push_back(std::move(*event));
  return out;
}

bool EngineEventReader::drop(EngineEventIssue issue) {
  ++issues_[static_cast<std::size_t>(issue)];
  return false;
}

std::optional<StorageTier> EngineEventReader::placement(const Raw& raw) {
  using Names = std::initializer_list<std::string_view>;
  const auto is = [&](Names names) { return std::ranges::find(names, raw.medium) != names.end(); };
  if (is({"", "GPU", "DEVICE"})) return StorageTier::device;
  if (is({"CPU", "CPU_PINNED", "CPU_TIER1"})) return StorageTier::host_pinned;
  if (is({"CPU_TIER2", "DISK", "NVME", "STORAGE"})) return StorageTier::disk;
  if (is({"EXTERNAL", "NETWORK", "REMOTE", "SHARED"})) return StorageTier::external;
  drop(EngineEventIssue::unknown_medium);
  return std::nullopt;
}

bool EngineEventReader::holds_prefixes(const Raw& raw, DpRank rank) {
  using Names = std::initializer_list<std::string_view>;
  if (raw.kind) {
    const auto is = [&](Names names) { return std::ranges::find(names, *raw.kind) != names.end(); };
    const bool main = is({"full_attention", "mla_attention", "sink_full_attention"});
    if (!main && !is({"sliding_window", "sliding_window_mla", "mamba", "chunked_local_attention",
                      "encoder_only_attention", "cross_attention"}))
      return drop(EngineEventIssue::unknown_kind);
    if (raw.type == Raw::Type::stored && raw.group &&
        (groups_.size() < kGroupsLimit || groups_.contains({rank, *raw.group})))
      groups_[{rank, *raw.group}] = main;
    return main || drop(EngineEventIssue::non_main_attention_kind);
  }
  if (!raw.group) return true;
  const auto known = groups_.find({rank, *raw.group});
  if (known == groups_.end()) return *raw.group == 0 || drop(EngineEventIssue::unlearned_group_idx);
  return known->second || drop(EngineEventIssue::non_main_attention_group);
}

bool EngineEventReader::find_namespace(const Raw& raw, DpRank rank, std::string& out) {
  if (!raw.cache_salt.empty()) {
    out = raw.cache_salt;
    return true;
  }
  for (const std::string_view key : raw.salt_keys) {
    if (key == raw.lora_name) continue;
    out = key.substr(kSaltPrefix.size());
    return true;
  }
  if (!raw.parent) return true;
  const auto of_rank = namespaces_.find(rank);
  if (of_rank == namespaces_.end()) return true;
  const auto known = of_rank->second.find(std::to_underlying(*raw.parent));
  if (known == of_rank->second.end()) return true;
  if (!known->second) return drop(EngineEventIssue::ambiguous_cache_namespace);
  out = *known->second;
  return true;
}

void EngineEventReader::remember_namespace(const KvStored& stored, DpRank rank,
                                           const std::string& name) {
  auto& known = namespaces_[rank];
  for (const KvBlock& block : stored.blocks) {
    const std::uint64_t hash = std::to_underlying(block.block_hash);
    const auto at = known.find(hash);
    if (at != known.end()) {
      if (at->second != name) at->second.reset();
    } else if (!name.empty() && known.size() < kNamespacedBlocksLimit) {
      known.emplace(hash, name);
    }
  }
}

void EngineEventReader::store_blocks(Raw& raw, const std::string& cache_namespace, KvStored& out) {
  const std::size_t size = options_.block_size_tokens;
  if (raw.block_size != size) {
    if (!raw.hashes.empty()) drop(EngineEventIssue::block_size_mismatch);
    return;
  }
  const std::size_t complete = tokens::complete_blocks(raw.tokens.size(), size, raw.eagle);
  if (complete < raw.hashes.size()) drop(EngineEventIssue::tokens_exhausted);
  const std::size_t count = std::min(complete, raw.hashes.size());
  std::vector<tokens::BlockMmHashes> mm = std::move(raw.mm_infos);
  if (mm.empty() && options_.mm_hashes_in_extra_keys) mm = std::move(raw.extra_mm);
  if (options_.image_token) {
    for (std::size_t i = 0; i < std::min(mm.size(), count); ++i)
      tokens::substitute_image_tokens(std::span(raw.tokens).subspan(i * size, size),
                                      *options_.image_token, mm[i]);
    mm.clear();
  }
  const auto hashes =
      tokens::hash_blocks(raw.tokens, size,
                          {.salt = tokens::request_salt(raw.lora_name, cache_namespace),
                           .eagle = raw.eagle,
                           .mm_hashes = mm});
  out.blocks.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    out.blocks.push_back({raw.hashes[i], hashes[i], std::nullopt});
}

std::optional<RouterEvent> EngineEventReader::convert(Raw& raw, DpRank rank) {
  if (raw.type == Raw::Type::ignored) return std::nullopt;
  if (raw.ownership && *raw.ownership != "framework") {
    drop(*raw.ownership == "kvcr" ? EngineEventIssue::unsupported_ownership
                                  : EngineEventIssue::unknown_ownership);
    return std::nullopt;
  }
  RouterEvent out;
  out.worker_id = options_.worker;
  out.event.dp_rank = rank;
  if (raw.type == Raw::Type::cleared) {
    namespaces_.erase(rank);
    out.event.data = KvCleared{};
    return out;
  }
  const auto tier = placement(raw);
  if (!tier) return std::nullopt;
  out.storage_tier = *tier;
  if (raw.locality && *raw.locality != "LOCAL") {
    drop(EngineEventIssue::non_local_locality);
    return std::nullopt;
  }
  // Groups and tenants are kept for the memory that the engine itself works in.
  const bool near = *tier == StorageTier::device || *tier == StorageTier::host_pinned;
  if (near && !holds_prefixes(raw, rank)) return std::nullopt;
  if (raw.type == Raw::Type::removed) {
    if (const auto known = namespaces_.find(rank); near && known != namespaces_.end()) {
      for (const EngineHash hash : raw.hashes) {
        const auto at = known->second.find(std::to_underlying(hash));
        if (at != known->second.end() && at->second) known->second.erase(at);
      }
    }
    out.event.data = KvRemoved{std::move(raw.hashes)};
    return out;
  }
  std::string cache_namespace;
  if (!find_namespace(raw, rank, cache_namespace)) return std::nullopt;
  std::unordered_set<std::uint64_t> distinct;
  if (raw.parent) distinct.insert(std::to_underlying(*raw.parent));
  for (const EngineHash hash : raw.hashes) {
    if (distinct.insert(std::to_underlying(hash)).second) continue;
    drop(EngineEventIssue::repeated_block_hash);
    return std::nullopt;
  }
  KvStored& stored = out.event.data.emplace<KvStored>();
  stored.parent_hash = raw.parent;
  store_blocks(raw, cache_namespace, stored);
  if (stored.blocks.empty()) {
    drop(EngineEventIssue::empty_store_blocks);
    return std::nullopt;
  }
  if (near) remember_namespace(stored, rank, cache_namespace);
  return out;
}

}  // namespace dynamo::kv_router
