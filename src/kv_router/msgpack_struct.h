// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/msgpack.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

/// Reading the structs of MessagePack messages as their senders' serializer means them.
namespace dynamo::kv_router::detail {

using Read = Result<void>;

inline Error in_field(Error error, std::string_view field) {
  return std::move(error).with(std::string(field));
}

/// Reads a struct that is a map keyed by field name, or an array with the fields in their order.
/// `read(i)` consumes the value of field i; unknown keys and further elements are skipped.
template <std::size_t N, class F>
Read read_struct(MsgpackReader& in, const std::array<std::string_view, N>& fields, F read) {
  if (in.peek() == MsgpackReader::Kind::array) {
    DYN_TRY(const std::size_t length, in.array());
    for (std::size_t i = 0; i < length; ++i) {
      if (i >= N) {
        DYN_CHECK(in.skip());
      } else if (auto done = read(i); !done) {
        return fail(in_field(std::move(done).error(), fields[i]));
      }
    }
    return {};
  }
  DYN_TRY(const std::size_t entries, in.map());
  for (std::size_t entry = 0; entry < entries; ++entry) {
    DYN_TRY(const std::string_view key, in.string());
    std::size_t i = 0;
    while (i < N && fields[i] != key) ++i;
    if (i == N) {
      DYN_CHECK(in.skip());
    } else if (auto done = read(i); !done) {
      return fail(in_field(std::move(done).error(), fields[i]));
    }
  }
  return {};
}

inline Result<std::uint32_t> u32(MsgpackReader& in) {
  const std::size_t at = in.offset();
  DYN_TRY(const std::uint64_t number, in.unsigned_integer());
  if (number > std::numeric_limits<std::uint32_t>::max()) {
    return fail(Errc::protocol,
                std::to_string(number) + " does not fit 32 bits at byte " + std::to_string(at));
  }
  return static_cast<std::uint32_t>(number);
}

}  // namespace dynamo::kv_router::detail
