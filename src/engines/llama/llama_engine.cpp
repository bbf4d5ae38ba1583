// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/log.h>
#include <dynamo/engines/batching/batching_engine.h>
#include <dynamo/engines/llama/llama_engine.h>

#include <utility>

#include "engines/llama/llama_backend.h"

namespace dynamo::engines::llama {

LlamaEngine::LlamaEngine(std::unique_ptr<batching::BatchingEngine> engine)
    : engine_(std::move(engine)) {}

LlamaEngine::~LlamaEngine() = default;

Result<std::unique_ptr<LlamaEngine>> LlamaEngine::load(const std::filesystem::path& path,
                                                       const Config& config, LoadOptions options) {
  DYN_TRY(auto backend, load_backend(path, config, options.progress));
  const batching::ModelFacts facts = backend->facts();
  DYN_TRY(auto engine,
          batching::BatchingEngine::create(std::move(backend),
                                           {.max_num_seqs = config.max_num_seqs,
                                            .max_waiting = config.max_waiting,
                                            .kv_block_size_tokens = config.kv_cache_block_size,
                                            .enable_prefix_caching = config.enable_prefix_caching,
                                            .seed = config.seed,
                                            .name_block = {},
                                            .on_kv_event = std::move(options.on_kv_event),
                                            .compute_pool = options.compute_pool}));
  DYN_LOG_INFO("engines::llama", "model_loaded",
               {{"model", facts.name},
                {"device", compute_device()},
                {"context_length", facts.context_length},
                {"kv_cells", facts.cells},
                {"library", library_version()}});
  return std::unique_ptr<LlamaEngine>(new LlamaEngine(std::move(engine)));
}

boost::asio::awaitable<Result<std::unique_ptr<llm::OutputStream>>> LlamaEngine::generate(
    llm::PreprocessedRequest request, runtime::ContextPtr context) {
  return engine_->generate(std::move(request), std::move(context));
}

llm::TokenEngine::Info LlamaEngine::info() const {
  return engine_->info();
}
batching::Statistics LlamaEngine::statistics() const {
  return engine_->statistics();
}
void LlamaEngine::clear_kv_blocks() {
  engine_->clear_kv_blocks();
}

}  // namespace dynamo::engines::llama
