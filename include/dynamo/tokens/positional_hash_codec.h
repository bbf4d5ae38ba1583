// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>
#include <dynamo/base/msgpack.h>
#include <dynamo/tokens/positional_hash.h>
#include <dynamo/tokens/request_hash.h>

/// Positional hashes as other components read and write them: 16 bytes, big-endian; a binary in
/// MessagePack, an array of numbers in JSON. Readers take an array in MessagePack too. Nothing says
/// which layout the bytes have. Source: lib/tokens (v1.5); spec tokens-mocker A5, A7.
namespace dynamo::tokens {

void write_json(JsonWriter& out, Uint128 hash);
void write_msgpack(MsgpackWriter& out, Uint128 hash);
/// Errors: Errc::protocol.
Result<Uint128> hash128_from_json(const Json& json);
Result<Uint128> hash128_from_msgpack(MsgpackReader& in);

/// `{"block_hash", "plh"}`.
void write_json(JsonWriter& out, const UniversalBlock& block);
void write_msgpack(MsgpackWriter& out, const UniversalBlock& block);
/// Unknown keys are skipped. Errors: Errc::protocol naming the field.
Result<UniversalBlock> universal_block_from_json(const Json& json);
Result<UniversalBlock> universal_block_from_msgpack(MsgpackReader& in);

}  // namespace dynamo::tokens
