// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/hash.h>
#include <dynamo/base/rng.h>
#include <dynamo/base/uuid.h>

#include <cstddef>
#include <span>

namespace dynamo::base {
namespace {

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr bool hyphen_before(std::size_t byte) noexcept {
  return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

constexpr std::string_view kUrn = "urn:uuid:";

}  // namespace

Uuid Uuid::random() {
  thread_local Rng rng = Rng::from_entropy();
  return random(rng);
}

Uuid Uuid::random(Rng& rng) noexcept {
  Uuid id;
  for (std::size_t half = 0; half < 2; ++half) {
    std::uint64_t word = rng();
    for (std::size_t i = 0; i < 8; ++i, word >>= 8)
      id.bytes_[half * 8 + i] = static_cast<std::uint8_t>(word);
  }
  id.bytes_[6] = static_cast<std::uint8_t>((id.bytes_[6] & 0x0Fu) | 0x40u);  // version 4
  id.bytes_[8] = static_cast<std::uint8_t>((id.bytes_[8] & 0x3Fu) | 0x80u);  // variant
  return id;
}

std::optional<Uuid> Uuid::parse(std::string_view text) noexcept {
  if (text.size() == kUrn.size() + 36 && text.starts_with(kUrn)) {
    text.remove_prefix(kUrn.size());
  } else if (text.size() == 38 && text.front() == '{' && text.back() == '}') {
    text = text.substr(1, 36);
  }
  const bool hyphens = text.size() == 36;
  if (!hyphens && text.size() != 32) return std::nullopt;

  Uuid id;
  std::size_t at = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    if (hyphens && hyphen_before(i) && text[at++] != '-') return std::nullopt;
    const int high = hex_value(text[at]);
    const int low = hex_value(text[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.bytes_[i] = static_cast<std::uint8_t>(high << 4 | low);
    at += 2;
  }
  return id;
}

std::string Uuid::to_string() const {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < 16; ++i) {
    if (hyphen_before(i)) text.push_back('-');
    text.push_back(kDigits[bytes_[i] >> 4]);
    text.push_back(kDigits[bytes_[i] & 15]);
  }
  return text;
}

}  // namespace dynamo::base
