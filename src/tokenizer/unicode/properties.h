// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

/// Character properties as the parts of Hugging Face `tokenizers` see them; which part uses which
/// Unicode version is told in tools/unicode/generate_tables.py.
namespace dynamo::tokenizer::unicode {

enum class Category : std::uint8_t {
  Cn,
  Lu,
  Ll,
  Lt,
  Lm,
  Lo,
  Mn,
  Mc,
  Me,
  Nd,
  Nl,
  No,
  Pc,
  Pd,
  Ps,
  Pe,
  Pi,
  Pf,
  Po,
  Sm,
  Sc,
  Sk,
  So,
  Zs,
  Zl,
  Zp,
  Cc,
  Cf,
  Co,
  Cs
};
inline constexpr int kCategoryCount = 30;

/// A set of categories, one bit each.
using CategoryMask = std::uint32_t;
constexpr CategoryMask mask(Category c) noexcept {
  return CategoryMask{1} << static_cast<int>(c);
}
template <class... More>
constexpr CategoryMask mask(Category c, More... more) noexcept {
  return mask(c) | mask(more...);
}
inline constexpr CategoryMask kLetter =
    mask(Category::Lu, Category::Ll, Category::Lt, Category::Lm, Category::Lo);
inline constexpr CategoryMask kMark = mask(Category::Mn, Category::Mc, Category::Me);
inline constexpr CategoryMask kNumber = mask(Category::Nd, Category::Nl, Category::No);
inline constexpr CategoryMask kPunctuation =
    mask(Category::Pc, Category::Pd, Category::Ps, Category::Pe, Category::Pi, Category::Pf,
         Category::Po);
inline constexpr CategoryMask kSymbol =
    mask(Category::Sm, Category::Sc, Category::Sk, Category::So);
inline constexpr CategoryMask kSeparator = mask(Category::Zs, Category::Zl, Category::Zp);
inline constexpr CategoryMask kOther =
    mask(Category::Cn, Category::Cc, Category::Cf, Category::Co, Category::Cs);

enum class Flag : std::uint16_t {
  white_space = 1 << 0,   ///< White_Space
  word = 1 << 1,          ///< `\w` of Rust's regex crate
  punctuation = 1 << 2,   ///< of the Bert and Punctuation pre-tokenizers
  bert_removed = 1 << 3,  ///< dropped by BertNormalizer.clean_text
  bert_mark = 1 << 4,     ///< dropped by BertNormalizer.strip_accents after NFD
  accent = 1 << 5,        ///< dropped by StripAccents
  numeric = 1 << 6,       ///< of the Digits pre-tokenizer
  combining = 1 << 7,     ///< combining class is not 0
  nfd_changes = 1 << 8,
  nfkd_changes = 1 << 9,
  nfc_unsafe = 1 << 10,  ///< changes under NFC, or may compose with what is before it
  nfkc_unsafe = 1 << 11,
  extends_cluster = 1 << 12,  ///< joins the grapheme cluster before it
  prepends = 1 << 13,         ///< joins the grapheme cluster after it
  alphabetic = 1 << 14,
  no_script = 1 << 15,  ///< belongs to any run for the UnicodeScripts pre-tokenizer
};

/// Two-level table from code point to a small value.
class CodePointTable {
 public:
  static constexpr int kBlockBits = 8;
  std::uint8_t operator[](char32_t c) const noexcept {
    return c < 0x110000
               ? values_[(std::size_t{blocks_[c >> kBlockBits]} << kBlockBits) | (c & 0xFF)]
               : 0;
  }

 private:
  friend struct Tables;
  std::array<std::uint16_t, (0x110000 >> kBlockBits)> blocks_{};
  std::vector<std::uint8_t> values_;
};

/// The expanded tables; built once at first use (about 0.3 ms), about 150 KB.
struct Tables {
  Tables();
  CodePointTable properties;
  CodePointTable scripts;
  std::array<std::uint32_t, 256> category_bit{};  ///< of a property record
  std::array<std::uint16_t, 256> flags{};         ///< of a property record
};
const Tables& tables() noexcept;

inline CategoryMask category_bit(char32_t c) noexcept {
  const Tables& t = tables();
  return t.category_bit[t.properties[c]];
}
inline bool has_category(char32_t c, CategoryMask set) noexcept {
  return (category_bit(c) & set) != 0;
}
inline std::uint16_t flags(char32_t c) noexcept {
  const Tables& t = tables();
  return t.flags[t.properties[c]];
}
inline bool has(char32_t c, Flag flag) noexcept {
  return (flags(c) & static_cast<std::uint16_t>(flag)) != 0;
}
inline bool is_white_space(char32_t c) noexcept {
  return has(c, Flag::white_space);
}

/// Script number, 0 for unknown.
inline std::uint8_t script(char32_t c) noexcept {
  return tables().scripts[c];
}
/// The number of a script by its long name, compared without case, spaces, '-' and '_'.
std::optional<std::uint8_t> script_by_name(std::string_view name) noexcept;

/// Lower case of Rust's char::to_lowercase; U+0130 becomes two characters, which is up to the
/// caller.
char32_t to_lower(char32_t c) noexcept;
/// Simple case folding as Oniguruma applies it.
char32_t fold_case(char32_t c) noexcept;
/// All (character, folded) pairs that differ, sorted by character.
std::span<const std::pair<char32_t, char32_t>> case_folds() noexcept;

}  // namespace dynamo::tokenizer::unicode
