// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/base64.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace dynamo::base {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kInvalid = 0xFF;

constexpr auto kValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kInvalid);
  for (std::uint8_t i = 0; i < 64; ++i) values[static_cast<unsigned char>(kAlphabet[i])] = i;
  return values;
}();

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4, '=');
  const auto byte = [&](std::size_t i) {
    return i < bytes.size() ? std::uint32_t{static_cast<unsigned char>(bytes[i])} : 0u;
  };
  for (std::size_t i = 0, o = 0; i < bytes.size(); i += 3, o += 4) {
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    out[o] = kAlphabet[group >> 18];
    out[o + 1] = kAlphabet[group >> 12 & 63];
    if (i + 1 < bytes.size()) out[o + 2] = kAlphabet[group >> 6 & 63];
    if (i + 2 < bytes.size()) out[o + 3] = kAlphabet[group & 63];
  }
  return out;
}

Result<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0)
    return fail(Errc::invalid_argument,
                "base64: length " + std::to_string(text.size()) + " is not a multiple of 4");
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  const std::size_t digits = text.size() - padding;

  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  unsigned bit_count = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const std::uint8_t value = kValues[static_cast<unsigned char>(text[i])];
    if (value == kInvalid)
      return fail(Errc::invalid_argument,
                  "base64: invalid character at offset " + std::to_string(i));
    bits = bits << 6 | value;
    bit_count += 6;
    if (bit_count >= 8) {
      bit_count -= 8;
      out.push_back(static_cast<char>(bits >> bit_count & 0xFFu));
    }
  }
  // Bits that no byte needs must be zero, so that each byte string has one encoding.
  if ((bits & ((1u << bit_count) - 1)) != 0)
    return fail(Errc::invalid_argument, "base64: unused bits of the last character are not zero");
  return out;
}

}  // namespace dynamo::base
