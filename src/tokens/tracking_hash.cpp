// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/hash.h>
#include <dynamo/tokens/tracking_hash.h>

#include <algorithm>

namespace dynamo::tokens {
namespace {

void append_le(std::string& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

// A frame: tag, length, bytes; an optional one says first whether it is there.
void append_frame(std::string& out, char tag, std::string_view bytes) {
  out.push_back(tag);
  append_le(out, bytes.size(), 8);
  out += bytes;
}
void append_optional_frame(std::string& out, char tag, std::string_view bytes) {
  out.push_back(tag);
  out.push_back(bytes.empty() ? '\0' : '\1');
  if (bytes.empty()) return;
  append_le(out, bytes.size(), 8);
  out += bytes;
}

std::uint64_t load_le(const std::uint8_t* bytes) noexcept {
  std::uint64_t out = 0;
  for (std::size_t i = 8; i-- > 0;) out = out << 8 | bytes[i];
  return out;
}

bool is_blank(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

}  // namespace

Result<TrackingHashKind> parse_tracking_hash_kind(std::string_view name) {
  if (name == "public-xxh3-v1") return TrackingHashKind::public_xxh3_v1;
  if (name == "keyed-xxh3-v1") return TrackingHashKind::keyed_xxh3_v1;
  return fail(Errc::invalid_argument,
              "router_tracking_hash must be public-xxh3-v1 or "
              "keyed-xxh3-v1, got '" +
                  std::string(name.substr(0, 40)) + "'");
}

Result<TrackingKey> TrackingKey::make(std::string_view key_bytes, std::string_view id) {
  TrackingKey out;
  if (key_bytes.size() != out.key.size())
    return fail(Errc::invalid_argument,
                "the tracking key must have 32 bytes, got " + std::to_string(key_bytes.size()));
  if (id.empty() || is_blank(id.front()) || is_blank(id.back()))
    return fail(Errc::invalid_argument,
                "the tracking key's id must be a name without blanks around it");
  std::ranges::transform(key_bytes, out.key.begin(),
                         [](char c) { return static_cast<std::uint8_t>(c); });
  out.id = id;
  return out;
}

TrackingSeeds TrackingSeeds::public_seeds(const TrackingScope& scope) noexcept {
  return {.block = request_salt(scope.lora_name, scope.cache_namespace), .chain = kDefaultSalt};
}

TrackingSeeds TrackingSeeds::keyed_seeds(const TrackingKey& key, const TrackingScope& scope) {
  using namespace std::string_view_literals;
  std::string text("dynamo.router.tracking-hash/keyed-xxh3-v1\0"sv);
  std::string block_size;
  append_le(block_size, scope.block_size_tokens, 4);
  append_frame(text, 1, key.id);
  append_frame(text, 2, scope.model);
  append_frame(text, 3, scope.routing_group);
  append_frame(text, 4, block_size);
  append_optional_frame(text, 5, scope.cache_namespace);
  append_optional_frame(text, 6, scope.lora_name);
  append_frame(text, 7, scope.eagle ? "\1"sv : "\0"sv);
  base::Blake3 hash(key.key);
  hash.update(text);
  const auto digest = hash.digest();
  return {.block = SaltHash{load_le(digest.data())}, .chain = SaltHash{load_le(digest.data() + 8)}};
}

std::vector<SequenceHash> TrackingSeeds::names(std::span<const Token> tokens,
                                               const TrackingScope& scope,
                                               std::span<const BlockMmHashes> mm_hashes) const {
  const std::vector<BlockHash> blocks =
      hash_blocks(tokens, scope.block_size_tokens,
                  {.salt = block, .eagle = scope.eagle, .mm_hashes = mm_hashes});
  std::vector<SequenceHash> out;
  out.reserve(blocks.size());
  for (const BlockHash hash : blocks)
    out.push_back(out.empty() ? first_sequence_hash(hash)
                              : next_sequence_hash(out.back(), hash, chain));
  return out;
}

}  // namespace dynamo::tokens
