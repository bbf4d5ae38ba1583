// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// MessagePack, as the event plane and the request plane use it: structs are maps keyed by field
/// name, integers in their shortest form, absent values nil.
/// Source: https://github.com/msgpack/msgpack/blob/master/spec.md
namespace dynamo::base {

/// Appends MessagePack to a string. Integers take the shortest form that holds them; the caller
/// announces the size of maps and arrays and writes that many entries.
class MsgpackWriter {
 public:
  explicit MsgpackWriter(std::string& out) noexcept : out_(out) {}

  MsgpackWriter& nil();
  MsgpackWriter& value(bool v);
  MsgpackWriter& value(std::uint64_t v);
  MsgpackWriter& value(std::int64_t v);
  MsgpackWriter& value(std::uint32_t v) { return value(std::uint64_t{v}); }
  MsgpackWriter& value(int v) { return value(static_cast<std::int64_t>(v)); }
  MsgpackWriter& value(float v);
  MsgpackWriter& value(double v);
  MsgpackWriter& value(std::string_view v);
  MsgpackWriter& value(const char* v) { return value(std::string_view(v)); }
  /// A JSON tree: objects as maps in their order, numbers by their kind.
  MsgpackWriter& value(const Json& v);
  MsgpackWriter& binary(std::string_view bytes);
  MsgpackWriter& map(std::size_t entries);
  MsgpackWriter& array(std::size_t elements);

 private:
  void big_endian(std::uint64_t v, std::size_t bytes);
  std::string& out_;
};

/// Reads MessagePack from bytes it does not own, one item at a time and without copying strings.
///
/// Every length is checked against what is left, so a hostile header costs nothing; nesting is
/// bounded by `depth_limit` where items are skipped or turned into JSON.
/// Errors: Errc::protocol naming what was expected, what came and at which byte.
class MsgpackReader {
 public:
  explicit MsgpackReader(std::string_view bytes, std::size_t depth_limit = 128) noexcept
      : bytes_(bytes), depth_limit_(depth_limit) {}

  enum class Kind : std::uint8_t {
    nil,
    boolean,
    integer,
    real,
    string,
    binary,
    array,
    map,
    extension,
    end
  };
  /// Of the next item; `end` when nothing is left, also for bytes that begin no item.
  Kind peek() const noexcept;
  bool at_end() const noexcept { return at_ >= bytes_.size(); }
  std::size_t offset() const noexcept { return at_; }

  /// Consumes a nil and says whether there was one.
  bool take_nil() noexcept;
  Result<bool> boolean();
  /// Any integer that fits.
  Result<std::uint64_t> unsigned_integer();
  Result<std::int64_t> integer();
  /// The 64 bits of any integer, negative ones as two's complement.
  Result<std::uint64_t> integer_bits();
  /// Any number.
  Result<double> real();
  Result<std::string_view> string();
  /// A binary or a string.
  Result<std::string_view> binary();
  /// Number of elements; at most what the remaining bytes can hold (one byte each).
  Result<std::size_t> array();
  /// Number of entries; at most what the remaining bytes can hold (two bytes each).
  Result<std::size_t> map();
  /// Passes over one item with everything in it.
  Result<void> skip();
  /// One item as JSON. Map keys must be strings; binary becomes a string if it is UTF-8, else an
  /// array of numbers; extensions are an error.
  Result<Json> json();

 private:
  Error wrong(std::string_view expected) const;
  Result<std::uint64_t> header_length(std::uint8_t head, std::uint8_t fix_mask,
                                      std::uint8_t fix_bits, std::span<const std::uint8_t> heads,
                                      std::string_view what, std::size_t smallest_item);
  Result<std::uint64_t> big_endian(std::size_t bytes);
  Result<std::string_view> take(std::uint64_t length);
  Result<void> skip(std::size_t depth_left);
  Result<Json> json(std::size_t depth_left);

  std::string_view bytes_;
  std::size_t depth_limit_;
  std::size_t at_ = 0;
};

/// One whole item as JSON; trailing bytes are an error.
Result<Json> parse_msgpack(std::string_view bytes);

}  // namespace dynamo::base

namespace dynamo {
using base::MsgpackReader;
using base::MsgpackWriter;
}  // namespace dynamo
