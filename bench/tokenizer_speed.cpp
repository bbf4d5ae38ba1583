// SPDX-License-Identifier: Apache-2.0
// Speed of one tokenizer on one thread, in CPU time. ./x bench tokenizer runs it beside the Python
// packages on the same texts and compares the ids.
//
// usage: tokenizer_speed TOKENIZER_JSON [--ids FOLDER] NAME=TEXT_FILE…
// Prints one JSON object per line: load, then per text the first pass (nothing has been seen) and
// the better of two more, then decoding. The ids go to FOLDER/NAME.ids, 32 bits each.
#include <dynamo/base/file.h>
#include <dynamo/base/json.h>
#include <dynamo/tokenizer/stream_decoder.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using dynamo::Json;
using dynamo::tokenizer::TokenId;
using dynamo::tokenizer::Tokenizer;

/// The Python side cuts its texts every 4096 characters too.
constexpr std::size_t kPieceCharacters = 4096;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::vector<std::string_view> pieces_of(std::string_view text) {
  std::vector<std::string_view> out;
  std::size_t start = 0;
  std::size_t characters = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) continue;
    if (characters == kPieceCharacters) {
      out.push_back(text.substr(start, at - start));
      start = at;
      characters = 0;
    }
    ++characters;
  }
  if (start < text.size()) out.push_back(text.substr(start));
  return out;
}

void print(std::initializer_list<std::pair<std::string_view, Json>> members) {
  std::printf("%s\n", Json::object(members).dump().c_str());
  std::fflush(stdout);
}

int report(const dynamo::Error& error) {
  std::fprintf(stderr, "tokenizer_speed: %s\n", error.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: tokenizer_speed TOKENIZER_JSON [--ids FOLDER] NAME=TEXT_FILE…\n");
    return 2;
  }
  double started = cpu_seconds();
  auto loaded = Tokenizer::load(argv[1]);
  if (!loaded) return report(loaded.error());
  double best_load = cpu_seconds() - started;
  for (int i = 0; i < 4; ++i) {
    started = cpu_seconds();
    loaded = Tokenizer::load(argv[1]);
    best_load = std::min(best_load, cpu_seconds() - started);
  }
  print({{"load_ms", best_load * 1e3},
         {"memory_mb", static_cast<double>((*loaded)->memory_bytes()) / 1e6}});

  std::vector<TokenId> last_ids;
  std::string folder;
  for (int i = 2; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--ids" && i + 1 < argc) {
      folder = argv[++i];
      continue;
    }
    const std::size_t equals = argument.find('=');
    const auto text = dynamo::base::read_file(std::string(argument.substr(equals + 1)));
    if (!text) return report(text.error());
    const auto pieces = pieces_of(*text);
    // A fresh tokenizer for each text: nothing is remembered.
    loaded = Tokenizer::load(argv[1]);
    const Tokenizer& tokenizer = **loaded;
    std::vector<TokenId> ids;
    double passes[3] = {};
    for (double& seconds : passes) {
      started = cpu_seconds();
      for (const std::string_view piece : pieces) {
        ids.clear();
        if (const auto done = tokenizer.encode(piece, ids); !done) return report(done.error());
      }
      seconds = cpu_seconds() - started;
    }
    last_ids.clear();
    for (const std::string_view piece : pieces) {
      if (const auto done = tokenizer.encode(piece, last_ids); !done) return report(done.error());
    }
    if (!folder.empty()) {
      std::ofstream file(folder + "/" + std::string(argument.substr(0, equals)) + ".ids",
                         std::ios::binary);
      file.write(reinterpret_cast<const char*>(last_ids.data()),
                 static_cast<std::streamsize>(last_ids.size() * sizeof(TokenId)));
    }
    const auto size = static_cast<double>(text->size());
    print({{"text", argument.substr(0, equals)},
           {"cold_mb_s", size / passes[0] / 1e6},
           {"warm_mb_s", size / std::min(passes[1], passes[2]) / 1e6},
           {"tokens", static_cast<std::uint64_t>(last_ids.size())}});

    started = cpu_seconds();
    std::string out;
    tokenizer.decode(last_ids, false, out);
    const double decode_seconds = cpu_seconds() - started;
    dynamo::tokenizer::StreamDecoder stream(*loaded, {}, false);
    std::size_t streamed = 0;
    started = cpu_seconds();
    for (const TokenId id : last_ids) streamed += stream.step(id).size();
    const double stream_seconds = cpu_seconds() - started;
    const auto count = static_cast<double>(last_ids.size());
    print({{"text", argument.substr(0, equals)},
           {"decode_mtok_s", count / decode_seconds / 1e6},
           {"stream_ns_per_token", stream_seconds * 1e9 / count},
           {"round_trip", streamed > 0 && out.size() == text->size()}});
  }
  return 0;
}
