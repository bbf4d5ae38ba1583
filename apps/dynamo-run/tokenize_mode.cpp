// SPDX-License-Identifier: Apache-2.0
#include "tokenize_mode.h"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

namespace dynamo::run {
namespace {

constexpr std::string_view kUsage =
    "usage: dynamo-run tokenize MODEL [--decode | --bench]\n"
    "  MODEL is a folder with tokenizer.json, a tokenizer.json, a .tiktoken or a .gguf file.\n"
    "  Reads standard input and prints one line of token ids per line;\n"
    "  --decode does the reverse, --bench measures encoding the whole input.\n";
constexpr std::size_t kPieceBytes = 4096;

std::string at_line(std::size_t number) {
  return "line " + std::to_string(number);
}

std::vector<std::string_view> pieces_of(std::string_view text) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    std::size_t length = std::min(kPieceBytes, text.size());
    if (length < text.size()) {
      if (const std::size_t newline = text.rfind('\n', length);
          newline != std::string_view::npos && newline > 0) {
        length = newline;
      } else {
        while (length > 1 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
      }
    }
    pieces.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return pieces;
}

}  // namespace

Result<void> encode_lines(const tokenizer::Tokenizer& tokenizer, std::istream& in,
                          std::ostream& out) {
  std::vector<tokenizer::TokenId> ids;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    ids.clear();
    if (auto done = tokenizer.encode(line, ids); !done)
      return fail(std::move(done).error().with(at_line(number)));
    for (std::size_t i = 0; i < ids.size(); ++i) out << (i == 0 ? "" : " ") << ids[i];
    out << '\n';
  }
  return {};
}

Result<void> decode_lines(const tokenizer::Tokenizer& tokenizer, std::istream& in,
                          std::ostream& out) {
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    std::vector<tokenizer::TokenId> ids;
    std::string_view rest = line;
    while (true) {
      const std::size_t start = rest.find_first_not_of(" \t\r,");
      if (start == std::string_view::npos) break;
      rest.remove_prefix(start);
      const std::string_view word = rest.substr(0, rest.find_first_of(" \t\r,"));
      tokenizer::TokenId id = 0;
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
      if (error != std::errc{} || end != word.data() + word.size()) {
        return fail(Errc::invalid_argument,
                    at_line(number) + ": '" + std::string(word) + "' is not a token id");
      }
      ids.push_back(id);
      rest.remove_prefix(word.size());
    }
    out << tokenizer.decode(ids, false) << '\n';
  }
  return {};
}

Result<TokenizeBench> bench_encoding(const tokenizer::Tokenizer& tokenizer, std::string_view text) {
  if (text.empty()) return fail(Errc::invalid_argument, "there is no text to encode");
  const auto pieces = pieces_of(text);
  TokenizeBench result{.bytes = text.size()};
  std::vector<tokenizer::TokenId> ids;
  for (double* speed : {&result.first_pass_mb_per_s, &result.second_pass_mb_per_s}) {
    result.tokens = 0;
    const auto started = std::chrono::steady_clock::now();
    for (const std::string_view piece : pieces) {
      ids.clear();
      DYN_CHECK(tokenizer.encode(piece, ids));
      result.tokens += ids.size();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    *speed = static_cast<double>(text.size()) / 1e6 / took.count();
  }
  return result;
}

int run_tokenize(std::span<const std::string_view> words) {
  std::string model;
  bool decode = false;
  bool bench = false;
  for (const std::string_view word : words) {
    if (word == "--decode") {
      decode = true;
    } else if (word == "--bench") {
      bench = true;
    } else if (word == "-h" || word == "--help") {
      std::fputs(kUsage.data(), stdout);
      return 0;
    } else if (word.starts_with("-") || !model.empty()) {
      std::fprintf(stderr, "dynamo-run tokenize: unexpected '%.*s'\n%s",
                   static_cast<int>(word.size()), word.data(), kUsage.data());
      return 2;
    } else {
      model = word;
    }
  }
  if (model.empty() || (decode && bench)) {
    std::fputs(kUsage.data(), stderr);
    return 2;
  }
  const auto started = std::chrono::steady_clock::now();
  const auto loaded = tokenizer::Tokenizer::load(model);
  if (!loaded) {
    std::fprintf(stderr, "dynamo-run tokenize: %s\n", loaded.error().message().c_str());
    return 1;
  }
  const std::chrono::duration<double, std::milli> load_time =
      std::chrono::steady_clock::now() - started;
  std::ios::sync_with_stdio(false);
  Result<void> done;
  if (bench) {
    const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    const auto result = bench_encoding(**loaded, text);
    if (result) {
      std::printf(
          "{\"load_ms\":%.1f,\"bytes\":%llu,\"tokens\":%llu,\"first_pass_mb_per_s\":%.1f,\"second_"
          "pass_mb_per_s\":%.1f}\n",
          load_time.count(), static_cast<unsigned long long>(result->bytes),
          static_cast<unsigned long long>(result->tokens), result->first_pass_mb_per_s,
          result->second_pass_mb_per_s);
    } else {
      done = fail(result.error());
    }
  } else {
    done = decode ? decode_lines(**loaded, std::cin, std::cout)
                  : encode_lines(**loaded, std::cin, std::cout);
    std::cout.flush();
  }
  if (!done) {
    std::fprintf(stderr, "dynamo-run tokenize: %s\n", done.error().message().c_str());
    return 1;
  }
  return 0;
}

}  // namespace dynamo::run
