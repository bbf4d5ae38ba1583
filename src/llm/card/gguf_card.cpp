// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>
#include <dynamo/base/hash.h>
#include <dynamo/tokenizer/gguf.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <algorithm>
#include <system_error>

#include "llm/card/model_files.h"

namespace dynamo::llm::detail {
namespace {

constexpr std::string_view kTemplateKey = "tokenizer.chat_template";

void add_eos(const std::optional<tokenizer::TokenId>& id, ModelCard& card) {
  if (id && std::ranges::find(card.eos_token_ids, *id) == card.eos_token_ids.end()) {
    card.eos_token_ids.push_back(*id);
  }
}

std::optional<tokenizer::TokenId> token_at(const tokenizer::GgufMetadata& metadata,
                                           std::string_view key) {
  const auto id = metadata.integer(key);
  return id && std::in_range<tokenizer::TokenId>(*id)
             ? std::optional(static_cast<tokenizer::TokenId>(*id))
             : std::nullopt;
}

// "tokenizer.chat_template" is the default, "tokenizer.chat_template.NAME" are others.
void add_templates(const tokenizer::GgufMetadata& metadata, PromptFacts& facts) {
  for (const std::string_view key : metadata.keys()) {
    if (!key.starts_with(kTemplateKey)) continue;
    const auto source = metadata.string(key);
    if (!source) continue;
    std::string_view name = key.substr(kTemplateKey.size());
    if (name.empty()) {
      name = "default";
    } else if (name.starts_with('.')) {
      name.remove_prefix(1);
    } else {
      continue;
    }
    facts.templates.push_back({.name = std::string(name), .source = std::string(*source)});
  }
}

void add_special_tokens(const tokenizer::Tokenizer& tokenizer, PromptFacts& facts) {
  const auto& ids = tokenizer.named_ids();
  const auto add = [&](std::string_view name, const std::optional<tokenizer::TokenId>& id) {
    if (id) facts.special_tokens.emplace_back(name, tokenizer.token(*id));
  };
  add("bos_token", ids.bos);
  add("eos_token", ids.eos);
  add("unk_token", ids.unk);
  add("pad_token", ids.pad);
}

// There is no such card in the reference. The weights are not hashed, since that would take
// seconds: the sum stands for the file's size and what its head says about the model.
CheckedFile file_identity(const std::filesystem::path& path,
                          const tokenizer::GgufMetadata& metadata) {
  std::error_code ec;
  const auto size = std::filesystem::file_size(path, ec);
  base::Blake3 hash;
  hash.update(std::to_string(ec ? 0 : size));
  for (const std::string_view key : metadata.keys()) {
    hash.update(key);
    if (const auto text = metadata.string(key)) hash.update(*text);
    if (const auto number = metadata.integer(key)) hash.update(std::to_string(*number));
  }
  return {.path = path, .checksum = "blake3:" + hash.hex_digest(), .size_bytes = ec ? 0 : size};
}

}  // namespace

Result<void> load_gguf(const std::filesystem::path& path, const ModelCardOptions& options,
                       ModelCard& card) {
  DYN_TRY(const auto metadata, tokenizer::GgufMetadata::read(path));
  if (options.name.empty()) {
    if (const auto name = metadata.string("general.name"); name && !name->empty()) {
      card.name = *name;
    } else {
      card.name = path.stem().string();
    }
    card.slug = slugify(card.name);
  }
  card.model_info_file = file_identity(path, metadata);
  card.model_type = metadata.string("general.architecture").value_or("");
  const auto length = metadata.integer(card.model_type + ".context_length");
  if (length && *length > 0 && std::in_range<std::uint32_t>(*length)) {
    card.architectural_context_length = static_cast<std::uint32_t>(*length);
  }

  auto loaded = tokenizer::Tokenizer::from_gguf(metadata);
  if (!loaded) return fail(std::move(loaded).error().with(path.string()));
  card.tokenizer = *std::move(loaded);
  const auto& ids = card.tokenizer->named_ids();
  add_eos(ids.eos, card);
  add_eos(ids.eot, card);
  add_eos(token_at(metadata, "tokenizer.ggml.eom_token_id"), card);
  card.bos_token_id = ids.bos;
  card.add_bos_token = ids.add_bos;
  if (card.eos_token_ids.empty()) {
    return fail(Errc::invalid_argument, path.string() + ": no tokenizer.ggml.eos_token_id");
  }

  PromptFacts facts{.model_type = card.model_type, .model_name = card.name};
  add_special_tokens(*card.tokenizer, facts);
  if (!options.chat_template.empty()) {
    DYN_TRY(std::string source, base::read_file(options.chat_template));
    facts.override_template(std::move(source));
  } else {
    add_templates(metadata, facts);
  }
  set_formatter(card, facts);
  return {};
}

}  // namespace dynamo::llm::detail
