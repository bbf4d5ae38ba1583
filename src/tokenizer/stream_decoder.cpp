// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/utf8.h>
#include <dynamo/tokenizer/stream_decoder.h>

#include <algorithm>

#include "tokenizer/tokenizer_impl.h"

namespace dynamo::tokenizer {
namespace {

constexpr std::string_view kReplacement = "\uFFFD";
/// Ids of the prompt that are looked at. Source: spec tokenizer-template A14.
constexpr std::size_t kPromptTail = 5;
/// Withheld text over this is given out although it is not complete: a stream of invalid bytes
/// would otherwise be withheld to its end.
constexpr std::size_t kPendingBytesMax = 64;
constexpr std::size_t kWindowIdsMax = 32;

}  // namespace

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer,
                             std::span<const TokenId> prompt_tail, bool skip_special)
    : tokenizer_(std::move(tokenizer)), skip_special_(skip_special) {
  const std::span<const TokenId> tail = prompt_tail.last(std::min(kPromptTail, prompt_tail.size()));
  byte_level_ = tokenizer_->impl_->text.mode() == detail::TokenText::Mode::bytes;
  if (byte_level_) {
    // Only a character that the prompt left incomplete matters.
    for (const TokenId id : tail) {
      if (!skip_special_ || !tokenizer_->is_special(id)) pending_ += tokenizer_->token_bytes(id);
    }
    pending_.erase(0, base::complete_utf8_prefix(pending_));
    return;
  }
  window_.assign(tail.begin(), tail.end());
  read_ = window_.size();
  std::string text;
  tokenizer_->decode(window_, skip_special_, text);
  read_bytes_ = text.size();
}

StreamDecoder::~StreamDecoder() = default;
StreamDecoder::StreamDecoder(StreamDecoder&&) noexcept = default;
StreamDecoder& StreamDecoder::operator=(StreamDecoder&&) noexcept = default;

std::string_view StreamDecoder::step(TokenId id) {
  return byte_level_ ? step_bytes(id) : step_window(id);
}

/// Bytes have no context: what is new is what the token adds, once it ends with a whole character.
std::string_view StreamDecoder::step_bytes(TokenId id) {
  const detail::TokenText& text = tokenizer_->impl_->text;
  if (skip_special_ && tokenizer_->impl_->parts.added.is_special(id)) return {};
  const std::string_view bytes = text.bytes(id);
  if (pending_.empty() && text.is_text(id)) return bytes;
  pending_ += bytes;
  if (pending_.empty()) return {};
  emitted_.clear();
  const std::size_t complete = base::complete_utf8_prefix(pending_);
  if (complete == pending_.size()) {
    detail::append_lossy(emitted_, pending_);
    if (!emitted_.ends_with(kReplacement) || pending_.size() > kPendingBytesMax) {
      pending_.clear();
      return emitted_;
    }
  } else if (pending_.size() > kPendingBytesMax) {
    detail::append_lossy(emitted_, std::string_view(pending_).substr(0, complete));
    pending_.erase(0, complete);
    return emitted_;
  }
  return {};
}

/// The two-decode rule: what the text of the window has beyond the text of its part that was read.
std::string_view StreamDecoder::step_window(TokenId id) {
  window_.push_back(id);
  pending_.clear();
  tokenizer_->decode(window_, skip_special_, pending_);
  const bool ready = pending_.size() > read_bytes_ && !pending_.ends_with(kReplacement);
  if (!ready && window_.size() <= kWindowIdsMax) return {};
  return release_window();
}

std::string_view StreamDecoder::release_window() {
  const std::size_t from = base::utf8_floor(pending_, std::min(read_bytes_, pending_.size()));
  emitted_.assign(pending_, from);
  window_.erase(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(read_));
  read_ = window_.size();
  pending_.clear();
  tokenizer_->decode(window_, skip_special_, pending_);
  read_bytes_ = pending_.size();
  return emitted_;
}

std::string_view StreamDecoder::finish() {
  emitted_.clear();
  if (byte_level_) {
    detail::append_lossy(emitted_, pending_);
  } else {
    pending_.clear();
    tokenizer_->decode(window_, skip_special_, pending_);
    if (pending_.size() > read_bytes_)
      emitted_.assign(pending_, base::utf8_floor(pending_, read_bytes_));
    window_.clear();
    read_ = 0;
    read_bytes_ = 0;
  }
  pending_.clear();
  return emitted_;
}

}  // namespace dynamo::tokenizer
