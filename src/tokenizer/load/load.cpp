// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>
#include <dynamo/base/utf8.h>
#include <dynamo/tokenizer/gguf.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "tokenizer/load/gguf_vocabulary.h"
#include "tokenizer/load/tiktoken.h"
#include "tokenizer/load/tokenizer_json.h"
#include "tokenizer/tokenizer_impl.h"
#include "tokenizer/unicode/text_check.h"

namespace dynamo::tokenizer {
namespace {

namespace fs = std::filesystem;

/// A published tokenizer.json has at most 33 MB.
constexpr std::size_t kFileBytesLimit = std::size_t{512} << 20;
constexpr std::size_t kConfigBytesLimit = std::size_t{64} << 20;

bool is_there(const fs::path& path) {
  std::error_code ec;
  return fs::exists(path, ec);
}

/// The file's text, or empty when there is none.
std::string read_optional(const fs::path& path) {
  auto text = base::read_file(path, kConfigBytesLimit);
  return text ? *std::move(text) : std::string();
}

/// What to load from a folder.
Result<fs::path> find_in_folder(const fs::path& folder) {
  if (is_there(folder / "tokenizer.json")) return folder / "tokenizer.json";
  if (is_there(folder / "tiktoken.model")) return folder / "tiktoken.model";
  std::vector<fs::path> tiktoken;
  std::vector<fs::path> gguf;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    if (entry.path().extension() == ".tiktoken") tiktoken.push_back(entry.path());
    if (entry.path().extension() == ".gguf") gguf.push_back(entry.path());
  }
  if (tiktoken.size() == 1) return tiktoken.front();
  if (tiktoken.empty() && gguf.size() == 1) return gguf.front();
  return fail(Errc::not_found,
              fmt::format("{}: no tokenizer.json, and {} *.tiktoken and {} *.gguf files",
                          folder.string(), tiktoken.size(), gguf.size()));
}

Result<std::string> model_type_beside(const fs::path& file) {
  const fs::path path = file.parent_path() / "config.json";
  DYN_TRY(const std::string text, base::read_file(path, kConfigBytesLimit));
  auto json = parse_json(text);
  if (!json) return std::unexpected(std::move(json.error()).with(path.string()));
  const Json* type = json->find("model_type");
  if (type == nullptr || !type->is_string()) {
    return fail(Errc::invalid_argument, fmt::format("{}: no 'model_type'", path.string()));
  }
  return *type->if_string();
}

Result<std::shared_ptr<const Tokenizer>> load_file(const fs::path& path,
                                                   const LoadOptions& options) {
  const std::string extension = path.extension().string();
  if (extension == ".gguf") {
    DYN_TRY(const GgufMetadata metadata, GgufMetadata::read(path));
    return Tokenizer::from_gguf(metadata, options);
  }
  const bool tiktoken = extension == ".model" || extension == ".tiktoken";
  if (extension != ".json" && !tiktoken) {
    return fail(Errc::unimplemented,
                fmt::format("'{}' is no tokenizer file: expected .json, .tiktoken, .model or .gguf",
                            path.filename().string()));
  }
  DYN_TRY(const std::string text, base::read_file(path, kFileBytesLimit));
  const std::string config = read_optional(path.parent_path() / "tokenizer_config.json");
  if (!tiktoken) return Tokenizer::from_json_text(text, options, config);
  DYN_TRY(const std::string model_type, model_type_beside(path));
  return Tokenizer::from_tiktoken_text(text, model_type, options, config);
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::load(const fs::path& given,
                                                         const LoadOptions& options) {
  std::error_code ec;
  fs::path path = given;
  if (fs::is_directory(path, ec)) {
    DYN_TRY(path, find_in_folder(given));
  } else if (!fs::exists(path, ec)) {
    return fail(Errc::not_found, fmt::format("{}: no such file", path.string()));
  }
  auto loaded = load_file(path, options);
  if (!loaded && loaded.error().message().find(path.string()) == std::string::npos) {
    return std::unexpected(std::move(loaded.error()).with(path.string()));
  }
  return loaded;
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_json_text(std::string_view json,
                                                                   const LoadOptions& options,
                                                                   std::string_view config_json) {
  if (!unicode::is_utf8(json)) {
    return fail(Errc::invalid_argument, fmt::format("tokenizer JSON is not UTF-8 at byte {}",
                                                    base::valid_utf8_prefix(json)));
  }
  DYN_TRY(detail::Parts parts, detail::read_tokenizer_json(json, options, config_json));
  DYN_TRY(auto impl, Impl::make(std::move(parts)));
  return std::shared_ptr<const Tokenizer>(new Tokenizer(std::move(impl)));
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_tiktoken_text(
    std::string_view ranks, std::string_view model_type, const LoadOptions& options,
    std::string_view config_json) {
  DYN_TRY(detail::Parts parts, detail::read_tiktoken(ranks, model_type, options, config_json));
  DYN_TRY(auto impl, Impl::make(std::move(parts)));
  return std::shared_ptr<const Tokenizer>(new Tokenizer(std::move(impl)));
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_gguf(const GgufMetadata& metadata,
                                                              const LoadOptions& options) {
  DYN_TRY(detail::Parts parts, detail::read_gguf_vocabulary(metadata, options));
  DYN_TRY(auto impl, Impl::make(std::move(parts)));
  return std::shared_ptr<const Tokenizer>(new Tokenizer(std::move(impl)));
}

}  // namespace dynamo::tokenizer
