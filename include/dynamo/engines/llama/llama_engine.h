// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/engines/batching/kv_event.h>
#include <dynamo/engines/batching/statistics.h>
#include <dynamo/engines/llama/config.h>
#include <dynamo/llm/engine.h>
#include <dynamo/runtime/fwd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace dynamo::engines::batching {
class BatchingEngine;
}  // namespace dynamo::engines::batching

namespace dynamo::engines::llama {

/// Called while the weights load, with the part that is done (0 to 1); false gives up.
using LoadProgress = std::function<bool(float)>;

struct LoadOptions {
  LoadProgress progress;
  batching::KvEventSink on_kv_event;  ///< called on the engine's thread
  /// Where schemas are compiled into grammars; null: on the caller's shard. Must outlive the
  /// engine.
  runtime::ComputePool* compute_pool = nullptr;
};

/// A GGUF model in this process, by llama.cpp.
///
/// Everything but the model itself is batching::BatchingEngine: see there for streams, bounds and
/// errors. One thread owns model and context and ends with the engine, a step that is being
/// computed included. llama.cpp aborts the process when its own invariants break; who needs
/// protection from that runs the engine in a worker process.
class LlamaEngine final : public llm::TokenEngine {
 public:
  /// Loads the model: takes seconds, so not on a shard.
  /// Errors: not_found, permission_denied name the path; invalid_argument for what is no usable
  /// GGUF model or a configuration that does not fit it (naming the key); cancelled when
  /// `progress` gave up; unimplemented for models that do not generate text token by token.
  static Result<std::unique_ptr<LlamaEngine>> load(const std::filesystem::path& path,
                                                   const Config& config, LoadOptions options = {});
  ~LlamaEngine() override;
  LlamaEngine(const LlamaEngine&) = delete;
  LlamaEngine& operator=(const LlamaEngine&) = delete;

  boost::asio::awaitable<Result<std::unique_ptr<llm::OutputStream>>> generate(
      llm::PreprocessedRequest request, runtime::ContextPtr context) override;
  Info info() const override;
  batching::Statistics statistics() const;
  /// Drops all cached blocks that no request is using.
  void clear_kv_blocks();

 private:
  explicit LlamaEngine(std::unique_ptr<batching::BatchingEngine> engine);
  std::unique_ptr<batching::BatchingEngine> engine_;
};

/// What computes: "CPU", or the names of the GPUs this build can use.
std::string compute_device();
/// Version of the llama.cpp library in this build.
std::string library_version();

}  // namespace dynamo::engines::llama
