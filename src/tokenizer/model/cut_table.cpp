// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/model/cut_table.h"

#include <algorithm>
#include <bit>

namespace dynamo::tokenizer::detail {
namespace {

/// Length of the well-formed character at the start of `bytes`, or 0. Overlong and surrogate forms
/// need no care: text never contains them.
std::size_t whole_character(std::string_view bytes) noexcept {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  if (lead >= 0x80 && lead < 0xC2) return 0;
  if (lead > 0xF4) return 0;
  const std::size_t length = unicode::utf8_length(lead);
  if (length > bytes.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (!unicode::is_continuation(bytes[i])) return 0;
  }
  return length;
}

}  // namespace

CutTable::CutTable(std::size_t tokens)
    : halves_(65'536 / 64),
      ascii_(128 * 128 / 64),
      pairs_(std::bit_ceil(std::max<std::size_t>(tokens * 8, 4096)) / 64),
      pair_mask_(pairs_.size() * 64 - 1) {}

void CutTable::add(std::string_view token) {
  if (token.empty()) return;
  // `before` is the whole character that ends at `at`, when there is one.
  bool have_before = false;
  char32_t before = 0;
  std::size_t at = 0;
  while (at < token.size()) {
    const std::size_t length = whole_character(token.substr(at));
    if (at > 0 && !unicode::is_continuation(token[at])) {
      const auto left = static_cast<unsigned char>(token[at - 1]);
      const auto right = static_cast<unsigned char>(token[at]);
      if (length == 0 || !have_before) {
        set(halves_, std::size_t{left} << 8 | right);
      } else if (left < 0x80 && right < 0x80) {
        set(ascii_, std::size_t{left} << 7 | right);
      } else {
        set(pairs_, bit_of(before, unicode::scalar_at(token, at).value));
      }
    }
    have_before = length != 0;
    if (have_before) before = unicode::scalar_at(token, at).value;
    at += std::max<std::size_t>(length, 1);
  }
}

}  // namespace dynamo::tokenizer::detail
