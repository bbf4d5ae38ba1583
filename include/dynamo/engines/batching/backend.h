// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/llm/protocols/preprocessed_request.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::engines::batching {

using llm::TokenId;

/// A slot of the model's sequence memory: the cells of one token history. Small numbers from 0.
enum class SequenceId : std::int32_t {};

/// One token of a decode step.
struct BatchToken {
  TokenId token = 0;
  std::uint32_t position = 0;  ///< in its sequence; consecutive
  SequenceId sequence{};
  bool wants_logits = false;
};

enum class DecodeStatus : std::uint8_t {
  ok,
  no_room,  ///< no free cells; the memory is as before the call
  aborted,  ///< request_abort(); a part of the step may be in memory, so truncate
  failed,   ///< the context is lost; reset() before anything else
};

/// Constraints on what may come next, for one choice of one request. Used by the engine thread
/// only.
class Grammar {
 public:
  virtual ~Grammar() = default;
  /// Errors of all members: Errc::invalid_argument when the grammar costs more than it may;
  /// Errc::internal. The choice is then over.
  virtual Result<bool> allows(TokenId token) = 0;
  /// Sets the logits of tokens that may not come next to minus infinity.
  virtual Result<void> mask(std::span<float> logits) = 0;
  /// Moves on by a token that allows() permits.
  virtual Result<void> accept(TokenId token) = 0;
};

/// What the engine has to know about a loaded model and its context.
struct ModelFacts {
  std::string name;
  std::uint32_t vocabulary_tokens = 0;
  std::uint32_t context_length = 0;  ///< most tokens of one sequence, prompt and answer
  std::uint32_t cells = 0;           ///< KV cells of all sequences together
  std::uint32_t sequences = 0;       ///< ids 0 … sequences-1 are valid
  std::uint32_t batch_tokens = 0;    ///< most tokens of one decode()
  std::vector<TokenId> end_tokens;   ///< of generation, as the model says
  /// Ranges of a sequence can be shared and cut. False for recurrent models: no prefix reuse.
  bool can_share_prefixes = true;
};

/// A model with sequence memory, such as llama.cpp: the narrow waist between what this library
/// decides and what a model library does.
///
/// Sequences share cells: a cell lives as long as one sequence holds it, and occupies memory once.
/// Thread safety: one thread, except make_grammar() and request_abort().
class Backend {
 public:
  virtual ~Backend() = default;
  virtual const ModelFacts& facts() const noexcept = 0;

  /// Computes the batch (at most facts().batch_tokens, not empty).
  virtual DecodeStatus decode(std::span<const BatchToken> batch) = 0;
  /// Scores of the whole vocabulary after batch element `index` of the last decode(), which had
  /// wants_logits; valid until the next decode().
  virtual std::span<const float> logits(std::size_t index) = 0;

  /// Makes `to` hold the cells of `from` at positions [begin, end) instead of any of its own.
  virtual void share(SequenceId from, SequenceId to, std::uint32_t begin, std::uint32_t end) = 0;
  /// Drops the positions from `begin` on. False when the model cannot cut there; cutting at 0
  /// always works.
  virtual bool truncate(SequenceId sequence, std::uint32_t begin) = 0;
  /// Empties the memory and makes the context usable again after DecodeStatus::failed.
  virtual Result<void> reset() = 0;

  /// Makes a decode() that is running return `aborted` soon, and later ones at once. Any thread.
  virtual void request_abort() noexcept = 0;

  /// Compiles a grammar in GBNF with start rule `root`. Any thread.
  /// Errors: Errc::invalid_argument when it does not parse; Errc::unimplemented.
  virtual Result<std::unique_ptr<Grammar>> make_grammar(std::string_view gbnf) const = 0;
};

}  // namespace dynamo::engines::batching
