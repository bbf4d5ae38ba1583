// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/llm/protocols/engine_output.h>
#include <dynamo/llm/protocols/preprocessed_request.h>
#include <dynamo/runtime/context.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace dynamo::llm {

/// The answer to one request, read by one coroutine on the request's shard.
///
/// Batches: next() brings all outputs that are there. Destroying the stream before its end kills
/// the request at the engine. The last output of each choice carries its finish reason.
class OutputStream {
 public:
  virtual ~OutputStream() = default;
  /// At least one output; an empty vector at the end.
  /// Errors: what went wrong at the engine; Errc::cancelled when the awaiting coroutine is.
  virtual boost::asio::awaitable<Result<std::vector<EngineOutput>>> next() = 0;
};

/// Anything that turns token ids into token ids: llama.cpp, echo, a mocker, a fleet of workers
/// behind a router. The pipeline does templates, tokenization, stop strings and parsing around it.
///
/// An engine honours context->stop() (end soon, finish reason cancelled) and kill() (drop at once)
/// within one of its steps, and never buffers more than it says in its own documentation.
/// Thread safety: generate() from any shard.
class TokenEngine {
 public:
  virtual ~TokenEngine() = default;

  /// Begins a request. Errors come before any output, so that they can become an HTTP status:
  /// invalid_argument (with reason "context_length_exceeded" when the prompt is too long),
  /// overloaded, unavailable, unimplemented.
  virtual boost::asio::awaitable<Result<std::unique_ptr<OutputStream>>> generate(
      PreprocessedRequest request, runtime::ContextPtr context) = 0;

  /// Facts for the metrics page and the router; zero means unknown.
  struct Info {
    std::string name;
    std::uint32_t context_length = 0;
    std::uint32_t kv_block_size_tokens = 0;
    std::uint64_t kv_blocks_total = 0;
    std::uint32_t max_num_seqs = 0;
    std::uint32_t max_num_batched_tokens = 0;
    /// The engine answers with what the user said and not with what the prompt says (echo): the
    /// preprocessor adds extra_args {"last_user_token_ids": [...]}, the last user message's text
    /// (text parts joined) encoded without special tokens. Chat only; other prompts have none.
    bool wants_last_user_tokens = false;
    /// The engine can score the tokens of the prompt (OutputOptions::prompt_logprobs).
    bool gives_prompt_logprobs = false;
  };
  virtual Info info() const = 0;
};

}  // namespace dynamo::llm
