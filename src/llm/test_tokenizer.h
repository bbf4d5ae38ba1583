// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/assert.h>
#include <dynamo/base/json.h>
#include <dynamo/base/utf8.h>
#include <dynamo/llm/model_card.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// For tests: a byte-level tokenizer that needs no file. Token n < 256 is the byte n, so that a
/// test can spell any text, and cut it anywhere, as tokens.
namespace dynamo::llm::test {

inline constexpr TokenId kEndOfText = 258;  ///< "<|end|>", special
inline constexpr TokenId kEndOfTurn = 259;  ///< "<|turn|>", special
inline constexpr TokenId kHello = 9707;     ///< "Hello", as in Qwen3
inline constexpr TokenId kWorld = 1879;     ///< " world", as in Qwen3

// GPT-2's printable stand-in for a byte.
inline char32_t stand_in(int byte) {
  const auto printable = [](int b) {
    return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
  };
  if (printable(byte)) return static_cast<char32_t>(byte);
  char32_t next = 256;
  for (int b = 0; b < byte; ++b) {
    if (!printable(b)) ++next;
  }
  return next;
}

inline std::string spelled(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) base::append_utf8(out, stand_in(static_cast<unsigned char>(c)));
  return out;
}

inline std::string tokenizer_json() {
  JsonObject vocab;
  for (int byte = 0; byte < 256; ++byte) {
    vocab.set(spelled(std::string(1, static_cast<char>(byte))), Json(byte));
  }
  vocab.set(spelled("Hello"), Json(kHello));
  vocab.set(spelled(" world"), Json(kWorld));
  const auto added = [](TokenId id, std::string_view content) {
    return Json::object({{"id", Json(id)},
                         {"content", Json(content)},
                         {"single_word", Json(false)},
                         {"lstrip", Json(false)},
                         {"rstrip", Json(false)},
                         {"normalized", Json(false)},
                         {"special", Json(true)}});
  };
  const Json byte_level = Json::object({{"type", Json("ByteLevel")},
                                        {"add_prefix_space", Json(false)},
                                        {"trim_offsets", Json(true)},
                                        {"use_regex", Json(true)}});
  return Json::object({{"version", Json("1.0")},
                       {"truncation", Json()},
                       {"padding", Json()},
                       {"added_tokens", Json(Json::Array{added(kEndOfText, "<|end|>"),
                                                         added(kEndOfTurn, "<|turn|>")})},
                       {"normalizer", Json()},
                       {"pre_tokenizer", byte_level},
                       {"post_processor", Json()},
                       {"decoder", byte_level},
                       {"model", Json::object({{"type", Json("BPE")},
                                               {"dropout", Json()},
                                               {"unk_token", Json()},
                                               {"continuing_subword_prefix", Json("")},
                                               {"end_of_word_suffix", Json("")},
                                               {"fuse_unk", Json(false)},
                                               {"byte_fallback", Json(false)},
                                               {"vocab", Json(std::move(vocab))},
                                               {"merges", Json::array()}})}})
      .dump();
}

inline std::shared_ptr<const tokenizer::Tokenizer> byte_tokenizer() {
  static const auto shared = [] {
    auto loaded = tokenizer::Tokenizer::from_json_text(tokenizer_json());
    DYN_ASSERT(loaded.has_value());
    return *std::move(loaded);
  }();
  return shared;
}

/// One token per byte.
inline std::vector<TokenId> ids(std::string_view text) {
  std::vector<TokenId> out;
  for (const char c : text) out.push_back(static_cast<unsigned char>(c));
  return out;
}

/// A card with the byte tokenizer and no formatter.
inline std::shared_ptr<ModelCard> byte_card() {
  auto card = std::make_shared<ModelCard>();
  card->name = "m";
  card->slug = "m";
  card->tokenizer = byte_tokenizer();
  card->eos_token_ids = {kEndOfText};
  return card;
}

}  // namespace dynamo::llm::test
