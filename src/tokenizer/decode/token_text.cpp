// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/decode/token_text.h"

#include <dynamo/base/utf8.h>

#include "tokenizer/model/byte_alphabet.h"
#include "tokenizer/unicode/text_check.h"

namespace dynamo::tokenizer::detail {
namespace {

constexpr std::string_view kReplacement = "\uFFFD";

/// Makes the text from `from` on well-formed; false when it then ends with a U+FFFD that was none.
bool repair(std::string& text, std::size_t from) {
  const std::string_view added = std::string_view(text).substr(from);
  if (unicode::is_utf8(added)) return true;
  const bool complete = base::valid_utf8_prefix(added) == added.size() || [&] {
    // Does the last ill-formed part reach the end?
    std::string_view rest = added;
    while (!rest.empty()) {
      rest.remove_prefix(base::valid_utf8_prefix(rest));
      if (rest.empty()) return true;
      rest.remove_prefix(base::decode_utf8(rest).length_bytes);
    }
    return false;
  }();
  std::string fixed;
  append_lossy(fixed, added);
  text.replace(from, std::string::npos, fixed);
  return complete;
}

}  // namespace

bool TokenText::recognise_sentencepiece(std::span<const std::unique_ptr<Decoder>> decoders) {
  // Replace (a string), ByteFallback, Fuse, and maybe Strip at the start only.
  if (decoders.size() != 3 && decoders.size() != 4) return false;
  const auto* replace = dynamic_cast<const ReplaceDecoder*>(decoders[0].get());
  if (replace == nullptr || replace->literal() == nullptr || replace->literal()->empty())
    return false;
  if (dynamic_cast<const ByteFallbackDecoder*>(decoders[1].get()) == nullptr) return false;
  if (dynamic_cast<const FuseDecoder*>(decoders[2].get()) == nullptr) return false;
  replaced_ = *replace->literal();
  replacement_ = replace->content();
  if (decoders.size() == 4) {
    const auto* strip = dynamic_cast<const StripDecoder*>(decoders[3].get());
    if (strip == nullptr || strip->stop() != 0) return false;
    strip_ = strip->content();
    strip_start_ = strip_.empty() ? 0 : strip->start();
  }
  return true;
}

void TokenText::build(const Model& model, const AddedVocabulary& added,
                      std::span<const std::unique_ptr<Decoder>> decoders, bool has_decoder,
                      std::size_t id_bound) {
  decoders_ = decoders;
  has_decoder_ = has_decoder;
  if (decoders.size() == 1 && dynamic_cast<const ByteLevelDecoder*>(decoders[0].get()) != nullptr) {
    mode_ = Mode::bytes;
  } else if (recognise_sentencepiece(decoders)) {
    mode_ = Mode::sentencepiece;
  }
  entries_.resize(id_bound);
  for (TokenId id = 0; id < id_bound; ++id) {
    Entry& entry = entries_[id];
    entry.offset = static_cast<std::uint32_t>(blob_.size());
    const AddedToken* token = added.find(id);
    std::uint32_t flag = 0;
    if (mode_ == Mode::bytes && token == nullptr && model.append_bytes(id, blob_)) {
      // The model had the bytes at hand.
    } else {
      const std::string spelled = token != nullptr ? token->content : model.spelling(id);
      if (mode_ == Mode::bytes) {
        if (!bytes_from_alphabet(spelled, blob_)) blob_ += spelled;
      } else if (mode_ == Mode::sentencepiece) {
        std::vector<std::string> one{spelled};
        decoders[0]->apply(one);
        if (const auto byte = byte_of_token(one[0])) {
          blob_ += static_cast<char>(*byte);
          flag = kByteFlag;
        } else {
          blob_ += one[0];
        }
      } else {
        blob_ += spelled;
      }
    }
    const std::string_view bytes = std::string_view(blob_).substr(entry.offset);
    if (!bytes.empty() && flag == 0 && !bytes.ends_with(kReplacement) && base::is_valid_utf8(bytes))
      flag = kTextFlag;
    entry.length = static_cast<std::uint32_t>(bytes.size()) | flag;
  }
  blob_.shrink_to_fit();
}

bool TokenText::decode(std::span<const TokenId> ids, bool skip_special,
                       const AddedVocabulary& added, const Model& model, std::string& out) const {
  switch (mode_) {
    case Mode::bytes:
      return decode_bytes(ids, skip_special, added, out);
    case Mode::sentencepiece:
      return decode_sentencepiece(ids, skip_special, added, out);
    case Mode::steps:
      break;
  }
  return decode_steps(ids, skip_special, added, model, out);
}

bool TokenText::decode_bytes(std::span<const TokenId> ids, bool skip_special,
                             const AddedVocabulary& added, std::string& out) const {
  const std::size_t from = out.size();
  for (const TokenId id : ids) {
    if (skip_special && added.is_special(id)) continue;
    out += bytes(id);
  }
  return repair(out, from);
}

bool TokenText::decode_sentencepiece(std::span<const TokenId> ids, bool skip_special,
                                     const AddedVocabulary& added, std::string& out) const {
  const std::size_t from = out.size();
  std::size_t run = out.size();  // start of the current run of byte tokens
  bool in_run = false;
  bool complete = true;
  const auto close_run = [&] {
    if (!in_run) return;
    in_run = false;
    const std::size_t count = out.size() - run;
    if (base::is_valid_utf8(std::string_view(out).substr(run))) return;
    out.resize(run);
    for (std::size_t i = 0; i < count; ++i) out += kReplacement;
    complete = false;
  };
  for (const TokenId id : ids) {
    if (id >= entries_.size() || (skip_special && added.is_special(id))) continue;
    const Entry entry = entries_[id];
    if ((entry.length & kByteFlag) == 0) {
      close_run();
      if (entry.length != 0) complete = true;
    } else if (!in_run) {
      in_run = true;
      run = out.size();
    }
    out.append(blob_, entry.offset, entry.length & kLengthMask);
  }
  if (in_run) complete = true;
  close_run();
  for (std::uint32_t i = 0;
       i < strip_start_ && std::string_view(out).substr(from).starts_with(strip_); ++i) {
    out.erase(from, strip_.size());
  }
  return complete;
}

bool TokenText::decode_steps(std::span<const TokenId> ids, bool skip_special,
                             const AddedVocabulary& added, const Model& model,
                             std::string& out) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const TokenId id : ids) {
    if (!added.is_added(id) && !model.contains(id)) continue;
    if (skip_special && (added.is_special(id) || added.special_content(bytes(id)))) continue;
    tokens.emplace_back(bytes(id));
  }
  if (!has_decoder_) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (i != 0) out += ' ';
      out += tokens[i];
    }
    return true;
  }
  if (tokens.empty()) return true;
  for (const auto& step : decoders_) step->apply(tokens);
  const std::size_t from = out.size();
  for (const std::string& token : tokens) out += token;
  return !std::string_view(out).substr(from).ends_with(kReplacement);
}

}  // namespace dynamo::tokenizer::detail
