// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/model/byte_alphabet.h"

#include <dynamo/base/utf8.h>

namespace dynamo::tokenizer::detail {

bool bytes_from_alphabet(std::string_view token, std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + token.size());
  char* to = out.data() + before;
  const char* p = token.data();
  const char* const end = p + token.size();
  bool ok = true;
  while (p != end) {
    const auto lead = static_cast<unsigned char>(*p++);
    if (lead > 0x20 && lead < 0x7F) [[likely]] {
      *to++ = static_cast<char>(lead);
      continue;
    }
    // The alphabet's characters above ASCII all have two bytes (U+00A1 to U+0143).
    ok = lead >= 0xC2 && lead <= 0xC5 && p != end;
    if (!ok) break;
    const unsigned c = ((lead & 0x1FU) << 6) | (static_cast<unsigned char>(*p++) & 0x3FU);
    ok = c < kCharToByte.size() && kCharToByte[c] >= 0;
    if (!ok) break;
    *to++ = static_cast<char>(kCharToByte[c]);
  }
  out.resize(ok ? static_cast<std::size_t>(to - out.data()) : before);
  return ok;
}

void bytes_to_alphabet(std::string_view bytes, std::string& out) {
  for (const char b : bytes) base::append_utf8(out, kByteToChar[static_cast<unsigned char>(b)]);
}

}  // namespace dynamo::tokenizer::detail
