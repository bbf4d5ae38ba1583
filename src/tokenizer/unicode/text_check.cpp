// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/unicode/text_check.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <simdjson.h>

namespace dynamo::tokenizer::unicode {

bool is_ascii(std::string_view text) noexcept {
  const char* p = text.data();
  std::size_t left = text.size();
  // Blocks that the compiler turns into vectors, with an early way out between them.
  while (left >= 256) {
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < 256; i += 8) {
      std::uint64_t word;
      std::memcpy(&word, p + i, 8);
      seen |= word;
    }
    if ((seen & 0x8080808080808080U) != 0) return false;
    p += 256;
    left -= 256;
  }
  unsigned char seen = 0;
  for (std::size_t i = 0; i < left; ++i)
    seen = static_cast<unsigned char>(seen | static_cast<unsigned char>(p[i]));
  return seen < 0x80;
}

bool is_utf8(std::string_view text) noexcept {
  return simdjson::validate_utf8(text.data(), text.size());
}

}  // namespace dynamo::tokenizer::unicode
