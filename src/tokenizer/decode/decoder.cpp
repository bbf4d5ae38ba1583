// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/decode/decoder.h"

#include <dynamo/base/utf8.h>

#include <algorithm>
#include <array>

#include "tokenizer/model/byte_alphabet.h"

namespace dynamo::tokenizer::detail {
namespace {

constexpr std::string_view kReplacement = "\uFFFD";

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty()) return;
  std::size_t at = text.find(from);
  if (at == std::string::npos) return;
  std::string out;
  std::size_t done = 0;
  for (; at != std::string::npos; at = text.find(from, done)) {
    out.append(text, done, at - done);
    out += to;
    done = at + from.size();
  }
  out.append(text, done);
  text = std::move(out);
}

/// The English spacing rules of BERT's decoder, in their order.
void clean_up(std::string& text) {
  static constexpr std::array<std::array<std::string_view, 2>, 11> kRules = {{{" .", "."},
                                                                              {" ?", "?"},
                                                                              {" !", "!"},
                                                                              {" ,", ","},
                                                                              {" ' ", "'"},
                                                                              {" n't", "n't"},
                                                                              {" 'm", "'m"},
                                                                              {" do not", " don't"},
                                                                              {" 's", "'s"},
                                                                              {" 've", "'ve"},
                                                                              {" 're", "'re"}}};
  for (const auto& [from, to] : kRules) replace_all(text, from, to);
}

}  // namespace

void append_lossy(std::string& out, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t valid = base::valid_utf8_prefix(bytes);
    out += bytes.substr(0, valid);
    bytes.remove_prefix(valid);
    if (bytes.empty()) return;
    out += kReplacement;
    bytes.remove_prefix(base::decode_utf8(bytes).length_bytes);
  }
}

std::optional<std::uint8_t> byte_of_token(std::string_view token) noexcept {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  unsigned value = 0;
  for (const char c : token.substr(3, 2)) {
    const unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                           : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A') + 10
                           : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a') + 10
                                                  : 16;
    if (digit == 16) return std::nullopt;
    value = value * 16 + digit;
  }
  return static_cast<std::uint8_t>(value);
}

void ByteLevelDecoder::apply(std::vector<std::string>& tokens) const {
  std::string bytes;
  for (const std::string& token : tokens) {
    if (!bytes_from_alphabet(token, bytes)) bytes += token;
  }
  std::string text;
  append_lossy(text, bytes);
  tokens.assign(1, std::move(text));
}

void ByteFallbackDecoder::apply(std::vector<std::string>& tokens) const {
  std::vector<std::string> out;
  out.reserve(tokens.size());
  std::string run;
  const auto flush = [&] {
    if (run.empty()) return;
    if (base::is_valid_utf8(run)) {
      out.push_back(run);
    } else {
      for (std::size_t i = 0; i < run.size(); ++i) out.emplace_back(kReplacement);
    }
    run.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = byte_of_token(token)) {
      run += static_cast<char>(*byte);
    } else {
      flush();
      out.push_back(std::move(token));
    }
  }
  flush();
  tokens = std::move(out);
}

void FuseDecoder::apply(std::vector<std::string>& tokens) const {
  std::string all;
  for (const std::string& token : tokens) all += token;
  tokens.assign(1, std::move(all));
}

void StripDecoder::apply(std::vector<std::string>& tokens) const {
  if (content_.empty()) return;
  for (std::string& token : tokens) {
    std::string_view text = token;
    for (std::uint32_t i = 0; i < start_ && text.starts_with(content_); ++i)
      text.remove_prefix(content_.size());
    for (std::uint32_t i = 0; i < stop_ && text.ends_with(content_); ++i)
      text.remove_suffix(content_.size());
    if (text.size() != token.size()) token = std::string(text);
  }
}

void ReplaceDecoder::apply(std::vector<std::string>& tokens) const {
  for (std::string& token : tokens) {
    if (!pattern_) {
      replace_all(token, literal_, content_);
      continue;
    }
    std::vector<regex::Match> matches;
    if (!pattern_->find_all(token, step_limit_, matches)) continue;
    std::string out;
    std::size_t done = 0;
    for (const regex::Match& match : matches) {
      out.append(token, done, match.begin - done);
      out += content_;
      done = match.end;
    }
    out.append(token, done);
    token = std::move(out);
  }
}

void MetaspaceDecoder::apply(std::vector<std::string>& tokens) const {
  for (std::size_t i = 0; i < tokens.size(); ++i)
    replace_all(tokens[i], replacement_, i == 0 && drop_first_ ? "" : " ");
}

void WordPieceDecoder::apply(std::vector<std::string>& tokens) const {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    std::string& token = tokens[i];
    if (i != 0) {
      if (token.starts_with(prefix_)) {
        token.erase(0, prefix_.size());
      } else {
        token.insert(0, 1, ' ');
      }
    }
    if (cleanup_) clean_up(token);
  }
}

void BpeSuffixDecoder::apply(std::vector<std::string>& tokens) const {
  for (std::size_t i = 0; i < tokens.size(); ++i)
    replace_all(tokens[i], suffix_, i + 1 == tokens.size() ? "" : " ");
}

void CtcDecoder::apply(std::vector<std::string>& tokens) const {
  const auto repeated = std::ranges::unique(tokens);
  tokens.erase(repeated.begin(), repeated.end());
  for (std::string& token : tokens) {
    replace_all(token, pad_, "");
    if (!cleanup_) continue;
    clean_up(token);
    replace_all(token, delimiter_, " ");
  }
  std::erase_if(tokens, [](const std::string& token) { return token.empty(); });
}

}  // namespace dynamo::tokenizer::detail
