// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/engines/batching/backend.h>
#include <dynamo/engines/llama/config.h>
#include <dynamo/engines/llama/llama_engine.h>

#include <filesystem>
#include <memory>

namespace dynamo::engines::llama {

/// Model and context of llama.cpp. The only file that calls the library is llama_backend.cpp.
/// Errors: those of LlamaEngine::load().
Result<std::unique_ptr<batching::Backend>> load_backend(const std::filesystem::path& path,
                                                        const Config& config,
                                                        const LoadProgress& progress);

}  // namespace dynamo::engines::llama
