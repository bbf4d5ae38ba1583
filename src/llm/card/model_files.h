// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/model_card.h>
#include <dynamo/llm/preproc/prompt_formatter.h>

#include <filesystem>
#include <optional>
#include <string>

namespace dynamo::llm::detail {

/// A file of a model folder, read whole.
struct ModelFile {
  std::filesystem::path path;
  std::string text;
  CheckedFile checked() const;
};

/// The file, or none when there is none. Errors: it is there but cannot be read.
Result<std::optional<ModelFile>> read_optional(const std::filesystem::path& path);
/// Its JSON; NaN and Infinity are read as null. Errors name the file, line and column.
Result<Json> parse_model_json(const ModelFile& file);

/// A non-negative number that may be missing; 0 counts as missing.
/// Errors: a value of another type, naming file and member.
Result<std::optional<std::uint32_t>> read_length(const Json& config, std::string_view pointer,
                                                 const std::filesystem::path& file);

/// Makes the formatter, or says in the card why chat is off.
void set_formatter(ModelCard& card, const PromptFacts& facts);

Result<void> load_folder(const std::filesystem::path& path, const ModelCardOptions& options,
                         ModelCard& card);
Result<void> load_gguf(const std::filesystem::path& path, const ModelCardOptions& options,
                       ModelCard& card);

/// The checksum that the workers of one model share: 64 hex digits. Source: llm-pipeline 3.3.
std::string mdc_sum(const ModelCard& card);

}  // namespace dynamo::llm::detail
