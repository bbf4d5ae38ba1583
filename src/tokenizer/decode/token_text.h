// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/decode/decoder.h"
#include "tokenizer/model/model.h"
#include "tokenizer/model/vocabulary.h"

namespace dynamo::tokenizer::detail {

/// The text of ids by the decoder of a file; the two usual decoders from a table of finished bytes.
class TokenText {
 public:
  enum class Mode : std::uint8_t {
    bytes,          ///< ByteLevel: tokens are bytes, joined
    sentencepiece,  ///< Replace, ByteFallback, Fuse, Strip at the start
    steps           ///< anything else, step by step
  };

  void build(const Model& model, const AddedVocabulary& added,
             std::span<const std::unique_ptr<Decoder>> decoders, bool has_decoder,
             std::size_t id_bound);

  Mode mode() const noexcept { return mode_; }
  /// The bytes an id stands for, without its neighbours.
  std::string_view bytes(TokenId id) const noexcept {
    if (id >= entries_.size()) return {};
    return std::string_view(blob_).substr(entries_[id].offset, entries_[id].length & kLengthMask);
  }

  /// Whether the id stands for whole characters that need no waiting: well-formed, not empty, and
  /// not ending with U+FFFD.
  bool is_text(TokenId id) const noexcept {
    return id < entries_.size() && (entries_[id].length & kTextFlag) != 0;
  }

  /// Appends the text; false when it ends with a U+FFFD that stands for part of a character.
  bool decode(std::span<const TokenId> ids, bool skip_special, const AddedVocabulary& added,
              const Model& model, std::string& out) const;
  std::size_t memory_bytes() const noexcept {
    return blob_.capacity() + entries_.capacity() * sizeof(Entry);
  }

 private:
  static constexpr std::uint32_t kByteFlag = 1U << 31;  ///< a byte of a run: `<0xXX>`
  static constexpr std::uint32_t kTextFlag = 1U << 30;  ///< see is_text()
  static constexpr std::uint32_t kLengthMask = kTextFlag - 1;
  struct Entry {
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
  };
  bool decode_bytes(std::span<const TokenId> ids, bool skip_special, const AddedVocabulary& added,
                    std::string& out) const;
  bool decode_sentencepiece(std::span<const TokenId> ids, bool skip_special,
                            const AddedVocabulary& added, std::string& out) const;
  bool decode_steps(std::span<const TokenId> ids, bool skip_special, const AddedVocabulary& added,
                    const Model& model, std::string& out) const;
  bool recognise_sentencepiece(std::span<const std::unique_ptr<Decoder>> decoders);

  Mode mode_ = Mode::steps;
  std::string blob_;
  std::vector<Entry> entries_;
  std::span<const std::unique_ptr<Decoder>> decoders_;
  bool has_decoder_ = false;
  // sentencepiece
  std::string replaced_;
  std::string replacement_;
  std::string strip_;
  std::uint32_t strip_start_ = 0;
};

}  // namespace dynamo::tokenizer::detail
