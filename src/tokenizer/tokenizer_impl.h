// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/tokenizer/tokenizer.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/decode/token_text.h"
#include "tokenizer/load/components.h"
#include "tokenizer/split/pieces.h"

namespace dynamo::tokenizer {

struct Tokenizer::Impl {
  /// Memory of one call.
  struct Scratch {
    detail::ModelScratch model;
    detail::Pieces pieces;
    std::string normalized;
    bool ascii = false;  ///< whether the text being encoded is
  };
  /// A Scratch taken from the pool for the time of a call.
  class Lease {
   public:
    explicit Lease(const Impl& impl) : impl_(impl), scratch_(impl.take_scratch()) {}
    ~Lease() { impl_.return_scratch(std::move(scratch_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Scratch& operator*() const noexcept { return *scratch_; }

   private:
    const Impl& impl_;
    std::unique_ptr<Scratch> scratch_;
  };

  static Result<std::unique_ptr<Impl>> make(detail::Parts parts);

  std::unique_ptr<Scratch> take_scratch() const;
  void return_scratch(std::unique_ptr<Scratch> scratch) const;

  /// Appends to scratch.model.ids the ids of one text, without affixes.
  Result<void> encode(std::string_view text, bool allow_special, Scratch& scratch) const;
  Result<void> encode_part(std::string_view text, bool allow_special, Scratch& scratch) const;
  Result<void> encode_unmatched(std::string_view text, bool at_origin, bool allow_special,
                                Scratch& scratch) const;
  Result<void> encode_normalized(std::string_view text, bool at_origin, Scratch& scratch) const;

  bool decode(std::span<const TokenId> ids, bool skip_special, std::string& out) const;

  detail::Parts parts;
  detail::TokenText text;
  std::size_t id_bound = 0;
  bool splits_at_special = false;

  mutable std::mutex pool_mutex;
  mutable std::vector<std::unique_ptr<Scratch>> pool;
};

}  // namespace dynamo::tokenizer
