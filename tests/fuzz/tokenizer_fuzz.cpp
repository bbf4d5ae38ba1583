// SPDX-License-Identifier: Apache-2.0
// Files and texts that a tokenizer meets. The first byte picks the target.
#include <dynamo/base/assert.h>
#include <dynamo/base/utf8.h>
#include <dynamo/tokenizer/gguf.h>
#include <dynamo/tokenizer/stop_matcher.h>
#include <dynamo/tokenizer/stream_decoder.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/regex/regex.h"
#include "tokenizer/split/scanner.h"

namespace {

using namespace dynamo;
using tokenizer::TokenId;
using tokenizer::Tokenizer;

tokenizer::LoadOptions small_steps() {
  tokenizer::LoadOptions options;
  options.regex_step_limit = 20'000;
  return options;
}

/// Encoding never fails on UTF-8 for this tokenizer, and what it gives can be decoded and streamed.
void round_trip(const std::shared_ptr<const Tokenizer>& tokenizer, std::string_view text,
                bool exact) {
  std::vector<TokenId> ids;
  if (!tokenizer->encode(text, ids)) return;
  for (const TokenId id : ids) DYN_ASSERT(id < tokenizer->vocab_size());
  std::string decoded;
  tokenizer->decode(ids, false, decoded);
  DYN_ASSERT(base::is_valid_utf8(decoded));
  if (exact) DYN_ASSERT(decoded == text);
  tokenizer::StreamDecoder stream(tokenizer, {}, false);
  std::string streamed;
  for (const TokenId id : ids) streamed += stream.step(id);
  streamed += stream.finish();
  DYN_ASSERT(base::is_valid_utf8(streamed));
  if (exact) DYN_ASSERT(streamed == text);
}

void load_json(std::string_view data) {
  const auto loaded = Tokenizer::from_json_text(data, small_steps());
  if (!loaded) return;
  for (const std::string_view text :
       {"Hello, wörld 123!  \n<s> don't", "", "日本語 \U0001F468\u200D\U0001F469"}) {
    round_trip(*loaded, text, false);
  }
}

/// A byte-level tokenizer with all bytes and a few merges, which gives back every text.
const std::shared_ptr<const Tokenizer>& byte_level() {
  static const std::shared_ptr<const Tokenizer> made = [] {
    std::string ranks;
    constexpr std::string_view kBase64 =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    auto add = [&, rank = 0](std::string_view token) mutable {
      std::string padded(token);
      const std::size_t missing = (3 - token.size() % 3) % 3;
      padded.append(missing, '\0');
      for (std::size_t i = 0; i < padded.size(); i += 3) {
        const auto b = [&](std::size_t k) {
          return static_cast<std::uint32_t>(static_cast<unsigned char>(padded[i + k]));
        };
        const std::uint32_t word = b(0) << 16 | b(1) << 8 | b(2);
        for (int shift = 18; shift >= 0; shift -= 6) ranks += kBase64[word >> shift & 63];
      }
      if (missing > 0) ranks.replace(ranks.size() - missing, missing, missing, '=');
      ranks += " " + std::to_string(rank++) + "\n";
    };
    for (int b = 0; b < 256; ++b) add(std::string(1, static_cast<char>(b)));
    for (const std::string_view token : {"in", "th", "the", " t", "aa", "aaa", "aaaa", "\xE4\xBD",
                                         "\xE4\xBD\xA0", "  ", "    ", "\xF0\x9F"}) {
      add(token);
    }
    auto loaded = Tokenizer::from_tiktoken_text(ranks, "kimi_k2");
    DYN_ASSERT(loaded.has_value());
    return *std::move(loaded);
  }();
  return made;
}

void encode(std::string_view data) {
  const std::string text = base::to_valid_utf8(data);
  round_trip(byte_level(), text, true);
  std::vector<TokenId> ids;
  if (!base::is_valid_utf8(data)) DYN_ASSERT(!byte_level()->encode(data, ids).has_value());
}

/// Pattern, zero byte, text.
void match(std::string_view data) {
  const std::size_t zero = data.find('\0');
  if (zero == std::string_view::npos) return;
  const auto pattern = tokenizer::regex::Regex::make(data.substr(0, zero));
  if (!pattern) return;
  const std::string text = base::to_valid_utf8(data.substr(zero + 1));
  std::vector<tokenizer::regex::Match> matches;
  if (!pattern->find_all(text, 50'000, matches)) return;
  std::size_t at = 0;
  for (const auto& found : matches) {
    DYN_ASSERT(found.begin >= at && found.begin <= found.end && found.end <= text.size());
    at = found.end;
  }
}

/// The hand-written scanners against the regular expressions they stand for.
void scan(std::string_view data) {
  if (data.empty()) return;
  const auto patterns = tokenizer::detail::scanned_patterns();
  static const std::vector<tokenizer::regex::Regex> compiled = [&] {
    std::vector<tokenizer::regex::Regex> list;
    for (const std::string_view pattern : patterns)
      list.push_back(*tokenizer::regex::Regex::make(pattern));
    return list;
  }();
  const std::size_t which = static_cast<unsigned char>(data[0]) % patterns.size();
  const std::string text = base::to_valid_utf8(data.substr(1));
  if (text.empty()) return;
  const tokenizer::detail::RegexSplitter splitter(
      compiled[which], tokenizer::detail::SplitBehavior::isolated, false, 50'000'000);
  tokenizer::detail::RangeList expected;
  tokenizer::detail::RangeList got;
  const tokenizer::detail::Range whole{0, static_cast<std::uint32_t>(text.size())};
  if (!splitter.split(text, whole, expected)) return;
  tokenizer::detail::find_scanner(patterns[which])(text, whole, got);
  DYN_ASSERT(expected.size() == got.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    DYN_ASSERT(expected.ranges()[i].begin == got.ranges()[i].begin &&
               expected.ranges()[i].end == got.ranges()[i].end);
  }
}

void read_gguf(std::string_view data) {
  tokenizer::GgufLimits limits;
  limits.metadata_bytes = 1 << 20;
  const auto metadata = tokenizer::GgufMetadata::parse(data, limits);
  if (!metadata) return;
  for (const std::string_view key : metadata->keys()) {
    if (const auto array = metadata->array(key)) {
      (void)array->strings();
      (void)array->integer(0);
      (void)array->real(array->size());
    }
    (void)metadata->string(key);
    (void)metadata->integer(key);
  }
  if (const auto loaded = Tokenizer::from_gguf(*metadata))
    round_trip(*loaded, "Hello 123\n", false);
}

void read_tiktoken(std::string_view data) {
  const std::size_t zero = std::min(data.find('\0'), data.size());
  const auto loaded = Tokenizer::from_tiktoken_text(data.substr(0, zero), "kimi", small_steps(),
                                                    data.substr(std::min(zero + 1, data.size())));
  if (loaded) round_trip(*loaded, "Hello 123\n", false);
}

/// Stop strings behind zero bytes, then the text, in chunks of every size up to 4.
void stop(std::string_view data) {
  std::vector<tokenizer::StopMatcher::StopString> stops;
  for (int i = 0; i < 3; ++i) {
    const std::size_t zero = std::min(data.find('\0'), data.size());
    stops.push_back({std::string(data.substr(0, zero)), i == 2});
    data.remove_prefix(std::min(zero + 1, data.size()));
  }
  const auto run = [&](std::size_t chunk) {
    tokenizer::StopMatcher matcher(stops);
    std::string out;
    for (std::size_t i = 0; i < data.size(); i += chunk) {
      const auto step = matcher.feed(data.substr(i, chunk));
      out += step.release;
      if (step.hit) return out + "|" + std::to_string(step.hit->index);
    }
    out += matcher.finish();
    return out;
  };
  const std::string whole = run(std::max<std::size_t>(1, data.size()));
  for (std::size_t chunk = 1; chunk < 5; ++chunk) DYN_ASSERT(run(chunk) == whole);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view data(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  static constexpr std::array kTargets = {load_json, encode,        match, scan,
                                          read_gguf, read_tiktoken, stop};
  kTargets[bytes[0] % kTargets.size()](data);
  return 0;
}
