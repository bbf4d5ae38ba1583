// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/model/bpe.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include <fmt/core.h>

#include "tokenizer/model/byte_alphabet.h"
#include "tokenizer/model/merge_word.h"
#include "tokenizer/unicode/utf8_iteration.h"

namespace dynamo::tokenizer::detail {
namespace {

std::array<char, 6> byte_token(unsigned byte) noexcept {
  constexpr char kHex[] = "0123456789ABCDEF";
  return {'<', '0', 'x', kHex[byte >> 4], kHex[byte & 15], '>'};
}

/// Whether each of the 256 characters of the byte-level alphabet is a token.
bool has_all_bytes(const Vocabulary& spelled) {
  std::array<bool, 256> seen{};
  std::string byte;
  for (TokenId id = 0; id < spelled.size(); ++id) {
    if (spelled[id].empty() || spelled[id].size() > 2) continue;
    byte.clear();
    if (bytes_from_alphabet(spelled[id], byte) && byte.size() == 1)
      seen[static_cast<unsigned char>(byte[0])] = true;
  }
  return std::ranges::all_of(seen, std::identity());
}

}  // namespace

BpeModel::BpeModel(Vocabulary vocabulary, BpeOptions options)
    : vocabulary_(std::move(vocabulary)), options_(std::move(options)) {
  // Bytes as symbols: when every byte has its token, or when a missing one just vanishes.
  byte_mode_ = options_.raw_bytes;
  if (!byte_mode_)
    byte_mode_ = options_.byte_level && options_.continuing_prefix.empty() &&
                 options_.end_suffix.empty() &&
                 (has_all_bytes(vocabulary_) || (!options_.unk_token && !options_.byte_fallback));
  if (byte_mode_ && !options_.raw_bytes) {
    vocabulary_.rewrite(
        [](std::string_view token, std::string& out) { return bytes_from_alphabet(token, out); });
  }
  vocabulary_.build_index();
  all_bytes_known_ = true;
  for (unsigned b = 0; b < 256; ++b) {
    if (byte_mode_) {
      const char byte = static_cast<char>(b);
      byte_ids_[b] = vocabulary_.find(std::string_view(&byte, 1));
    } else {
      const auto token = byte_token(b);
      byte_ids_[b] = vocabulary_.find(std::string_view(token.data(), token.size()));
    }
    all_bytes_known_ = all_bytes_known_ && byte_ids_[b] != kNoToken;
  }
  if (!byte_mode_ && !options_.byte_fallback) all_bytes_known_ = false;
  for (unsigned c = 0; c < 128; ++c) {
    const char byte = static_cast<char>(c);
    ascii_ids_[c] = vocabulary_.find(std::string_view(&byte, 1));
  }
  if (options_.unk_token) unk_ = find(*options_.unk_token);
}

/// The product of a merge: most lists make their tokens in the order of their ids, and that of
/// several merges to one token one after the other.
TokenId BpeModel::find_product(std::string_view token) {
  for (const TokenId guess : {last_product_ + 1, last_product_}) {
    if (vocabulary_[guess] == token && vocabulary_.contains(guess) &&
        !vocabulary_.verbatim(guess) && !vocabulary_.shadowed(guess)) {
      return last_product_ = guess;
    }
  }
  return last_product_ = vocabulary_.find(token);
}

Result<void> BpeModel::add_merge(std::string_view left, std::string_view right) {
  const std::string_view product_right =
      right.substr(std::min(options_.continuing_prefix.size(), right.size()));
  const auto no_token = [&](std::string_view token) {
    return fail(Errc::invalid_argument,
                fmt::format("merge {} ('{}' and '{}'): '{}' is not in the vocabulary",
                            merges_.size(), left, right, token));
  };
  TokenId a = kNoToken;
  TokenId b = kNoToken;
  TokenId product = kNoToken;
  if (byte_mode_) {
    merge_buffer_.clear();
    const bool left_ok = bytes_from_alphabet(left, merge_buffer_);
    const std::size_t middle = merge_buffer_.size();
    if (left_ok && bytes_from_alphabet(right, merge_buffer_)) {
      const std::string_view joined = merge_buffer_;
      a = vocabulary_.find(joined.substr(0, middle));
      b = vocabulary_.find(joined.substr(middle));
      product = find_product(joined);
    } else {
      // A merge of tokens outside the alphabet can never apply, but its parts must exist.
      a = find(left);
      b = find(right);
      product = find(std::string(left).append(right));
    }
  } else {
    merge_buffer_.assign(left).append(product_right);
    a = vocabulary_.find(left);
    b = vocabulary_.find(right);
    product = find_product(merge_buffer_);
  }
  if (a == kNoToken) return no_token(left);
  if (b == kNoToken) return no_token(right);
  if (product == kNoToken) return no_token(std::string(left).append(product_right));
  if (options_.byte_fallback && !byte_mode_ &&
      (std::ranges::find(byte_ids_, a) != byte_ids_.end() ||
       std::ranges::find(byte_ids_, b) != byte_ids_.end())) {
    merges_byte_tokens_ = true;
  }
  return merges_.add(a, b, product);
}

Result<void> BpeModel::set_products(std::vector<TokenId> products) {
  const std::vector<TokenId> order = products;
  DYN_CHECK(merges_.set_products(std::move(products)));
  merges_.reserve(order.size() * 2);
  for (Rank rank = 0; rank < order.size(); ++rank) {
    const std::string_view token = vocabulary_[order[rank]];
    for (std::size_t middle = 1; middle < token.size(); ++middle) {
      if (!byte_mode_ && unicode::is_continuation(token[middle])) continue;
      const TokenId left = vocabulary_.find(token.substr(0, middle));
      if (left == kNoToken) continue;
      const TokenId right = vocabulary_.find(token.substr(middle));
      if (right != kNoToken) DYN_CHECK(merges_.add_ranked(left, right, rank));
    }
  }
  return {};
}

void BpeModel::finish() {
  merge_buffer_ = {};
  can_cut_ =
      options_.continuing_prefix.empty() && options_.end_suffix.empty() && !merges_byte_tokens_;
  if (can_cut_) {
    cuts_ = CutTable(vocabulary_.count());
    for (TokenId id = 0; id < vocabulary_.size(); ++id) {
      if (!vocabulary_.verbatim(id)) cuts_.add(vocabulary_[id]);
    }
  }
  if (!byte_mode_) return;
  byte_pairs_ = std::make_unique_for_overwrite<Rank[]>(65'536);
  for (std::size_t i = 0; i < 65'536; ++i) {
    const TokenId left = byte_ids_[i >> 8];
    const TokenId right = byte_ids_[i & 0xFF];
    byte_pairs_[i] = left == kNoToken || right == kNoToken ? kNoRank : merges_.find(left, right);
  }
}

TokenId BpeModel::find(std::string_view token) const {
  if (!byte_mode_ || options_.raw_bytes) return vocabulary_.find(token);
  std::string bytes;
  if (bytes_from_alphabet(token, bytes)) return vocabulary_.find(bytes);
  // Outside the alphabet: few, and asked for rarely.
  for (TokenId id = 0; id < vocabulary_.size(); ++id) {
    if (vocabulary_.verbatim(id) && vocabulary_[id] == token) return id;
  }
  return kNoToken;
}

std::string BpeModel::spelling(TokenId id) const {
  if (!byte_mode_ || options_.raw_bytes || vocabulary_.verbatim(id))
    return std::string(vocabulary_[id]);
  std::string out;
  bytes_to_alphabet(vocabulary_[id], out);
  return out;
}

std::size_t BpeModel::memory_bytes() const noexcept {
  return vocabulary_.memory_bytes() + merges_.memory_bytes() + cuts_.memory_bytes() +
         vocabulary_.size() + (byte_pairs_ != nullptr ? 65'536 * sizeof(Rank) : 0);
}

Result<void> BpeModel::encode(std::string_view text, std::span<const Range> pieces,
                              ModelScratch& scratch) const {
  if (options_.byte_level && !byte_mode_) return encode_spelled(text, pieces, scratch);
  return encode_symbols(text, pieces, scratch);
}

/// Pieces of bytes for a model that can only be asked in the byte-level alphabet.
Result<void> BpeModel::encode_spelled(std::string_view text, std::span<const Range> pieces,
                                      ModelScratch& scratch) const {
  std::string spelled;
  std::vector<Range> ranges;
  ranges.reserve(pieces.size());
  for (const Range piece : pieces) {
    const auto begin = static_cast<std::uint32_t>(spelled.size());
    bytes_to_alphabet(text.substr(piece.begin, piece.end - piece.begin), spelled);
    ranges.push_back({begin, static_cast<std::uint32_t>(spelled.size())});
  }
  return encode_symbols(spelled, ranges, scratch);
}

Result<void> BpeModel::encode_symbols(std::string_view text, std::span<const Range> pieces,
                                      ModelScratch& scratch) const {
  // A batch is looked up in the cache first, without a branch on what is found; what is not there
  // is fetched from memory while the rest of the batch is looked up.
  constexpr std::size_t kBatch = 64;
  const char* const end = text.data() + text.size();
  PieceKey keys[kBatch];
  std::uint64_t hashes[kBatch];
  FourIds found[kBatch];
  std::uint8_t counts[kBatch];
  PieceCache& cache = scratch.cache();
  for (std::size_t first = 0; first < pieces.size(); first += kBatch) {
    const auto batch = pieces.subspan(first, std::min(kBatch, pieces.size() - first));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const char* p = text.data() + batch[i].begin;
      const std::size_t size = batch[i].end - batch[i].begin;
      // No short piece has the key of none.
      keys[i] = size <= kPieceKeyBytes && end - p >= 16 ? make_key_padded(p, size) : kNoPiece;
      hashes[i] = hash_key(keys[i]);
      cache.prefetch_short(hashes[i]);
    }
    bool all_found = true;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      counts[i] = static_cast<std::uint8_t>(cache.find_short(keys[i], hashes[i], found[i]));
      if (counts[i] == 0) [[unlikely]] {
        all_found = false;
        vocabulary_.prefetch_short(hashes[i]);
      }
    }
    scratch.ids.ensure(kBatch * PieceCache::kIdsMax);
    TokenId* out = scratch.ids.end();
    if (all_found) {
      for (std::size_t i = 0; i < batch.size(); ++i) {
        std::memcpy(out, &found[i], sizeof(FourIds));
        out += counts[i];
      }
      scratch.ids.advance(static_cast<std::size_t>(out - scratch.ids.end()));
      continue;
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (counts[i] != 0) [[likely]] {
        std::memcpy(scratch.ids.end(), &found[i], sizeof(FourIds));
        scratch.ids.advance(counts[i]);
        continue;
      }
      const std::string_view piece = text.substr(batch[i].begin, batch[i].end - batch[i].begin);
      const bool ok = piece.size() <= kPieceKeyBytes ? encode_short(piece, end, false, scratch)
                                                     : encode_long(piece, scratch);
      if (!ok) return no_token();
      scratch.ids.ensure(kBatch * PieceCache::kIdsMax);
    }
  }
  return {};
}

std::unexpected<Error> BpeModel::no_token() const {
  return fail(
      Errc::invalid_argument,
      fmt::format(
          "no token for part of the text, and the unknown token '{}' is not in the vocabulary",
          options_.unk_token.value_or("")));
}

/// A piece of up to 15 bytes, or such a part of a longer one. `end` is the end of the text it is
/// in.
bool BpeModel::encode_short(std::string_view piece, const char* end, bool is_part,
                            ModelScratch& scratch) const {
  const PieceKey key =
      end - piece.data() >= 16 ? make_key_padded(piece.data(), piece.size()) : make_key(piece);
  const std::uint64_t hash = hash_key(key);
  // As parts, texts are not tokens for `ignore_merges`: they are remembered apart.
  const PieceKey cached{key.low, key.high | (is_part ? kPartBit : 0)};
  scratch.ids.ensure(PieceCache::kIdsMax);
  if (scratch.cache().append_short(cached, hash, scratch.ids)) return true;
  const std::size_t before = scratch.ids.size();
  const Vocabulary::ShortSlot* slot = vocabulary_.find_short(key, hash);
  if (slot != nullptr && is_one_token(*slot, piece, is_part, scratch)) {
    scratch.ids.push(slot->id);
  } else if (!merge(piece, scratch)) {
    return false;
  }
  scratch.cache().insert_short(cached, hash, scratch.ids.ids().subspan(before));
  return true;
}

/// Whether a piece that is spelled like a token becomes that token.
bool BpeModel::is_one_token(const Vocabulary::ShortSlot& slot, std::string_view piece, bool is_part,
                            ModelScratch& scratch) const {
  if (options_.ignore_merges && !is_part) return true;
  if (slot.merging() == Vocabulary::Merging::unknown) {
    slot.set_merging(reproduces(slot.id, piece, scratch) ? Vocabulary::Merging::reproduces
                                                         : Vocabulary::Merging::differs);
  }
  return slot.merging() == Vocabulary::Merging::reproduces;
}

bool BpeModel::encode_long(std::string_view piece, ModelScratch& scratch) const {
  const std::uint64_t hash = hash_text(piece);
  const bool cacheable = piece.size() <= PieceCache::kLongBytes;
  scratch.ids.ensure(PieceCache::kLongIds);
  if (cacheable && scratch.cache().append_long(piece, hash, scratch.ids)) return true;
  const std::size_t before = scratch.ids.size();
  const TokenId id =
      piece.size() <= vocabulary_.longest_bytes() ? vocabulary_.find_long(piece, hash) : kNoToken;
  if (id != kNoToken && (options_.ignore_merges || reproduces(id, piece, scratch))) {
    scratch.ids.push(id);
  } else if (!(can_cut_ ? encode_parts(piece, scratch) : merge(piece, scratch))) {
    return false;
  }
  if (cacheable) scratch.cache().insert_long(piece, hash, scratch.ids.ids().subspan(before));
  return true;
}

/// Cuts a long piece where no merge can reach across.
bool BpeModel::encode_parts(std::string_view piece, ModelScratch& scratch) const {
  const char* const end = piece.data() + piece.size();
  const auto encode_part = [&](std::string_view part) {
    return part.size() <= kPieceKeyBytes ? encode_short(part, end, true, scratch)
                                         : merge(part, scratch);
  };
  std::size_t start = 0;
  std::size_t at = unicode::utf8_length(static_cast<unsigned char>(piece[0]));
  while (at < piece.size()) {
    if (cuts_.can_cut(piece, at) && (all_bytes_known_ || known_character(piece, at))) {
      if (!encode_part(piece.substr(start, at - start))) return false;
      start = at;
    }
    at += unicode::utf8_length(static_cast<unsigned char>(piece[at]));
  }
  return encode_part(piece.substr(start));
}

/// Whether merging the token's text gives the token again.
bool BpeModel::reproduces(TokenId id, std::string_view text, ModelScratch& scratch) const {
  const std::size_t before = scratch.ids.size();
  const bool ok = merge(text, scratch);
  const bool same = ok && scratch.ids.size() == before + 1 && scratch.ids.ids()[before] == id;
  scratch.ids.resize_down(before);
  return same;
}

bool BpeModel::known_character(std::string_view text, std::size_t at) const {
  const std::size_t length = unicode::utf8_length(static_cast<unsigned char>(text[at]));
  return vocabulary_.find(text.substr(at, length)) != kNoToken;
}

bool BpeModel::merge(std::string_view word, ModelScratch& scratch) const {
  if (byte_mode_ && all_bytes_known_ && word.size() <= kScanSymbols) {
    TokenId symbols[kScanSymbols];
    Rank ranks[kScanSymbols];
    const auto* bytes = reinterpret_cast<const unsigned char*>(word.data());
    for (std::size_t i = 0; i < word.size(); ++i) symbols[i] = byte_ids_[bytes[i]];
    for (std::size_t i = 0; i + 1 < word.size(); ++i)
      ranks[i] = byte_pairs_[std::size_t{bytes[i]} << 8 | bytes[i + 1]];
    const std::size_t count = merge_by_scan(merges_, symbols, ranks, word.size());
    scratch.ids.append({symbols, count});
    return true;
  }
  scratch.symbols.clear();
  return initial_symbols(word, scratch.symbols, scratch.word) && merge_symbols(scratch);
}

bool BpeModel::merge_symbols(ModelScratch& scratch) const {
  std::size_t count = scratch.symbols.size();
  if (count > kScanSymbols) {
    count = merge_by_heap(merges_, scratch.symbols.data(), count, scratch);
  } else if (count > 1) {
    Rank ranks[kScanSymbols];
    for (std::size_t i = 0; i + 1 < count; ++i)
      ranks[i] = merges_.find(scratch.symbols[i], scratch.symbols[i + 1]);
    count = merge_by_scan(merges_, scratch.symbols.data(), ranks, count);
  }
  scratch.ids.append({scratch.symbols.data(), count});
  return true;
}

/// False when the unknown token is needed and is not in the vocabulary.
bool BpeModel::initial_symbols(std::string_view word, std::vector<std::uint32_t>& symbols,
                               std::string& buffer) const {
  bool pending_unk = false;
  const auto flush = [&] {
    if (pending_unk) symbols.push_back(unk_);
    pending_unk = false;
  };
  for (std::size_t i = 0; i < word.size();) {
    const auto lead = static_cast<unsigned char>(word[i]);
    const std::size_t length = byte_mode_ ? 1 : unicode::utf8_length(lead);
    const bool first = i == 0;
    const bool last = i + length == word.size();
    TokenId id = kNoToken;
    std::string_view symbol = word.substr(i, length);
    i += length;
    if (byte_mode_) {
      id = byte_ids_[lead];
    } else if ((first || options_.continuing_prefix.empty()) &&
               (!last || options_.end_suffix.empty())) {
      id = lead < 0x80 ? ascii_ids_[lead] : vocabulary_.find(symbol);
    } else {
      buffer.clear();
      if (!first) buffer += options_.continuing_prefix;
      buffer += symbol;
      if (last) buffer += options_.end_suffix;
      symbol = buffer;
      id = vocabulary_.find(symbol);
    }
    if (id != kNoToken) {
      flush();
      symbols.push_back(id);
      continue;
    }
    if (options_.byte_fallback && !byte_mode_ && std::ranges::all_of(symbol, [&](char b) {
          return byte_ids_[static_cast<unsigned char>(b)] != kNoToken;
        })) {
      // A pending unknown symbol is not written first; the library has it so, and ids depend on it.
      for (const char b : symbol) symbols.push_back(byte_ids_[static_cast<unsigned char>(b)]);
      continue;
    }
    if (!options_.unk_token && !options_.strict) continue;
    if (unk_ == kNoToken) return false;
    if (!options_.fuse_unk) flush();
    pending_unk = true;
  }
  flush();
  return true;
}

}  // namespace dynamo::tokenizer::detail
