// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/tokenizer/fwd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/model/id_buffer.h"
#include "tokenizer/model/piece_cache.h"

namespace dynamo::tokenizer::detail {

/// Part of a text, in bytes.
struct Range {
  std::uint32_t begin;
  std::uint32_t end;
};

/// Memory of one encode call at a time, reused by later calls.
struct ModelScratch {
  /// Made at the first use: 2 MiB that models without merges never need.
  PieceCache& cache() {
    if (known_pieces == nullptr) known_pieces = std::make_unique<PieceCache>();
    return *known_pieces;
  }
  std::unique_ptr<PieceCache> known_pieces;
  IdBuffer ids;
  std::vector<std::uint32_t> symbols;
  std::vector<std::uint32_t> ranks;
  std::vector<std::uint32_t> links;
  std::vector<std::uint64_t> heap;
  std::string word;
  struct PathNode {
    double score;
    TokenId id;
    std::uint32_t start;
  };
  std::vector<PathNode> path;
  std::vector<std::uint32_t> cuts;
};

/// The last stage of encoding: the ids of one piece of text.
class Model {
 public:
  virtual ~Model() = default;

  /// Appends to `scratch.ids` the ids of non-empty pieces of `text`.
  /// Errors: invalid_argument when the model has no id for a piece.
  virtual Result<void> encode(std::string_view text, std::span<const Range> pieces,
                              ModelScratch& scratch) const = 0;

  /// The id of a token as the file spells it.
  virtual TokenId find(std::string_view token) const = 0;
  /// The token as the file spells it; empty when there is none.
  virtual std::string spelling(TokenId id) const = 0;
  /// Appends the bytes of a byte-level token; false when the model has only its spelling.
  virtual bool append_bytes(TokenId, std::string&) const { return false; }
  virtual bool contains(TokenId id) const noexcept = 0;
  /// Number of different tokens; ids of new added tokens begin here.
  virtual std::size_t count() const noexcept = 0;
  /// One more than the largest id.
  virtual std::size_t id_bound() const noexcept = 0;
  virtual std::size_t memory_bytes() const noexcept = 0;
};

}  // namespace dynamo::tokenizer::detail
