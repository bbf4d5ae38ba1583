// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/regex/regex.h"
#include "tokenizer/unicode/normalization.h"

namespace dynamo::tokenizer::detail {

/// Rewrites text before it is cut into pieces.
class Normalizer {
 public:
  virtual ~Normalizer() = default;

  /// Appends the rewritten `text` to `out`. `at_origin` says whether the first byte stems from the
  /// start of the input, and becomes false when that was removed.
  /// Errors: invalid_argument when a regular expression runs out of steps.
  virtual Result<void> apply(std::string_view text, std::string& out, bool& at_origin) const = 0;

  /// True when apply() would append `text` as it is; may be false although it would.
  virtual bool keeps(std::string_view) const { return false; }
  /// True when it keeps all ASCII text.
  virtual bool keeps_ascii() const noexcept { return false; }
};

/// Steps one after the other.
class NormalizerSequence final : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<std::unique_ptr<Normalizer>> steps)
      : steps_(std::move(steps)) {}
  Result<void> apply(std::string_view text, std::string& out, bool& at_origin) const override;
  bool keeps(std::string_view text) const override;
  bool keeps_ascii() const noexcept override;

 private:
  std::vector<std::unique_ptr<Normalizer>> steps_;
};

/// NFC, NFD, NFKC or NFKD.
class FormNormalizer final : public Normalizer {
 public:
  explicit FormNormalizer(unicode::NormalizationForm form) : form_(form) {}
  Result<void> apply(std::string_view text, std::string& out, bool& at_origin) const override;
  bool keeps(std::string_view text) const override;
  bool keeps_ascii() const noexcept override { return true; }

 private:
  unicode::NormalizationForm form_;
};

/// A character at a time: `map` appends what becomes of it (nothing to drop it).
class CharacterNormalizer final : public Normalizer {
 public:
  using Map = void (*)(char32_t c, std::string_view bytes, std::string& out);
  explicit CharacterNormalizer(Map map) : map_(map) {}
  Result<void> apply(std::string_view text, std::string& out, bool& at_origin) const override;

 private:
  Map map_;
};

void map_to_lower(char32_t c, std::string_view bytes, std::string& out);
void map_without_accents(char32_t c, std::string_view bytes, std::string& out);
/// The character cleaning of the Neural Machine Translation tool kit.
void map_nmt(char32_t c, std::string_view bytes, std::string& out);
void map_to_byte_alphabet(char32_t c, std::string_view bytes, std::string& out);

/// White space removed at the ends.
class StripNormalizer final : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}
  Result<void> apply(std::string_view text, std::string& out, bool& at_origin) const override;

 private:
  bool left_;
  bool right_;
};

/// Every occurrence of a string or match of a regular expression replaced.
class ReplaceNormalizer final : public Normalizer {
 public:
  ReplaceNormalizer(std::string literal, std::string content)
      : literal_(std::move(literal)), content_(std::move(content)) {}
  ReplaceNormalizer(regex::Regex pattern, std::string content, std::uint64_t step_limit)
      : pattern_(std::move(pattern)), content_(std::move(content)), step_limit_(step_limit) {}
  Result<void> apply(std::string_view text, std::string& out, bool& at_origin) const override;
  bool keeps(std::string_view text) const override;

 private:
  std::string literal_;
  std::optional<regex::Regex> pattern_;
  std::string content_;
  std::uint64_t step_limit_ = 0;
};

/// Text put before every non-empty piece.
class PrependNormalizer final : public Normalizer {
 public:
  explicit PrependNormalizer(std::string prefix) : prefix_(std::move(prefix)) {}
  Result<void> apply(std::string_view text, std::string& out, bool& at_origin) const override;

 private:
  std::string prefix_;
};

/// BERT's cleaning.
class BertNormalizer final : public Normalizer {
 public:
  struct Options {
    bool clean_text = true;
    bool handle_chinese_chars = true;
    bool strip_accents = true;
    bool lowercase = true;
  };
  explicit BertNormalizer(Options options) : options_(options) {}
  Result<void> apply(std::string_view text, std::string& out, bool& at_origin) const override;

 private:
  Options options_;
};

/// SentencePiece's compiled character map: a double-array trie and a blob of replacements.
class PrecompiledNormalizer final : public Normalizer {
 public:
  /// `charsmap` as in the file, decoded from base64. Errors: invalid_argument when it is damaged.
  static Result<std::unique_ptr<PrecompiledNormalizer>> make(std::string_view charsmap);
  Result<void> apply(std::string_view text, std::string& out, bool& at_origin) const override;

 private:
  PrecompiledNormalizer() = default;
  std::optional<std::string_view> replacement(std::string_view chunk) const;
  std::vector<std::uint32_t> trie_;
  std::string blob_;
};

}  // namespace dynamo::tokenizer::detail
