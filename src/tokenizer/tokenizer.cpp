// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/utf8.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <algorithm>
#include <thread>
#include <utility>

#include <fmt/core.h>

#include "tokenizer/tokenizer_impl.h"
#include "tokenizer/unicode/properties.h"
#include "tokenizer/unicode/text_check.h"
#include "tokenizer/unicode/utf8_iteration.h"

namespace dynamo::tokenizer {
namespace {

/// Offsets inside the tokenizer have 32 bits, and normalizers may triple the text.
constexpr std::size_t kTextBytesLimit = std::size_t{1} << 30;
/// Scratch over this is given back after a call: the common prompt is far smaller.
constexpr std::size_t kScratchKept = std::size_t{1} << 18;
/// Scratches kept for later calls: as many as threads that can be encoding.
std::size_t pool_limit() {
  static const std::size_t limit = std::max(4U, std::thread::hardware_concurrency());
  return limit;
}

}  // namespace

Result<std::unique_ptr<Tokenizer::Impl>> Tokenizer::Impl::make(detail::Parts made) {
  auto impl = std::make_unique<Impl>();
  impl->parts = std::move(made);
  detail::Parts& own = impl->parts;
  std::optional<Error> failed;
  own.added.build([&](std::string_view content) {
    std::string out;
    bool at_origin = true;
    if (own.normalizer == nullptr) return std::string(content);
    if (auto done = own.normalizer->apply(content, out, at_origin); !done && !failed) {
      failed = std::move(done.error()).with("normalizing an added token");
    }
    return out;
  });
  if (failed) return std::unexpected(*std::move(failed));
  impl->id_bound = std::max(own.model->id_bound(), own.added.id_bound());
  impl->text.build(*own.model, own.added, own.decoders, own.has_decoder, impl->id_bound);
  const bool any_special = std::ranges::any_of(own.added.tokens(), &AddedToken::special);
  impl->splits_at_special = any_special && !own.added.looks_around() && own.characters_max == 0 &&
                            std::ranges::none_of(own.pre_tokenizers, [](const auto& step) {
                              return step->depends_on_start();
                            });
  return impl;
}

std::unique_ptr<Tokenizer::Impl::Scratch> Tokenizer::Impl::take_scratch() const {
  {
    const std::lock_guard lock(pool_mutex);
    if (!pool.empty()) {
      auto scratch = std::move(pool.back());
      pool.pop_back();
      return scratch;
    }
  }
  return std::make_unique<Scratch>();
}

void Tokenizer::Impl::return_scratch(std::unique_ptr<Scratch> scratch) const {
  scratch->model.ids.trim(kScratchKept);
  scratch->pieces.list.trim(kScratchKept);
  scratch->pieces.spare.trim(kScratchKept);
  for (std::string* buffer :
       {&scratch->normalized, &scratch->pieces.storage, &scratch->pieces.spare_storage}) {
    if (buffer->capacity() > kScratchKept) *buffer = std::string();
  }
  if (scratch->model.path.capacity() > kScratchKept) scratch->model.path = {};
  if (scratch->model.symbols.capacity() > kScratchKept) {
    scratch->model.symbols = {};
    scratch->model.ranks = {};
    scratch->model.links = {};
    scratch->model.heap = {};
  }
  const std::lock_guard lock(pool_mutex);
  if (pool.size() < pool_limit()) pool.push_back(std::move(scratch));
}

/// Cuts first what a model family wants cut (Kimi): at a number of characters, and inside long runs
/// of white space or of anything else.
Result<void> Tokenizer::Impl::encode(std::string_view input, bool allow_special,
                                     Scratch& scratch) const {
  if (parts.characters_max == 0 ||
      input.size() <= std::min(parts.characters_max, parts.run_characters_max)) {
    return encode_part(input, allow_special, scratch);
  }
  std::size_t start = 0;
  std::size_t characters = 0;
  std::size_t run = 0;
  bool run_is_space = false;
  for (std::size_t at = 0; at < input.size();) {
    const unicode::Scalar s = unicode::scalar_at(input, at);
    const bool space = unicode::is_white_space(s.value);
    const bool block_ends = characters == parts.characters_max;
    if (block_ends || space != run_is_space) {
      run = block_ends ? parts.run_characters_max : 0;
      run_is_space = space;
    }
    if (run == parts.run_characters_max) {
      DYN_CHECK(encode_part(input.substr(start, at - start), allow_special, scratch));
      start = at;
      run = 0;
    }
    if (block_ends) characters = 0;
    ++run;
    ++characters;
    at += s.length;
  }
  return encode_part(input.substr(start), allow_special, scratch);
}

Result<void> Tokenizer::Impl::encode_part(std::string_view input, bool allow_special,
                                          Scratch& scratch) const {
  Result<void> result;
  parts.added.split(
      parts.added.raw(), input, allow_special,
      [&](std::size_t begin, std::size_t end) {
        result =
            encode_unmatched(input.substr(begin, end - begin), begin == 0, allow_special, scratch);
        return result.has_value();
      },
      [&](std::uint32_t token) {
        scratch.model.ids.push(parts.added.tokens()[token].id);
        return true;
      });
  return result;
}

/// Text between the tokens that are matched raw.
Result<void> Tokenizer::Impl::encode_unmatched(std::string_view input, bool at_origin,
                                               bool allow_special, Scratch& scratch) const {
  if (parts.normalizer != nullptr && !(scratch.ascii && parts.normalizer->keeps_ascii()) &&
      !parts.normalizer->keeps(input)) {
    scratch.normalized.clear();
    DYN_CHECK(parts.normalizer->apply(input, scratch.normalized, at_origin));
    input = scratch.normalized;
  }
  if (parts.added.normalized().empty()) return encode_normalized(input, at_origin, scratch);
  Result<void> result;
  parts.added.split(
      parts.added.normalized(), input, allow_special,
      [&](std::size_t begin, std::size_t end) {
        result =
            encode_normalized(input.substr(begin, end - begin), at_origin && begin == 0, scratch);
        return result.has_value();
      },
      [&](std::uint32_t token) {
        scratch.model.ids.push(parts.added.tokens()[token].id);
        return true;
      });
  return result;
}

Result<void> Tokenizer::Impl::encode_normalized(std::string_view input, bool at_origin,
                                                Scratch& scratch) const {
  detail::Pieces& pieces = scratch.pieces;
  pieces.reset(input, at_origin);
  for (const auto& step : parts.pre_tokenizers) DYN_CHECK(step->apply(pieces));
  return parts.model->encode(pieces.text, pieces.list.ranges(), scratch.model);
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

Result<void> Tokenizer::encode(std::string_view text, std::vector<TokenId>& out,
                               const EncodeOptions& options) const {
  const Segment segment{text, options.allow_special};
  return encode_segments({&segment, 1}, out, options);
}

Result<std::vector<TokenId>> Tokenizer::encode(std::string_view text,
                                               const EncodeOptions& options) const {
  std::vector<TokenId> out;
  DYN_CHECK(encode(text, out, options));
  return out;
}

Result<void> Tokenizer::encode_segments(std::span<const Segment> segments,
                                        std::vector<TokenId>& out,
                                        const EncodeOptions& options) const {
  const Impl::Lease lease(*impl_);
  Impl::Scratch& scratch = *lease;
  detail::IdBuffer& ids = scratch.model.ids;
  ids.clear();
  for (const Segment& segment : segments) {
    if (segment.text.size() > kTextBytesLimit) {
      return fail(Errc::invalid_argument, fmt::format("text of {} bytes; the limit is {}",
                                                      segment.text.size(), kTextBytesLimit));
    }
    scratch.ascii = unicode::is_ascii(segment.text);
    if (!scratch.ascii && !unicode::is_utf8(segment.text)) {
      return fail(Errc::invalid_argument, fmt::format("the text is not UTF-8 at byte {}",
                                                      base::valid_utf8_prefix(segment.text)));
    }
    DYN_CHECK(impl_->encode(segment.text, segment.allow_special, scratch));
  }
  const std::span<const TokenId> made = ids.ids();
  const Affixes& affixes = impl_->parts.affixes;
  if (options.add_special_tokens)
    out.insert(out.end(), affixes.before.begin(), affixes.before.end());
  out.insert(out.end(), made.begin(), made.end());
  if (options.add_special_tokens) out.insert(out.end(), affixes.after.begin(), affixes.after.end());
  return {};
}

bool Tokenizer::decode(std::span<const TokenId> ids, bool skip_special, std::string& out) const {
  return impl_->decode(ids, skip_special, out);
}

bool Tokenizer::Impl::decode(std::span<const TokenId> ids, bool skip_special,
                             std::string& out) const {
  return text.decode(ids, skip_special, parts.added, *parts.model, out);
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string out;
  decode(ids, skip_special, out);
  return out;
}

std::size_t Tokenizer::vocab_size() const noexcept {
  return impl_->id_bound;
}

std::optional<TokenId> Tokenizer::id_of(std::string_view token) const noexcept {
  if (const AddedToken* added = impl_->parts.added.find(token)) return added->id;
  const TokenId id = impl_->parts.model->find(token);
  return id == detail::kNoToken ? std::nullopt : std::optional(id);
}

std::string Tokenizer::token(TokenId id) const {
  if (const AddedToken* added = impl_->parts.added.find(id)) return added->content;
  return impl_->parts.model->contains(id) ? impl_->parts.model->spelling(id) : std::string();
}

std::string_view Tokenizer::token_bytes(TokenId id) const noexcept {
  return impl_->text.bytes(id);
}
bool Tokenizer::is_special(TokenId id) const noexcept {
  return impl_->parts.added.is_special(id);
}
std::span<const AddedToken> Tokenizer::added_tokens() const noexcept {
  return impl_->parts.added.tokens();
}
const Tokenizer::Affixes& Tokenizer::affixes() const noexcept {
  return impl_->parts.affixes;
}
const Tokenizer::NamedIds& Tokenizer::named_ids() const noexcept {
  return impl_->parts.named_ids;
}
bool Tokenizer::splits_at_special_tokens() const noexcept {
  return impl_->splits_at_special;
}

std::size_t Tokenizer::memory_bytes() const noexcept {
  return impl_->parts.model->memory_bytes() + impl_->parts.added.memory_bytes() +
         impl_->text.memory_bytes();
}

}  // namespace dynamo::tokenizer
