// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>
#include <dynamo/base/hash.h>
#include <dynamo/base/log.h>
#include <dynamo/config/configuration.h>
#include <dynamo/llm/model_card.h>

#include <array>
#include <system_error>

#include "llm/card/json5_numbers.h"
#include "llm/card/model_files.h"

namespace dynamo::llm {
namespace detail {
namespace {

void put_be32(base::Blake3& hash, std::uint32_t value) {
  const std::array<char, 4> bytes{static_cast<char>(value >> 24), static_cast<char>(value >> 16),
                                  static_cast<char>(value >> 8), static_cast<char>(value)};
  hash.update(std::string_view(bytes.data(), bytes.size()));
}

void put_byte(base::Blake3& hash, WorkerType type) {
  const char byte = static_cast<char>(type);
  hash.update(std::string_view(&byte, 1));
}

}  // namespace

CheckedFile ModelFile::checked() const {
  return {.path = path, .checksum = "blake3:" + base::blake3_hex(text), .size_bytes = text.size()};
}

Result<std::optional<ModelFile>> read_optional(const std::filesystem::path& path) {
  auto text = base::read_file(path);
  if (text) return ModelFile{.path = path, .text = *std::move(text)};
  if (text.error().code() == Errc::not_found) return std::nullopt;
  return fail(std::move(text).error());
}

Result<Json> parse_model_json(const ModelFile& file) {
  auto parsed = parse_json(file.text);
  if (!parsed) {
    auto tolerant = parse_json(without_json5_numbers(file.text));
    if (tolerant) return tolerant;
    return fail(std::move(parsed).error().with(file.path.string()));
  }
  return parsed;
}

Result<std::optional<std::uint32_t>> read_length(const Json& config, std::string_view pointer,
                                                 const std::filesystem::path& file) {
  const Json* value = config.pointer(pointer);
  if (value == nullptr || value->is_null()) return std::nullopt;
  const auto number = value->as_double();
  if (!number || *number < 0) {
    return fail(Errc::invalid_argument, file.string() + ": `" + std::string(pointer.substr(1)) +
                                            "`: expected a length in tokens, got " +
                                            value->dump().substr(0, 64));
  }
  // Some configurations write "no limit" as 1e30.
  constexpr double kUnlimited = 4294967295.0;
  if (*number == 0 || *number >= kUnlimited) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

void set_formatter(ModelCard& card, const PromptFacts& facts) {
  auto formatter =
      make_prompt_formatter(facts, {.exclude_tools_when_tool_choice_none =
                                        card.runtime_config.exclude_tools_when_tool_choice_none &&
                                        config::get(config::var::exclude_tools_when_none)});
  if (formatter) {
    card.formatter = *std::move(formatter);
    return;
  }
  card.chat_disabled_reason = formatter.error().message();
  DYN_LOG_WARN("llm::card", "chat_disabled",
               {{"model", card.name}, {"reason", card.chat_disabled_reason}});
}

std::string mdc_sum(const ModelCard& card) {
  base::Blake3 hash;
  hash.update(card.name);
  hash.update(card.source_path);
  for (const auto* file : {&card.model_info_file, &card.tokenizer_file, &card.prompt_formatter_file,
                           &card.chat_template_file, &card.generation_config_file}) {
    if (*file) hash.update((*file)->checksum);
  }
  put_be32(hash, card.context_length());
  put_be32(hash, card.kv_block_size_tokens);
  put_byte(hash, card.worker_type);
  put_be32(hash, static_cast<std::uint32_t>(card.needs.size()));
  for (const auto& alternative : card.needs) {
    put_be32(hash, static_cast<std::uint32_t>(alternative.size()));
    for (const WorkerType type : alternative) put_byte(hash, type);
  }
  if (!card.aliases.empty()) {
    put_be32(hash, static_cast<std::uint32_t>(card.aliases.size()));
    for (const std::string& alias : card.aliases) {
      put_be32(hash, static_cast<std::uint32_t>(alias.size()));
      hash.update(alias);
    }
  }
  return hash.hex_digest();
}

}  // namespace detail

std::string slugify(std::string_view name) {
  std::string slug;
  slug.reserve(name.size());
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    slug += kept ? c : '_';
  }
  slug.erase(0, slug.find_first_not_of('_'));
  return slug;
}

Result<ModelCardPtr> load_model_card(const std::filesystem::path& path,
                                     const ModelCardOptions& options) {
  std::error_code ec;
  const std::filesystem::path canonical = std::filesystem::canonical(path, ec);
  if (ec) {
    const Errc code =
        ec == std::errc::permission_denied ? Errc::permission_denied : Errc::not_found;
    return fail(code, "model path " + path.string() + ": " + ec.message());
  }
  auto card = std::make_shared<ModelCard>();
  card->path = canonical;
  card->name = options.name.empty() ? path.string() : options.name;
  card->slug = slugify(card->name);
  card->aliases = options.aliases;
  card->kv_block_size_tokens = options.kv_block_size_tokens;
  card->migration_limit = options.migration_limit;
  card->runtime_config = options.runtime_config;
  if (std::filesystem::is_directory(canonical, ec)) {
    DYN_CHECK(detail::load_folder(canonical, options, *card));
  } else if (canonical.extension() == ".gguf") {
    DYN_CHECK(detail::load_gguf(canonical, options, *card));
  } else {
    return fail(Errc::invalid_argument,
                "model path " + path.string() + ": expected a Hugging Face folder or a .gguf file");
  }
  card->mdc_sum = detail::mdc_sum(*card);
  return card;
}

}  // namespace dynamo::llm
