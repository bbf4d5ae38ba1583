// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>
#include <dynamo/base/log.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <algorithm>

#include "llm/card/model_files.h"

namespace dynamo::llm::detail {
namespace {

namespace fs = std::filesystem;

/// The files of a folder that a card is made of.
struct FolderFiles {
  std::optional<ModelFile> config;
  std::optional<ModelFile> generation_config;
  std::optional<ModelFile> tokenizer_config;
  std::optional<ModelFile> special_tokens_map;
  Json config_json;
  Json generation_json;
  Json tokenizer_json;
  Json special_tokens_json;
};

Result<void> read_json(const fs::path& path, std::optional<ModelFile>& file, Json& json) {
  DYN_TRY(file, read_optional(path));
  if (!file) return {};
  DYN_TRY(json, parse_model_json(*file));
  return {};
}

Result<FolderFiles> read_files(const fs::path& folder) {
  FolderFiles files;
  DYN_CHECK(read_json(folder / "config.json", files.config, files.config_json));
  DYN_CHECK(
      read_json(folder / "generation_config.json", files.generation_config, files.generation_json));
  DYN_CHECK(
      read_json(folder / "tokenizer_config.json", files.tokenizer_config, files.tokenizer_json));
  DYN_CHECK(read_json(folder / "special_tokens_map.json", files.special_tokens_map,
                      files.special_tokens_json));
  return files;
}

// A number or a list of numbers; anything else is not an answer.
std::vector<TokenId> ids_in(const Json* value) {
  std::vector<TokenId> ids;
  const auto add = [&ids](const Json& one) {
    const auto id = one.as_uint64();
    if (id && std::in_range<TokenId>(*id) &&
        std::ranges::find(ids, static_cast<TokenId>(*id)) == ids.end()) {
      ids.push_back(static_cast<TokenId>(*id));
    }
  };
  if (value == nullptr) return ids;
  if (const Json::Array* items = value->if_array()) {
    for (const Json& item : *items) add(item);
  } else {
    add(*value);
  }
  return ids;
}

// The id of a special token that a configuration names by its text.
std::optional<TokenId> named_token(const Json& config, std::string_view name,
                                   const tokenizer::Tokenizer& tokenizer) {
  const Json* token = config.find(name);
  if (token != nullptr && token->is_object()) token = token->find("content");
  const std::string* text = token != nullptr ? token->if_string() : nullptr;
  return text != nullptr ? tokenizer.id_of(*text) : std::nullopt;
}

Result<void> find_special_ids(const FolderFiles& files, ModelCard& card) {
  for (const Json* source :
       {files.generation_json.find("eos_token_id"), files.config_json.find("eos_token_id"),
        files.config_json.pointer("/text_config/eos_token_id")}) {
    card.eos_token_ids = ids_in(source);
    if (!card.eos_token_ids.empty()) break;
  }
  for (const Json* source :
       {files.generation_json.find("bos_token_id"), files.config_json.find("bos_token_id"),
        files.config_json.pointer("/text_config/bos_token_id")}) {
    const auto ids = ids_in(source);
    if (ids.empty()) continue;
    card.bos_token_id = ids.front();
    break;
  }
  for (const Json* config : {&files.tokenizer_json, &files.special_tokens_json}) {
    if (!card.eos_token_ids.empty()) break;
    if (const auto id = named_token(*config, "eos_token", *card.tokenizer))
      card.eos_token_ids = {*id};
  }
  if (card.eos_token_ids.empty()) {
    return fail(Errc::invalid_argument,
                card.path.string() +
                    ": no eos_token_id in generation_config.json or config.json and no "
                    "eos_token in tokenizer_config.json");
  }
  return {};
}

Result<void> find_context_length(const FolderFiles& files, ModelCard& card) {
  for (const std::string_view pointer :
       {"/max_position_embeddings", "/text_config/max_position_embeddings"}) {
    if (card.architectural_context_length || !files.config) break;
    DYN_TRY(card.architectural_context_length,
            read_length(files.config_json, pointer, files.config->path));
  }
  if (!card.architectural_context_length && files.tokenizer_config) {
    DYN_TRY(card.architectural_context_length,
            read_length(files.tokenizer_json, "/model_max_length", files.tokenizer_config->path));
  }
  return {};
}

void read_generation_defaults(const Json& config, GenerationDefaults& defaults) {
  const auto number = [&config](std::string_view name) -> std::optional<float> {
    const Json* value = config.find(name);
    const auto number_value = value != nullptr ? value->as_double() : std::nullopt;
    return number_value ? std::optional<float>(static_cast<float>(*number_value)) : std::nullopt;
  };
  defaults.temperature = number("temperature");
  defaults.top_p = number("top_p");
  defaults.min_p = number("min_p");
  defaults.repetition_penalty = number("repetition_penalty");
  const Json* top_k = config.find("top_k");
  const auto k = top_k != nullptr ? top_k->as_int64() : std::nullopt;
  if (k && std::in_range<std::int32_t>(*k))
    defaults.top_k = *k == 0 ? -1 : static_cast<std::int32_t>(*k);
}

Result<void> load_tokenizer(const fs::path& folder, const FolderFiles& files, ModelCard& card) {
  DYN_TRY(const auto json, read_optional(folder / "tokenizer.json"));
  if (!json) {
    DYN_TRY(card.tokenizer, tokenizer::Tokenizer::load(folder));
    for (const auto& entry : fs::directory_iterator(folder)) {
      const fs::path& file = entry.path();
      if (file.extension() != ".tiktoken" && file.filename() != "tiktoken.model") continue;
      DYN_TRY(const auto ranks, read_optional(file));
      if (ranks) card.tokenizer_file = ranks->checked();
    }
    return {};
  }
  auto loaded = tokenizer::Tokenizer::from_json_text(
      json->text, {},
      files.tokenizer_config ? std::string_view(files.tokenizer_config->text) : std::string_view());
  if (!loaded) return fail(std::move(loaded).error().with(json->path.string()));
  card.tokenizer = *std::move(loaded);
  card.tokenizer_file = json->checked();
  return {};
}

// chat_template.jinja, else the member of chat_template.json; a file given by the user wins.
Result<void> read_chat_template(const fs::path& folder, const ModelCardOptions& options,
                                ModelCard& card, PromptFacts& facts) {
  if (!options.chat_template.empty()) {
    DYN_TRY(std::string source, base::read_file(options.chat_template));
    const ModelFile file{.path = options.chat_template, .text = std::move(source)};
    card.chat_template_file = file.checked();
    facts.override_template(file.text);
    return {};
  }
  DYN_TRY(const auto jinja, read_optional(folder / "chat_template.jinja"));
  if (jinja) {
    card.chat_template_file = jinja->checked();
    facts.override_template(jinja->text);
    return {};
  }
  DYN_TRY(const auto wrapped, read_optional(folder / "chat_template.json"));
  if (!wrapped) return {};
  DYN_TRY(const Json json, parse_model_json(*wrapped));
  const Json* source = json.find("chat_template");
  if (source == nullptr || !source->is_string()) {
    return fail(Errc::invalid_argument,
                wrapped->path.string() + ": `chat_template`: expected a string");
  }
  card.chat_template_file = wrapped->checked();
  facts.override_template(*source->if_string());
  return {};
}

}  // namespace

Result<void> load_folder(const fs::path& path, const ModelCardOptions& options, ModelCard& card) {
  DYN_TRY(const FolderFiles files, read_files(path));
  if (!files.config) {
    return fail(Errc::not_found,
                path.string() + ": no config.json; expected a Hugging Face model folder");
  }
  card.model_info_file = files.config->checked();
  if (files.generation_config) card.generation_config_file = files.generation_config->checked();
  if (files.tokenizer_config) card.prompt_formatter_file = files.tokenizer_config->checked();
  if (const Json* type = files.config_json.find("model_type");
      type != nullptr && type->is_string()) {
    card.model_type = *type->if_string();
  }
  DYN_CHECK(load_tokenizer(path, files, card));
  DYN_CHECK(find_special_ids(files, card));
  DYN_CHECK(find_context_length(files, card));
  read_generation_defaults(files.generation_json, card.generation_defaults);
  const Json* add_bos = files.tokenizer_json.find("add_bos_token");
  card.add_bos_token = add_bos != nullptr && add_bos->if_bool() != nullptr && *add_bos->if_bool();

  PromptFacts facts{.model_type = card.model_type, .model_name = card.name};
  DYN_CHECK(read_chat_template(path, options, card, facts));
  if (auto merged = facts.merge_tokenizer_config(files.tokenizer_json);
      files.tokenizer_config && !merged) {
    card.chat_disabled_reason = merged.error().message();
    DYN_LOG_WARN("llm::card", "chat_disabled",
                 {{"model", card.name}, {"reason", card.chat_disabled_reason}});
    return {};
  }
  set_formatter(card, facts);
  return {};
}

}  // namespace dynamo::llm::detail
