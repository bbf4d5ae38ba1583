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

namespace dynamo::tokenizer::detail {

/// One step from tokens to text: rewrites the list of token texts.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual void apply(std::vector<std::string>& tokens) const = 0;
};

/// Bytes spelled in the byte-level alphabet; a token outside it stands for itself. One text
/// remains.
class ByteLevelDecoder final : public Decoder {
 public:
  void apply(std::vector<std::string>& tokens) const override;
};

/// Runs of `<0xXX>` become their text, or one U+FFFD per byte when they are not UTF-8.
class ByteFallbackDecoder final : public Decoder {
 public:
  void apply(std::vector<std::string>& tokens) const override;
};

/// All tokens joined into one.
class FuseDecoder final : public Decoder {
 public:
  void apply(std::vector<std::string>& tokens) const override;
};

/// Up to `start` characters `content` removed at the start of each token, `stop` at its end.
class StripDecoder final : public Decoder {
 public:
  StripDecoder(std::string content, std::uint32_t start, std::uint32_t stop)
      : content_(std::move(content)), start_(start), stop_(stop) {}
  void apply(std::vector<std::string>& tokens) const override;
  const std::string& content() const noexcept { return content_; }
  std::uint32_t start() const noexcept { return start_; }
  std::uint32_t stop() const noexcept { return stop_; }

 private:
  std::string content_;
  std::uint32_t start_;
  std::uint32_t stop_;
};

/// Occurrences of a string, or matches of a regular expression, replaced in each token.
class ReplaceDecoder final : public Decoder {
 public:
  ReplaceDecoder(std::string literal, std::string content)
      : literal_(std::move(literal)), content_(std::move(content)) {}
  ReplaceDecoder(regex::Regex pattern, std::string content, std::uint64_t step_limit)
      : pattern_(std::move(pattern)), content_(std::move(content)), step_limit_(step_limit) {}
  void apply(std::vector<std::string>& tokens) const override;
  const std::string* literal() const noexcept { return pattern_ ? nullptr : &literal_; }
  const std::string& content() const noexcept { return content_; }

 private:
  std::string literal_;
  std::optional<regex::Regex> pattern_;
  std::string content_;
  std::uint64_t step_limit_ = 0;
};

/// SentencePiece's space back to ' '; in the first token dropped, unless nothing is prepended.
class MetaspaceDecoder final : public Decoder {
 public:
  MetaspaceDecoder(std::string replacement, bool drop_first)
      : replacement_(std::move(replacement)), drop_first_(drop_first) {}
  void apply(std::vector<std::string>& tokens) const override;

 private:
  std::string replacement_;
  bool drop_first_;
};

/// Word pieces: the prefix glues to the token before, others get a space.
class WordPieceDecoder final : public Decoder {
 public:
  WordPieceDecoder(std::string prefix, bool cleanup)
      : prefix_(std::move(prefix)), cleanup_(cleanup) {}
  void apply(std::vector<std::string>& tokens) const override;

 private:
  std::string prefix_;
  bool cleanup_;
};

/// The end-of-word suffix becomes a space, at the end nothing.
class BpeSuffixDecoder final : public Decoder {
 public:
  explicit BpeSuffixDecoder(std::string suffix) : suffix_(std::move(suffix)) {}
  void apply(std::vector<std::string>& tokens) const override;

 private:
  std::string suffix_;
};

/// Connectionist temporal classification: repeats and padding out, delimiters to spaces.
class CtcDecoder final : public Decoder {
 public:
  CtcDecoder(std::string pad, std::string delimiter, bool cleanup)
      : pad_(std::move(pad)), delimiter_(std::move(delimiter)), cleanup_(cleanup) {}
  void apply(std::vector<std::string>& tokens) const override;

 private:
  std::string pad_;
  std::string delimiter_;
  bool cleanup_;
};

/// The byte of `<0xXX>`, or none.
std::optional<std::uint8_t> byte_of_token(std::string_view token) noexcept;

/// Appends `bytes`, each maximal ill-formed part as U+FFFD.
void append_lossy(std::string& out, std::string_view bytes);

}  // namespace dynamo::tokenizer::detail
