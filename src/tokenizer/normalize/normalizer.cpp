// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/normalize/normalizer.h"

#include <dynamo/base/utf8.h>

#include "tokenizer/model/byte_alphabet.h"
#include "tokenizer/unicode/properties.h"
#include "tokenizer/unicode/utf8_iteration.h"

namespace dynamo::tokenizer::detail {

Result<void> NormalizerSequence::apply(std::string_view text, std::string& out,
                                       bool& at_origin) const {
  std::string current;
  std::string next;
  bool owned = false;
  for (const auto& step : steps_) {
    const std::string_view input = owned ? std::string_view(current) : text;
    if (step->keeps(input)) continue;
    next.clear();
    DYN_CHECK(step->apply(input, next, at_origin));
    current.swap(next);
    owned = true;
  }
  out += owned ? std::string_view(current) : text;
  return {};
}

bool NormalizerSequence::keeps(std::string_view text) const {
  for (const auto& step : steps_) {
    if (!step->keeps(text)) return false;
  }
  return true;
}

bool NormalizerSequence::keeps_ascii() const noexcept {
  for (const auto& step : steps_) {
    if (!step->keeps_ascii()) return false;
  }
  return true;
}

Result<void> FormNormalizer::apply(std::string_view text, std::string& out, bool&) const {
  unicode::normalize(form_, text, out);
  return {};
}

bool FormNormalizer::keeps(std::string_view text) const {
  return unicode::normalized_prefix(form_, text) == text.size();
}

Result<void> CharacterNormalizer::apply(std::string_view text, std::string& out,
                                        bool& at_origin) const {
  for (std::size_t at = 0; at < text.size();) {
    const unicode::Scalar s = unicode::scalar_at(text, at);
    const std::size_t before = out.size();
    map_(s.value, text.substr(at, s.length), out);
    if (at == 0 && out.size() == before) at_origin = false;
    at += s.length;
  }
  return {};
}

void map_to_lower(char32_t c, std::string_view, std::string& out) {
  if (c == 0x130) {
    out += "i\u0307";
  } else {
    base::append_utf8(out, unicode::to_lower(c));
  }
}

void map_without_accents(char32_t c, std::string_view bytes, std::string& out) {
  if (!unicode::has(c, unicode::Flag::accent)) out += bytes;
}

void map_nmt(char32_t c, std::string_view bytes, std::string& out) {
  const bool dropped = (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) ||
                       c == 0x7F || c == 0x8F || c == 0x9F;
  if (dropped) return;
  const bool space = c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
                     (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                     c == 0xFEFF || c == 0xFFFD;
  out += space ? std::string_view(" ") : bytes;
}

void map_to_byte_alphabet(char32_t, std::string_view bytes, std::string& out) {
  bytes_to_alphabet(bytes, out);
}

Result<void> StripNormalizer::apply(std::string_view text, std::string& out,
                                    bool& at_origin) const {
  std::size_t begin = 0;
  std::size_t end = text.size();
  while (left_ && begin < end) {
    const unicode::Scalar s = unicode::scalar_at(text, begin);
    if (!unicode::is_white_space(s.value)) break;
    begin += s.length;
    at_origin = false;
  }
  while (right_ && begin < end) {
    const std::size_t last = unicode::previous_start(text, end);
    if (!unicode::is_white_space(unicode::scalar_at(text, last).value)) break;
    end = last;
  }
  out += text.substr(begin, end - begin);
  return {};
}

Result<void> ReplaceNormalizer::apply(std::string_view text, std::string& out,
                                      bool& at_origin) const {
  std::size_t at = 0;
  if (pattern_) {
    std::vector<regex::Match> matches;
    DYN_CHECK(pattern_->find_all(text, step_limit_, matches));
    for (const regex::Match& match : matches) {
      out += text.substr(at, match.begin - at);
      out += content_;
      at = match.end;
      if (match.begin == 0 && content_.empty() && match.end != 0) at_origin = false;
    }
    out += text.substr(at);
    return {};
  }
  if (!literal_.empty()) {
    for (std::size_t found = text.find(literal_); found != std::string_view::npos;
         found = text.find(literal_, at)) {
      out += text.substr(at, found - at);
      out += content_;
      at = found + literal_.size();
      if (found == 0 && content_.empty()) at_origin = false;
    }
  }
  out += text.substr(at);
  return {};
}

bool ReplaceNormalizer::keeps(std::string_view text) const {
  return !pattern_ && (literal_.empty() || text.find(literal_) == std::string_view::npos);
}

Result<void> PrependNormalizer::apply(std::string_view text, std::string& out, bool&) const {
  if (text.empty()) return {};
  out += prefix_;
  out += text;
  return {};
}

Result<void> BertNormalizer::apply(std::string_view text, std::string& out, bool& at_origin) const {
  const auto is_cjk = [](char32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B81F) ||
           (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0x2F800 && c <= 0x2FA1F);
  };
  std::string cleaned;
  cleaned.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const unicode::Scalar s = unicode::scalar_at(text, at);
    const std::string_view bytes = text.substr(at, s.length);
    if (options_.clean_text && unicode::has(s.value, unicode::Flag::bert_removed)) {
      if (at == 0) at_origin = false;
    } else if (options_.clean_text && unicode::is_white_space(s.value)) {
      cleaned += ' ';
    } else if (options_.handle_chinese_chars && is_cjk(s.value)) {
      cleaned += ' ';
      cleaned += bytes;
      cleaned += ' ';
    } else {
      cleaned += bytes;
    }
    at += s.length;
  }
  if (options_.strip_accents) {
    std::string decomposed;
    unicode::normalize(unicode::NormalizationForm::nfd, cleaned, decomposed);
    cleaned.clear();
    for (std::size_t at = 0; at < decomposed.size();) {
      const unicode::Scalar s = unicode::scalar_at(decomposed, at);
      if (!unicode::has(s.value, unicode::Flag::bert_mark))
        cleaned += std::string_view(decomposed).substr(at, s.length);
      at += s.length;
    }
  }
  if (!options_.lowercase) {
    out += cleaned;
    return {};
  }
  for (std::size_t at = 0; at < cleaned.size();) {
    const unicode::Scalar s = unicode::scalar_at(cleaned, at);
    map_to_lower(s.value, {}, out);
    at += s.length;
  }
  return {};
}

}  // namespace dynamo::tokenizer::detail
