// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>
#include <dynamo/llm/fwd.h>
#include <dynamo/llm/protocols/preprocessed_request.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::llm {

/// A file of the model with its checksum, as cards name it on the wire.
struct CheckedFile {
  std::filesystem::path path;
  std::string checksum;  ///< "blake3:<64 hex digits>"
  std::uint64_t size_bytes = 0;
};

/// Sampling parameters that the model's author recommends (generation_config.json).
struct GenerationDefaults {
  std::optional<float> temperature;
  std::optional<float> top_p;
  std::optional<std::int32_t> top_k;
  std::optional<float> min_p;
  std::optional<float> repetition_penalty;
};

/// How the model is served; not part of the model itself. Source: ModelRuntimeConfig (v1.5).
struct ModelRuntimeConfig {
  std::optional<std::uint32_t> context_length;  ///< what the engine can do, when less
  std::optional<std::string> tool_call_parser;
  std::optional<std::string> reasoning_parser;
  bool tool_call_arguments_as_object = false;
  bool exclude_tools_when_tool_choice_none = true;
  /// "enabled" or "disabled": applied when a request says nothing about thinking.
  std::optional<std::string> default_thinking_mode;
};

/// What a worker of the model does. The numbers take part in the checksum.
enum class WorkerType : std::uint8_t {
  unknown = 0,
  prefill = 1,
  decode = 2,
  encode = 3,
  aggregated = 4
};

/// Everything that the frontend has to know about one model to turn requests into token ids and
/// token ids into answers.
///
/// Immutable once loaded and shared; thread-safe. A template that does not compile leaves
/// `formatter` null and says why in `chat_disabled_reason`: completions still work.
/// Source: ModelDeploymentCard (v1.5), spec llm-pipeline 3.2.
struct ModelCard {
  std::string name;  ///< as clients name it (display_name)
  std::string slug;
  std::string source_path;     ///< repository it can be downloaded from; empty when local
  std::filesystem::path path;  ///< folder or .gguf file it was loaded from
  std::string model_type;      ///< of config.json, or general.architecture of a GGUF
  std::string mdc_sum;         ///< 64 hex digits (llm-pipeline 3.3)
  std::vector<std::string> aliases;
  WorkerType worker_type = WorkerType::aggregated;
  /// Sets of other workers, one of which has to be there.
  std::vector<std::vector<WorkerType>> needs;

  std::optional<std::uint32_t> architectural_context_length;
  std::uint32_t kv_block_size_tokens = 16;
  std::uint32_t migration_limit = 0;
  std::vector<TokenId> eos_token_ids;
  std::optional<TokenId> bos_token_id;
  bool add_bos_token = false;  ///< of tokenizer_config.json: plain completions get it
  GenerationDefaults generation_defaults;
  ModelRuntimeConfig runtime_config;

  std::optional<CheckedFile> model_info_file;
  std::optional<CheckedFile> tokenizer_file;
  std::optional<CheckedFile> prompt_formatter_file;
  std::optional<CheckedFile> chat_template_file;
  std::optional<CheckedFile> generation_config_file;

  std::shared_ptr<const tokenizer::Tokenizer> tokenizer;
  std::shared_ptr<const PromptFormatter> formatter;  ///< null when chat is off
  std::string chat_disabled_reason;

  /// Tokens a prompt and its answer may have together: the engine's limit, else the
  /// architecture's; 0 when unknown.
  std::uint32_t context_length() const noexcept {
    return runtime_config.context_length ? *runtime_config.context_length
                                         : architectural_context_length.value_or(0);
  }
};
using ModelCardPtr = std::shared_ptr<const ModelCard>;

struct ModelCardOptions {
  std::string name;  ///< empty: the path as given
  std::vector<std::string> aliases;
  std::filesystem::path chat_template;  ///< overrides the model's own; must be readable
  std::uint32_t kv_block_size_tokens = 16;
  std::uint32_t migration_limit = 0;
  ModelRuntimeConfig runtime_config;
};

/// Loads a Hugging Face folder (config.json, tokenizer.json, tokenizer_config.json,
/// generation_config.json, chat_template.jinja or .json) or a .gguf file. Reads whole files: not
/// for a shard.
/// Errors: not_found and permission_denied name the path; invalid_argument names file and member.
Result<ModelCardPtr> load_model_card(const std::filesystem::path& path,
                                     const ModelCardOptions& options = {});

/// Lower case, characters outside [a-z0-9-_] as '_', leading '_' trimmed.
std::string slugify(std::string_view name);

}  // namespace dynamo::llm
