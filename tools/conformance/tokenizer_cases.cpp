// SPDX-License-Identifier: Apache-2.0
// Case files of tokenizers: text to ids and back, whole, cut short, and streamed. Schema: the
// README beside the cases.
#include <dynamo/base/json.h>
#include <dynamo/tokenizer/stream_decoder.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "kinds.h"

namespace dynamo::conformance {
namespace {

using tokenizer::TokenId;
using tokenizer::Tokenizer;
using Ids = std::vector<TokenId>;

std::string text_of(const Json* json) {
  const std::string* text = json != nullptr ? json->if_string() : nullptr;
  return text != nullptr ? *text : std::string();
}

Ids ids_of(const Json* json) {
  Ids ids;
  if (json == nullptr || json->if_array() == nullptr) return ids;
  for (const Json& id : *json->if_array())
    ids.push_back(static_cast<TokenId>(id.as_uint64().value_or(0)));
  return ids;
}

const Json::Array& array_of(const Json& json, std::string_view name) {
  static const Json::Array none;
  const Json* member = json.find(name);
  const Json::Array* array = member != nullptr ? member->if_array() : nullptr;
  return array != nullptr ? *array : none;
}

std::string spelled(const Ids& ids) {
  return fmt::format("{}", fmt::join(ids, " "));
}

std::filesystem::path default_tokenizers() {
  if (const char* cache = std::getenv("DYNAMO_CACHE_DIR"))
    return std::filesystem::path(cache) / "tokenizers";
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr ? home : ".") / ".cache/dynamo-cpp/tokenizers";
}

class CaseRunner {
 public:
  CaseRunner(std::string name, std::shared_ptr<const Tokenizer> tokenizer,
             const std::map<std::string, std::string>& texts, Tally& tally)
      : name_(std::move(name)), tokenizer_(std::move(tokenizer)), texts_(texts), tally_(tally) {}

  void run(const Json& file) {
    for (const Json& entry : array_of(file, "cases")) run_case(entry);
    for (const Json& entry : array_of(file, "partial_decode")) run_partial(entry);
    for (const Json& entry : array_of(file, "stream_decode")) run_stream(entry);
  }

 private:
  void check(const Json& entry, std::string_view what, std::string_view expected,
             std::string_view got) {
    if (got == expected) {
      tally_.pass();
      return;
    }
    const Json* id = entry.find("id");
    tally_.fail(
        fmt::format("{} {} {}", name_, text_of(id != nullptr ? id : entry.find("text_id")), what),
        Json(expected).dump(), Json(got).dump());
  }
  std::string input(const Json& entry) const {
    if (const Json* text = entry.find("text")) return text_of(text);
    const Json* id = entry.find("id");
    const auto found = texts_.find(text_of(id != nullptr ? id : entry.find("text_id")));
    return found != texts_.end() ? found->second : std::string();
  }
  Ids encode(std::string_view text, bool special) const {
    Ids ids;
    tokenizer::EncodeOptions options;
    options.add_special_tokens = special;
    if (auto done = tokenizer_->encode(text, ids, options); !done)
      fmt::print("{}: {}\n", name_, done.error().message());
    return ids;
  }

  void run_case(const Json& entry) {
    const std::string text = input(entry);
    const Ids expected = ids_of(entry.find("ids"));
    check(entry, "ids", spelled(expected), spelled(encode(text, false)));
    if (const Json* with = entry.find("ids_with_special")) {
      check(entry, "ids_with_special", spelled(ids_of(with)), spelled(encode(text, true)));
    }
    const Json* decoded = entry.find("decoded");
    const std::string whole = decoded != nullptr ? text_of(decoded) : text;
    check(entry, "decoded", whole, tokenizer_->decode(expected, false));
    const Json* skipped = entry.find("decoded_skip");
    check(entry, "decoded_skip", skipped != nullptr ? text_of(skipped) : whole,
          tokenizer_->decode(expected, true));
  }

  void run_partial(const Json& entry) {
    Ids ids = encode(input(entry), false);
    const std::size_t length = entry.find("prefix_len")->as_uint64().value_or(0);
    ids.resize(std::min(ids.size(), length));
    check(entry, fmt::format("partial_decode {}", length), text_of(entry.find("decoded")),
          tokenizer_->decode(ids, false));
  }

  void run_stream(const Json& entry) {
    tokenizer::StreamDecoder decoder(tokenizer_, {}, false);
    Json::Array got;
    for (const TokenId id : encode(input(entry), false)) {
      const std::string_view text = decoder.step(id);
      got.push_back(text.empty() ? Json() : Json(text));
    }
    check(entry, "stream_decode", Json(array_of(entry, "steps")).dump(),
          Json(std::move(got)).dump());
  }

  std::string name_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  const std::map<std::string, std::string>& texts_;
  Tally& tally_;
};

/// The tokenizer's file. Errors: unavailable when nobody can have it, not_found when it was not
/// fetched.
Result<std::filesystem::path> find_tokenizer(const Json& meta, const std::filesystem::path& folder,
                                             const std::filesystem::path& tokenizers) {
  if (const Json* local = meta.pointer("/source/local"))
    return folder.parent_path() / text_of(local);
  if (meta.pointer("/source/npm") == nullptr) {
    return fail(Errc::unavailable, "its tokenizer is in no package registry");
  }
  const auto path = tokenizers / text_of(meta.find("tokenizer")) / "tokenizer.json";
  if (!std::filesystem::exists(path)) {
    return fail(Errc::not_found, fmt::format("{} is absent; ./x deps fetches it", path.string()));
  }
  return path;
}

Result<void> run_file(const std::filesystem::path& file, const std::filesystem::path& tokenizers,
                      Tally& tally) {
  DYN_TRY(const Json cases, read_json(file.string()));
  const Json* meta = cases.find("meta");
  if (meta == nullptr) return fail(Errc::invalid_argument, file.string() + ": no 'meta'");
  const std::string name = text_of(meta->find("tokenizer"));
  const auto path = find_tokenizer(*meta, file.parent_path(), tokenizers);
  if (!path && path.error().code() == Errc::unavailable) {
    tally.skip(name, path.error().message());
    return {};
  }
  if (!path) return std::unexpected(path.error());
  DYN_TRY(const Json list, read_json((file.parent_path().parent_path() / "texts.json").string()));
  std::map<std::string, std::string> texts;
  if (list.if_array() != nullptr) {
    for (const Json& entry : *list.if_array())
      texts[text_of(entry.find("id"))] = text_of(entry.find("text"));
  }
  tokenizer::LoadOptions load;
  load.merge_config_specials = false;  // the cases were computed from tokenizer.json alone
  DYN_TRY(auto loaded, Tokenizer::load(*path, load));
  CaseRunner(name, std::move(loaded), texts, tally).run(cases);
  return {};
}

}  // namespace

int encode_lines(const std::string& path) {
  tokenizer::LoadOptions load;
  load.merge_config_specials = false;
  const auto loaded = Tokenizer::load(path, load);
  if (!loaded) {
    fmt::print(stderr, "dynamo-conformance: {}\n", loaded.error().message());
    return 2;
  }
  std::ios::sync_with_stdio(false);
  std::string answer;
  Ids ids;
  for (std::string line; std::getline(std::cin, line);) {
    answer.clear();
    ids.clear();
    JsonWriter out(answer);
    const auto request = parse_json(line);
    const std::string* text = request ? request->if_string() : nullptr;
    const auto done =
        text != nullptr ? (*loaded)->encode(*text, ids) : fail(Errc::invalid_argument, "no string");
    out.begin_object();
    if (done) {
      out.key("ids").begin_array();
      for (const TokenId id : ids) out.value(id);
      out.end_array();
      out.member("decoded", (*loaded)->decode(ids, false));
      out.member("skipped", (*loaded)->decode(ids, true));
    } else {
      out.member("error", done.error().message());
    }
    out.end_object();
    std::cout << answer << '\n';
  }
  std::cout.flush();
  return 0;
}

Result<void> run_tokenizers(const Options& options, Tally& tally) {
  const std::filesystem::path tokenizers =
      options.tokenizers.empty() ? default_tokenizers() : std::filesystem::path(options.tokenizers);
  for (const std::string& given : options.files) {
    std::vector<std::filesystem::path> files{given};
    if (std::filesystem::is_directory(given)) {
      files.clear();
      for (const auto& entry : std::filesystem::directory_iterator(given)) {
        if (entry.path().extension() == ".json") files.push_back(entry.path());
      }
      std::ranges::sort(files);
    }
    for (const auto& file : files) DYN_CHECK(run_file(file, tokenizers, tally));
  }
  return {};
}

}  // namespace dynamo::conformance
