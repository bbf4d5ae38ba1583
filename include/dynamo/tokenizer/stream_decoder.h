// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/tokenizer/fwd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::tokenizer {

/// Turns a stream of token ids into text, one id at a time.
///
/// Emits what `decode(all ids so far)` adds, but never half a character: text that ends in U+FFFD
/// waits for the next id. Constant time per id and bounded memory, whatever the length of the
/// stream. A value type, one user at a time.
/// Source: spec tokenizer-template A14 (the two-decode rule of vLLM, TGI and the reference).
class StreamDecoder {
 public:
  /// `prompt_tail` is the prompt or its last ids: at most the last 5 are looked at, because some
  /// decoders treat the first token of a text differently.
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer,
                         std::span<const TokenId> prompt_tail = {}, bool skip_special = true);
  ~StreamDecoder();
  StreamDecoder(StreamDecoder&&) noexcept;
  StreamDecoder& operator=(StreamDecoder&&) noexcept;

  /// The text that `id` completes; empty when there is none yet. Valid until the next call.
  std::string_view step(TokenId id);

  /// The end of the stream: what was withheld, incomplete bytes as U+FFFD. Valid until the next
  /// call; the decoder starts again as after an empty prompt.
  std::string_view finish();

 private:
  std::string_view step_bytes(TokenId id);
  std::string_view step_window(TokenId id);
  std::string_view release_window();

  std::shared_ptr<const Tokenizer> tokenizer_;
  bool skip_special_ = true;
  bool byte_level_ = false;
  /// Text withheld (byte-level decoders), or the text last returned.
  std::string pending_;
  std::string emitted_;
  /// Other decoders: ids since the one before the last emission, as in the two-decode rule.
  std::vector<TokenId> window_;
  std::size_t read_ = 0;        ///< ids of the window whose text was returned
  std::size_t read_bytes_ = 0;  ///< length of decode(window_[0, read_))
};

}  // namespace dynamo::tokenizer
