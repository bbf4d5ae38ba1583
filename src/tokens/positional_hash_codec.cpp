// SPDX-License-Identifier: Apache-2.0
#include <dynamo/tokens/positional_hash_codec.h>

#include <string>
#include <utility>

namespace dynamo::tokens {
namespace {

Error wrong(std::string_view field) {
  return Error(Errc::protocol, "positional hash: expected " + std::string(field));
}

Result<std::uint8_t> byte_of(std::optional<std::uint64_t> number) {
  if (!number || *number > 255) return fail(wrong("numbers from 0 to 255"));
  return static_cast<std::uint8_t>(*number);
}

}  // namespace

void write_json(JsonWriter& out, Uint128 hash) {
  out.begin_array();
  for (const std::uint8_t byte : to_big_endian(hash)) out.value(std::uint64_t{byte});
  out.end_array();
}

void write_msgpack(MsgpackWriter& out, Uint128 hash) {
  const Bytes128 bytes = to_big_endian(hash);
  out.binary({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Result<Uint128> hash128_from_json(const Json& json) {
  Bytes128 bytes{};
  const Json::Array* list = json.if_array();
  if (list == nullptr || list->size() != bytes.size()) return fail(wrong("an array of 16 numbers"));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    DYN_TRY(bytes[i], byte_of((*list)[i].as_uint64()));
  }
  return from_big_endian(bytes);
}

Result<Uint128> hash128_from_msgpack(MsgpackReader& in) {
  Bytes128 bytes{};
  if (in.peek() == MsgpackReader::Kind::array) {
    DYN_TRY(const std::size_t length, in.array());
    if (length != bytes.size()) return fail(wrong("16 bytes"));
    for (std::uint8_t& byte : bytes) {
      DYN_TRY(const std::uint64_t number, in.unsigned_integer());
      DYN_TRY(byte, byte_of(number));
    }
    return from_big_endian(bytes);
  }
  DYN_TRY(const std::string_view text, in.binary());
  if (text.size() != bytes.size()) return fail(wrong("16 bytes"));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(text[i]);
  return from_big_endian(bytes);
}

void write_json(JsonWriter& out, const UniversalBlock& block) {
  out.begin_object().member("block_hash", std::to_underlying(block.block_hash)).key("plh");
  write_json(out, block.plh.value);
  out.end_object();
}

void write_msgpack(MsgpackWriter& out, const UniversalBlock& block) {
  out.map(2).value("block_hash").value(std::to_underlying(block.block_hash)).value("plh");
  write_msgpack(out, block.plh.value);
}

Result<UniversalBlock> universal_block_from_json(const Json& json) {
  UniversalBlock out;
  const Json* hash = json.find("block_hash");
  const auto number = hash == nullptr ? std::nullopt : hash->as_uint64();
  if (!number) return fail(wrong("block_hash, an unsigned integer"));
  out.block_hash = BlockHash{*number};
  const Json* plh = json.find("plh");
  if (plh == nullptr) return fail(wrong("plh"));
  DYN_TRY(out.plh.value, hash128_from_json(*plh));
  return out;
}

Result<UniversalBlock> universal_block_from_msgpack(MsgpackReader& in) {
  UniversalBlock out;
  bool has_hash = false;
  bool has_plh = false;
  DYN_TRY(const std::size_t entries, in.map());
  for (std::size_t i = 0; i < entries; ++i) {
    DYN_TRY(const std::string_view key, in.string());
    if (key == "block_hash") {
      DYN_TRY(const std::uint64_t hash, in.unsigned_integer());
      out.block_hash = BlockHash{hash};
      has_hash = true;
    } else if (key == "plh") {
      DYN_TRY(out.plh.value, hash128_from_msgpack(in));
      has_plh = true;
    } else {
      DYN_CHECK(in.skip());
    }
  }
  if (!has_hash || !has_plh) return fail(wrong("block_hash and plh"));
  return out;
}

}  // namespace dynamo::tokens
