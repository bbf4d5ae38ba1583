// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/model/byte_alphabet.h"

#include <dynamo/base/utf8.h>

namespace dynamo::tokenizer::detail {

bool bytes_from_alphabet(std::string_view token, std::string& out) {
  const std::size_t before = out.size();
  for (std::size_t i = 0; i < token.size(); ++i) {
    const auto lead = static_cast<unsigned char>(token[i]);
    unsigned c = lead;
    if (lead >= 0x80) {
      // The alphabet's characters above ASCII all have two bytes (U+00A1 to U+0143).
      if (lead < 0xC2 || lead > 0xC5 || i + 1 == token.size()) {
        out.resize(before);
        return false;
      }
      ++i;
      c = ((lead & 0x1FU) << 6) | (static_cast<unsigned char>(token[i]) & 0x3FU);
    }
    if (c >= kCharToByte.size() || kCharToByte[c] < 0) {
      out.resize(before);
      return false;
    }
    out += static_cast<char>(kCharToByte[c]);
  }
  return true;
}

void bytes_to_alphabet(std::string_view bytes, std::string& out) {
  for (const char b : bytes) base::append_utf8(out, kByteToChar[static_cast<unsigned char>(b)]);
}

}  // namespace dynamo::tokenizer::detail
