// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/tokenizer/fwd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::tokenizer {

struct LoadOptions {
  /// Also know the special tokens that only `tokenizer_config.json` beside the file declares
  /// (`added_tokens_decoder` entries with `special: true`).
  bool merge_config_specials = true;
  /// Steps that one search of a regular expression from the file may take before encoding fails
  /// with Errc::invalid_argument. A step is about 5 ns.
  std::uint64_t regex_step_limit = 50'000'000;
};

struct EncodeOptions {
  /// Run the file's post-processor (BOS, EOS, [CLS] …). A chat template writes these itself.
  bool add_special_tokens = false;
  /// Recognise special tokens in the text. False keeps user text from forging control tokens.
  bool allow_special = true;
};

/// Part of a prompt; special tokens are recognised in it only when `allow_special`.
struct Segment {
  std::string_view text;
  bool allow_special = true;
};

/// A token that is matched in text before the model sees it.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool special = false;
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
  bool normalized = false;
};

/// Text to token ids and back, exactly as Hugging Face `tokenizers` does it.
///
/// Immutable after loading. Thread safety: every const member may be called from any number of
/// threads; scratch memory is pooled inside and bounded by the number of concurrent calls.
/// Padding and truncation blocks of the file are ignored. Encoding costs about 10 ns per token;
/// what is estimated above 100 us belongs on the compute pool.
/// Source: Hugging Face tokenizers 0.23 (behaviour), Unicode 16.
class Tokenizer {
 public:
  /// Loads by what the path is: a folder (`tokenizer.json`, else the one `*.tiktoken` or
  /// `tiktoken.model`, else the one `*.gguf`), or a file ending in `.json`, `.tiktoken`, `.model`
  /// (tiktoken; needs `config.json` beside it) or `.gguf`.
  /// Errors: not_found and permission_denied naming the path; invalid_argument naming the line and
  /// column of broken JSON, or the component and its type when it is unknown or inconsistent;
  /// unimplemented for another file ending.
  static Result<std::shared_ptr<const Tokenizer>> load(const std::filesystem::path& path,
                                                       const LoadOptions& options = {});

  /// From the text of a tokenizer.json; `config_json` is the text of tokenizer_config.json or
  /// empty.
  static Result<std::shared_ptr<const Tokenizer>> from_json_text(std::string_view json,
                                                                 const LoadOptions& options = {},
                                                                 std::string_view config_json = {});

  /// From the text of a tiktoken file, the `model_type` of config.json, and the text of
  /// tokenizer_config.json or empty.
  static Result<std::shared_ptr<const Tokenizer>> from_tiktoken_text(
      std::string_view ranks, std::string_view model_type, const LoadOptions& options = {},
      std::string_view config_json = {});

  /// From `tokenizer.ggml.*` of a GGUF file: models `gpt2` (byte-level BPE) and `llama` (SPM).
  static Result<std::shared_ptr<const Tokenizer>> from_gguf(const GgufMetadata& metadata,
                                                            const LoadOptions& options = {});

  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  /// Appends the ids of `text` to `out`; on failure `out` is as before.
  /// Errors: invalid_argument when the text is not UTF-8, when a regular expression of the file
  /// needs more than its steps, or when a model without an unknown token meets an unknown word.
  Result<void> encode(std::string_view text, std::vector<TokenId>& out,
                      const EncodeOptions& options = {}) const;
  Result<std::vector<TokenId>> encode(std::string_view text,
                                      const EncodeOptions& options = {}) const;

  /// Appends the ids of all segments; each is encoded on its own, so that no token spans a border
  /// and none is forged where `allow_special` is false. `options.allow_special` is not used.
  Result<void> encode_segments(std::span<const Segment> segments, std::vector<TokenId>& out,
                               const EncodeOptions& options = {}) const;

  /// Appends the text of `ids` to `out`, always well-formed UTF-8; unknown ids are skipped.
  /// False when the text may still change with further ids, because it ends inside a character.
  bool decode(std::span<const TokenId> ids, bool skip_special, std::string& out) const;
  std::string decode(std::span<const TokenId> ids, bool skip_special = true) const;

  /// Number of ids, added tokens included; every id is below it.
  std::size_t vocab_size() const noexcept;
  /// The id of a token spelled as in the file ("Ġthe", "<|im_end|>"), added tokens first.
  std::optional<TokenId> id_of(std::string_view token) const noexcept;
  /// The token as it is spelled in the file; empty for an unknown id.
  std::string token(TokenId id) const;
  /// The bytes that the token stands for, possibly part of a character, without the decoder's
  /// treatment of its neighbours; empty for an unknown id. Lives as long as this.
  std::string_view token_bytes(TokenId id) const noexcept;
  bool is_special(TokenId id) const noexcept;

  /// All added tokens in order of their ids.
  std::span<const AddedToken> added_tokens() const noexcept;
  /// The special ids that the post-processor puts around one sequence, as {before, after}.
  struct Affixes {
    std::vector<TokenId> before;
    std::vector<TokenId> after;
  };
  const Affixes& affixes() const noexcept;

  /// Ids the file itself names as begin, end, unknown or padding (GGUF; none in tokenizer.json).
  struct NamedIds {
    std::optional<TokenId> bos;
    std::optional<TokenId> eos;
    std::optional<TokenId> eot;
    std::optional<TokenId> unk;
    std::optional<TokenId> pad;
    bool add_bos = false;
    bool add_eos = false;
  };
  const NamedIds& named_ids() const noexcept;

  /// Whether encode(prefix) + encode(suffix) == encode(prefix + suffix) wherever the prefix ends
  /// with a special token; a PrefixCache refuses to work otherwise.
  bool splits_at_special_tokens() const noexcept;

  /// Bytes of memory held by the tables, scratch not counted.
  std::size_t memory_bytes() const noexcept;

 private:
  friend class StreamDecoder;
  friend class PrefixCache;
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::tokenizer
