// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/msgpack.h>
#include <dynamo/base/utf8.h>

#include <array>
#include <bit>
#include <limits>

namespace dynamo::base {
namespace {

// First bytes of the formats.
constexpr std::uint8_t kNil = 0xc0, kFalse = 0xc2, kTrue = 0xc3, kBin8 = 0xc4, kExt8 = 0xc7,
                       kFloat32 = 0xca, kFloat64 = 0xcb, kUint8 = 0xcc, kInt8 = 0xd0,
                       kFixExt1 = 0xd4, kStr8 = 0xd9, kArray16 = 0xdc, kMap16 = 0xde;
constexpr std::array<std::uint8_t, 3> kStrHeads{0xd9, 0xda, 0xdb};
constexpr std::array<std::uint8_t, 3> kBinHeads{0xc4, 0xc5, 0xc6};
constexpr std::array<std::uint8_t, 3> kArrayHeads{0, 0xdc, 0xdd};
constexpr std::array<std::uint8_t, 3> kMapHeads{0, 0xde, 0xdf};

}  // namespace

void MsgpackWriter::big_endian(std::uint64_t v, std::size_t bytes) {
  for (std::size_t i = bytes; i-- > 0;) out_.push_back(static_cast<char>(v >> (8 * i)));
}

MsgpackWriter& MsgpackWriter::nil() {
  out_.push_back(static_cast<char>(kNil));
  return *this;
}

MsgpackWriter& MsgpackWriter::value(bool v) {
  out_.push_back(static_cast<char>(v ? kTrue : kFalse));
  return *this;
}

MsgpackWriter& MsgpackWriter::value(std::uint64_t v) {
  if (v < 0x80) {
    out_.push_back(static_cast<char>(v));
    return *this;
  }
  const std::size_t power = v <= 0xff ? 0 : v <= 0xffff ? 1 : v <= 0xffffffff ? 2 : 3;
  out_.push_back(static_cast<char>(kUint8 + power));
  big_endian(v, std::size_t{1} << power);
  return *this;
}

MsgpackWriter& MsgpackWriter::value(std::int64_t v) {
  if (v >= 0) return value(static_cast<std::uint64_t>(v));
  if (v >= -32) {
    out_.push_back(static_cast<char>(v));
    return *this;
  }
  const std::size_t power = v >= std::numeric_limits<std::int8_t>::min()    ? 0
                            : v >= std::numeric_limits<std::int16_t>::min() ? 1
                            : v >= std::numeric_limits<std::int32_t>::min() ? 2
                                                                            : 3;
  out_.push_back(static_cast<char>(kInt8 + power));
  big_endian(static_cast<std::uint64_t>(v), std::size_t{1} << power);
  return *this;
}

MsgpackWriter& MsgpackWriter::value(float v) {
  out_.push_back(static_cast<char>(kFloat32));
  big_endian(std::bit_cast<std::uint32_t>(v), 4);
  return *this;
}

MsgpackWriter& MsgpackWriter::value(double v) {
  out_.push_back(static_cast<char>(kFloat64));
  big_endian(std::bit_cast<std::uint64_t>(v), 8);
  return *this;
}

MsgpackWriter& MsgpackWriter::value(std::string_view v) {
  if (v.size() < 32) {
    out_.push_back(static_cast<char>(0xa0 | v.size()));
  } else {
    const std::size_t power = v.size() <= 0xff ? 0 : v.size() <= 0xffff ? 1 : 2;
    out_.push_back(static_cast<char>(kStr8 + power));
    big_endian(v.size(), std::size_t{1} << power);
  }
  out_.append(v);
  return *this;
}

MsgpackWriter& MsgpackWriter::binary(std::string_view bytes) {
  const std::size_t power = bytes.size() <= 0xff ? 0 : bytes.size() <= 0xffff ? 1 : 2;
  out_.push_back(static_cast<char>(kBin8 + power));
  big_endian(bytes.size(), std::size_t{1} << power);
  out_.append(bytes);
  return *this;
}

MsgpackWriter& MsgpackWriter::map(std::size_t entries) {
  if (entries < 16) {
    out_.push_back(static_cast<char>(0x80 | entries));
  } else {
    const bool wide = entries > 0xffff;
    out_.push_back(static_cast<char>(kMap16 + (wide ? 1 : 0)));
    big_endian(entries, wide ? 4 : 2);
  }
  return *this;
}

MsgpackWriter& MsgpackWriter::array(std::size_t elements) {
  if (elements < 16) {
    out_.push_back(static_cast<char>(0x90 | elements));
  } else {
    const bool wide = elements > 0xffff;
    out_.push_back(static_cast<char>(kArray16 + (wide ? 1 : 0)));
    big_endian(elements, wide ? 4 : 2);
  }
  return *this;
}

MsgpackWriter& MsgpackWriter::value(const Json& v) {
  switch (v.kind()) {
    case Json::Kind::null:
      return nil();
    case Json::Kind::boolean:
      return value(*v.if_bool());
    case Json::Kind::integer:
      return value(*v.as_int64());
    case Json::Kind::unsigned_integer:
      return value(*v.as_uint64());
    case Json::Kind::real:
      return value(*v.as_double());
    case Json::Kind::string:
      return value(std::string_view(*v.if_string()));
    case Json::Kind::array:
      array(v.if_array()->size());
      for (const Json& element : *v.if_array()) value(element);
      return *this;
    case Json::Kind::object:
      map(v.if_object()->size());
      for (const auto& [key, member] : *v.if_object()) value(std::string_view(key)).value(member);
      return *this;
  }
  return *this;
}

MsgpackReader::Kind MsgpackReader::peek() const noexcept {
  if (at_end()) return Kind::end;
  const auto head = static_cast<std::uint8_t>(bytes_[at_]);
  if (head < 0x80 || head >= 0xe0) return Kind::integer;
  if (head < 0x90) return Kind::map;
  if (head < 0xa0) return Kind::array;
  if (head < 0xc0) return Kind::string;
  if (head == kNil) return Kind::nil;
  if (head == kFalse || head == kTrue) return Kind::boolean;
  if (head >= kBin8 && head < kExt8) return Kind::binary;
  if (head >= kExt8 && head < kFloat32) return Kind::extension;
  if (head == kFloat32 || head == kFloat64) return Kind::real;
  if (head >= kUint8 && head < kFixExt1) return Kind::integer;
  if (head >= kFixExt1 && head < kStr8) return Kind::extension;
  if (head >= kStr8 && head < kArray16) return Kind::string;
  if (head >= kArray16 && head < kMap16) return Kind::array;
  if (head >= kMap16) return Kind::map;
  return Kind::end;  // 0xc1 is never used
}

Error MsgpackReader::wrong(std::string_view expected) const {
  static constexpr std::array<std::string_view, 10> kNames{
      "nil",    "a boolean", "an integer", "a real",       "a string",
      "binary", "an array",  "a map",      "an extension", "no item"};
  return Error(Errc::protocol, "MessagePack: expected " + std::string(expected) + ", found " +
                                   std::string(kNames[static_cast<std::size_t>(peek())]) +
                                   " at byte " + std::to_string(at_));
}

Result<std::uint64_t> MsgpackReader::big_endian(std::size_t bytes) {
  if (bytes_.size() - at_ < bytes) {
    return fail(Errc::protocol,
                "MessagePack: the data ends inside an item at byte " + std::to_string(at_));
  }
  std::uint64_t v = 0;
  for (std::size_t i = 0; i < bytes; ++i) v = v << 8 | static_cast<std::uint8_t>(bytes_[at_ + i]);
  at_ += bytes;
  return v;
}

Result<std::string_view> MsgpackReader::take(std::uint64_t length) {
  if (length > bytes_.size() - at_) {
    return fail(Errc::protocol, "MessagePack: an item of " + std::to_string(length) +
                                    " bytes does not fit into the " +
                                    std::to_string(bytes_.size() - at_) +
                                    " that are left at byte " + std::to_string(at_));
  }
  const auto taken = bytes_.substr(at_, static_cast<std::size_t>(length));
  at_ += static_cast<std::size_t>(length);
  return taken;
}

bool MsgpackReader::take_nil() noexcept {
  if (peek() != Kind::nil) return false;
  ++at_;
  return true;
}

Result<bool> MsgpackReader::boolean() {
  if (peek() != Kind::boolean) return fail(wrong("a boolean"));
  return static_cast<std::uint8_t>(bytes_[at_++]) == kTrue;
}

Result<std::uint64_t> MsgpackReader::integer_bits() {
  if (peek() != Kind::integer) return fail(wrong("an integer"));
  const auto head = static_cast<std::uint8_t>(bytes_[at_++]);
  if (head < 0x80) return std::uint64_t{head};
  if (head >= 0xe0)
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int8_t>(head)));
  const bool is_signed = head >= kInt8;
  const std::size_t bytes = std::size_t{1} << (head - (is_signed ? kInt8 : kUint8));
  DYN_TRY(std::uint64_t v, big_endian(bytes));
  if (is_signed && bytes < 8) {  // extend the sign
    const std::uint64_t sign = std::uint64_t{1} << (8 * bytes - 1);
    v = (v ^ sign) - sign;
  }
  return v;
}

Result<std::uint64_t> MsgpackReader::unsigned_integer() {
  const std::size_t start = at_;
  const auto head = at_end() ? std::uint8_t{0} : static_cast<std::uint8_t>(bytes_[at_]);
  DYN_TRY(const std::uint64_t v, integer_bits());
  const bool is_signed = head >= 0xe0 || (head >= kInt8 && head < kFixExt1);
  if (is_signed && static_cast<std::int64_t>(v) < 0) {
    at_ = start;
    return fail(Errc::protocol, "MessagePack: expected an unsigned integer, found " +
                                    std::to_string(static_cast<std::int64_t>(v)) + " at byte " +
                                    std::to_string(start));
  }
  return v;
}

Result<std::int64_t> MsgpackReader::integer() {
  const std::size_t start = at_;
  const auto head = at_end() ? std::uint8_t{0} : static_cast<std::uint8_t>(bytes_[at_]);
  DYN_TRY(const std::uint64_t v, integer_bits());
  const bool is_signed = head >= 0xe0 || (head >= kInt8 && head < kFixExt1);
  if (!is_signed && v > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    at_ = start;
    return fail(Errc::protocol, "MessagePack: " + std::to_string(v) +
                                    " does not fit a signed integer at byte " +
                                    std::to_string(start));
  }
  return static_cast<std::int64_t>(v);
}

Result<double> MsgpackReader::real() {
  if (peek() == Kind::integer) {
    const auto head = static_cast<std::uint8_t>(bytes_[at_]);
    DYN_TRY(const std::uint64_t v, integer_bits());
    const bool is_signed = head >= 0xe0 || (head >= kInt8 && head < kFixExt1);
    return is_signed ? static_cast<double>(static_cast<std::int64_t>(v)) : static_cast<double>(v);
  }
  if (peek() != Kind::real) return fail(wrong("a number"));
  if (static_cast<std::uint8_t>(bytes_[at_++]) == kFloat32) {
    DYN_TRY(const std::uint64_t v, big_endian(4));
    return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(v)));
  }
  DYN_TRY(const std::uint64_t v, big_endian(8));
  return std::bit_cast<double>(v);
}

Result<std::uint64_t> MsgpackReader::header_length(std::uint8_t head, std::uint8_t fix_mask,
                                                   std::uint8_t fix_bits,
                                                   std::span<const std::uint8_t> heads,
                                                   std::string_view what,
                                                   std::size_t smallest_item) {
  const std::size_t start = at_++;
  std::uint64_t length = 0;
  if (fix_mask != 0 && (head & ~fix_mask) == fix_bits) {
    length = head & fix_mask;
  } else {
    for (std::size_t power = 0; power < heads.size(); ++power) {
      if (head != heads[power]) continue;
      DYN_TRY(length, big_endian(std::size_t{1} << power));
    }
  }
  if (length > (bytes_.size() - at_) / smallest_item) {
    return fail(Errc::protocol, "MessagePack: " + std::string(what) + " of " +
                                    std::to_string(length) + " at byte " + std::to_string(start) +
                                    " does not fit into the data");
  }
  return length;
}

Result<std::string_view> MsgpackReader::string() {
  if (peek() != Kind::string) return fail(wrong("a string"));
  DYN_TRY(const std::uint64_t length, header_length(static_cast<std::uint8_t>(bytes_[at_]), 0x1f,
                                                    0xa0, kStrHeads, "a string", 1));
  return take(length);
}

Result<std::string_view> MsgpackReader::binary() {
  if (peek() == Kind::string) return string();
  if (peek() != Kind::binary) return fail(wrong("binary"));
  DYN_TRY(const std::uint64_t length,
          header_length(static_cast<std::uint8_t>(bytes_[at_]), 0, 0, kBinHeads, "binary", 1));
  return take(length);
}

Result<std::size_t> MsgpackReader::array() {
  if (peek() != Kind::array) return fail(wrong("an array"));
  DYN_TRY(const std::uint64_t length, header_length(static_cast<std::uint8_t>(bytes_[at_]), 0x0f,
                                                    0x90, kArrayHeads, "an array", 1));
  return static_cast<std::size_t>(length);
}

Result<std::size_t> MsgpackReader::map() {
  if (peek() != Kind::map) return fail(wrong("a map"));
  DYN_TRY(const std::uint64_t length,
          header_length(static_cast<std::uint8_t>(bytes_[at_]), 0x0f, 0x80, kMapHeads, "a map", 2));
  return static_cast<std::size_t>(length);
}

Result<void> MsgpackReader::skip() {
  return skip(depth_limit_);
}

Result<void> MsgpackReader::skip(std::size_t depth_left) {
  const auto head = at_end() ? std::uint8_t{0} : static_cast<std::uint8_t>(bytes_[at_]);
  switch (peek()) {
    case Kind::nil:
    case Kind::boolean:
      ++at_;
      return {};
    case Kind::integer:
      DYN_CHECK(integer_bits());
      return {};
    case Kind::real:
      DYN_CHECK(real());
      return {};
    case Kind::string:
      DYN_CHECK(string());
      return {};
    case Kind::binary:
      DYN_CHECK(binary());
      return {};
    case Kind::extension: {
      ++at_;
      std::uint64_t length = 0;
      if (head >= kFixExt1) {
        length = std::uint64_t{1} << (head - kFixExt1);
      } else {
        DYN_TRY(length, big_endian(std::size_t{1} << (head - kExt8)));
      }
      DYN_CHECK(take(length + 1));  // and its type
      return {};
    }
    case Kind::array:
    case Kind::map: {
      if (depth_left == 0)
        return fail(Errc::protocol,
                    "MessagePack: nested deeper than " + std::to_string(depth_limit_));
      const bool is_map = peek() == Kind::map;
      DYN_TRY(std::size_t items, is_map ? map() : array());
      if (is_map) items *= 2;
      for (; items > 0; --items) DYN_CHECK(skip(depth_left - 1));
      return {};
    }
    case Kind::end:
      break;
  }
  return fail(wrong("an item"));
}

Result<Json> MsgpackReader::json() {
  return json(depth_limit_);
}

Result<Json> MsgpackReader::json(std::size_t depth_left) {
  switch (peek()) {
    case Kind::nil:
      ++at_;
      return Json();
    case Kind::boolean: {
      DYN_TRY(const bool v, boolean());
      return Json(v);
    }
    case Kind::integer: {
      const auto head = static_cast<std::uint8_t>(bytes_[at_]);
      DYN_TRY(const std::uint64_t v, integer_bits());
      const bool is_signed = head >= 0xe0 || (head >= kInt8 && head < kFixExt1);
      return is_signed ? Json(static_cast<long long>(v)) : Json(static_cast<unsigned long long>(v));
    }
    case Kind::real: {
      DYN_TRY(const double v, real());
      return Json(v);
    }
    case Kind::string: {
      DYN_TRY(const std::string_view v, string());
      return Json(to_valid_utf8(v));
    }
    case Kind::binary: {
      DYN_TRY(const std::string_view v, binary());
      if (is_valid_utf8(v)) return Json(v);
      Json::Array numbers;
      numbers.reserve(v.size());
      for (const char c : v) numbers.emplace_back(static_cast<int>(static_cast<std::uint8_t>(c)));
      return Json(std::move(numbers));
    }
    case Kind::array: {
      if (depth_left == 0) break;
      DYN_TRY(const std::size_t length, array());
      Json::Array elements;
      for (std::size_t i = 0; i < length; ++i) {
        DYN_TRY(Json element, json(depth_left - 1));
        elements.push_back(std::move(element));
      }
      return Json(std::move(elements));
    }
    case Kind::map: {
      if (depth_left == 0) break;
      DYN_TRY(const std::size_t length, map());
      JsonObject members;
      for (std::size_t i = 0; i < length; ++i) {
        DYN_TRY(const std::string_view key, string());
        const std::string owned = to_valid_utf8(key);
        DYN_TRY(Json member, json(depth_left - 1));
        members.set(owned, std::move(member));
      }
      return Json(std::move(members));
    }
    case Kind::extension:
    case Kind::end:
      return fail(wrong("an item that JSON can hold"));
  }
  return fail(Errc::protocol, "MessagePack: nested deeper than " + std::to_string(depth_limit_));
}

Result<Json> parse_msgpack(std::string_view bytes) {
  MsgpackReader reader(bytes);
  DYN_TRY(Json value, reader.json());
  if (!reader.at_end()) {
    return fail(Errc::protocol, "MessagePack: " + std::to_string(bytes.size() - reader.offset()) +
                                    " bytes follow the item");
  }
  return value;
}

}  // namespace dynamo::base
