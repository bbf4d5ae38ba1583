// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/utf8.h>

#include <cstring>

namespace dynamo::base {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr std::string_view kReplacementBytes = "\xEF\xBF\xBD";

// What a lead byte allows: length of the sequence and range of the second byte (table 3-7).
struct Lead {
  std::uint8_t length;
  std::uint8_t second_min;
  std::uint8_t second_max;
};

constexpr Lead lead(unsigned char byte) noexcept {
  if (byte >= 0xC2 && byte <= 0xDF) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

constexpr unsigned char at(std::string_view text, std::size_t i) noexcept {
  return static_cast<unsigned char>(text[i]);
}

// A sequence as far as it matches: `length` bytes matched, `needed` in all (0: not a lead byte).
struct Match {
  std::uint8_t length;
  std::uint8_t needed;
};

Match match(std::string_view text) noexcept {
  const Lead form = lead(at(text, 0));
  if (form.length == 0) return {1, 0};
  if (text.size() < 2 || at(text, 1) < form.second_min || at(text, 1) > form.second_max)
    return {1, form.length};
  std::uint8_t n = 2;
  while (n < form.length && n < text.size() && (at(text, n) & 0xC0u) == 0x80u) ++n;
  return {n, form.length};
}

std::size_t ascii_prefix(std::string_view text) noexcept {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    if ((word & 0x8080808080808080u) != 0) break;
  }
  while (i < text.size() && at(text, i) < 0x80) ++i;
  return i;
}

}  // namespace

Utf8Char decode_utf8(std::string_view text) noexcept {
  const unsigned char first = at(text, 0);
  if (first < 0x80) return {first, 1, true};
  const Match found = match(text);
  if (found.length != found.needed) return {kReplacement, found.length, false};
  // The lead byte of an n-byte sequence carries 7 - n bits of the scalar.
  char32_t scalar = first & (0x7Fu >> found.needed);
  for (std::uint8_t i = 1; i < found.needed; ++i) scalar = (scalar << 6) | (at(text, i) & 0x3Fu);
  return {scalar, found.needed, true};
}

std::size_t valid_utf8_prefix(std::string_view text) noexcept {
  std::size_t i = 0;
  while (i < text.size()) {
    i += ascii_prefix(text.substr(i));
    if (i == text.size()) break;
    const Match found = match(text.substr(i));
    if (found.length != found.needed) break;
    i += found.length;
  }
  return i;
}

bool is_valid_utf8(std::string_view text) noexcept {
  return valid_utf8_prefix(text) == text.size();
}

std::size_t complete_utf8_prefix(std::string_view text) noexcept {
  // Only a lead byte among the last three can start a sequence that is not over yet.
  const std::size_t earliest = text.size() < 3 ? 0 : text.size() - 3;
  for (std::size_t i = text.size(); i > earliest; --i) {
    const std::string_view tail = text.substr(i - 1);
    if ((at(tail, 0) & 0xC0u) == 0x80u) continue;
    if (at(tail, 0) < 0x80) return text.size();
    const Match found = match(tail);
    return found.length == tail.size() && found.length < found.needed ? i - 1 : text.size();
  }
  return text.size();
}

void append_utf8(std::string& out, char32_t scalar) {
  if (scalar < 0x80) {
    out.push_back(static_cast<char>(scalar));
  } else if (scalar < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (scalar >> 6)));
    out.push_back(static_cast<char>(0x80 | (scalar & 0x3F)));
  } else if (scalar < 0x10000) {
    if (scalar >= 0xD800 && scalar <= 0xDFFF) {
      out.append(kReplacementBytes);
      return;
    }
    out.push_back(static_cast<char>(0xE0 | (scalar >> 12)));
    out.push_back(static_cast<char>(0x80 | ((scalar >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (scalar & 0x3F)));
  } else if (scalar <= 0x10FFFF) {
    out.push_back(static_cast<char>(0xF0 | (scalar >> 18)));
    out.push_back(static_cast<char>(0x80 | ((scalar >> 12) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | ((scalar >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (scalar & 0x3F)));
  } else {
    out.append(kReplacementBytes);
  }
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t good = valid_utf8_prefix(text);
    out.append(text.substr(0, good));
    text.remove_prefix(good);
    if (text.empty()) break;
    out.append(kReplacementBytes);
    text.remove_prefix(match(text).length);
  }
  return out;
}

std::size_t utf8_floor(std::string_view text, std::size_t limit) noexcept {
  if (limit >= text.size()) return text.size();
  // A cut before a continuation byte may be inside a character: look for its lead byte.
  const std::size_t earliest = limit < 3 ? 0 : limit - 3;
  if ((at(text, limit) & 0xC0u) != 0x80u) return limit;
  for (std::size_t i = limit; i > earliest; --i) {
    if ((at(text, i - 1) & 0xC0u) == 0x80u) continue;
    const Match found = match(text.substr(i - 1));
    const bool cut = found.length == found.needed && i - 1 + found.length > limit;
    return cut ? i - 1 : limit;
  }
  return limit;
}

}  // namespace dynamo::base
