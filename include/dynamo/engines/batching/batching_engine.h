// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/engines/batching/backend.h>
#include <dynamo/engines/batching/kv_event.h>
#include <dynamo/engines/batching/statistics.h>
#include <dynamo/llm/engine.h>
#include <dynamo/runtime/fwd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace dynamo::engines::batching {

/// A token engine over any Backend: continuous batching with chunked prefill, prefix reuse by full
/// blocks, preemption, sampling, grammars, back-pressure and cancellation.
///
/// One thread owns the backend. Each request has a stream of at most `stream_outputs_max` unread
/// outputs; when it is full the request pauses, and no other. At most `max_waiting` choices wait
/// for a place; more are refused with Errc::overloaded. `n` choices of a request share one stream,
/// tell their `index`, and share the blocks of the prompt; the usage comes with the last of them.
/// Outputs of one token each; the token that ended a choice (end of text, stop id) is included.
///
/// Thread safety: generate() and statistics() from any thread.
class BatchingEngine final : public llm::TokenEngine {
 public:
  struct Options {
    std::uint32_t max_num_seqs = 8;  ///< choices that are computed at a time
    std::uint32_t max_waiting = 256;
    std::uint32_t kv_block_size_tokens = 16;
    bool enable_prefix_caching = true;
    std::size_t stream_outputs_max = 64;
    /// For requests without a seed: theirs are drawn from this one; unset: from the system.
    std::optional<std::uint64_t> seed;
    /// Empty: the hashes of the KV router (dynamo::tokens).
    NameBlock name_block;
    KvEventSink on_kv_event;
    /// Where schemas and grammars are compiled; null: on the caller's shard. Must outlive the
    /// engine.
    runtime::ComputePool* compute_pool = nullptr;
  };

  /// Errors: Errc::invalid_argument when the options do not fit the backend.
  static Result<std::unique_ptr<BatchingEngine>> create(std::unique_ptr<Backend> backend,
                                                        Options options);
  /// Ends all requests with Errc::unavailable; aborts a step that is being computed.
  ~BatchingEngine() override;
  BatchingEngine(const BatchingEngine&) = delete;
  BatchingEngine& operator=(const BatchingEngine&) = delete;

  /// Errors: those of TokenEngine; unimplemented names the field that this engine cannot honour.
  boost::asio::awaitable<Result<std::unique_ptr<llm::OutputStream>>> generate(
      llm::PreprocessedRequest request, runtime::ContextPtr context) override;
  Info info() const override;

  /// As of the last step.
  Statistics statistics() const;
  const ModelFacts& facts() const noexcept;
  /// Drops all cached blocks that no request is using.
  void clear_kv_blocks();

 private:
  BatchingEngine(std::unique_ptr<Backend> backend, Options options);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::engines::batching
