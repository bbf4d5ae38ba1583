// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/base/error.h>
#include <dynamo/llm/fwd.h>
#include <dynamo/llm/model_card.h>
#include <dynamo/llm/protocols/engine_output.h>
#include <dynamo/openai/fwd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace dynamo::llm {

/// Counts for metrics and the log; they grow while the answer does.
struct ResponseStats {
  std::uint32_t prompt_tokens = 0;      ///< of all prompts of the request
  std::uint32_t completion_tokens = 0;  ///< of all choices
  std::optional<std::uint32_t> cached_tokens;
  std::chrono::nanoseconds detokenize_time{};  ///< spent in turning tokens into text
  std::uint32_t detokenized_tokens = 0;        ///< tokens that were
};

/// Everything between an engine's outputs and the client's bytes, for one request: detokenization
/// and stop handling, reasoning and tool-call parsing, chunks or the unary body.
///
/// Streamed and unary answers come from the same stages; only the last one differs. Pure: no I/O,
/// no threads. A request with several prompts (legacy completions) has one engine stream per
/// prompt, told apart by `prompt`.
///
///     pipeline->begin(out);
///     while (batch = next()) { pipeline->feed(0, batch, out); write(out);
///                              if (pipeline->engine_finished(0)) stop the engine; }
///     pipeline->finish(0, out); write(out);
class ResponsePipeline {
 public:
  virtual ~ResponsePipeline() = default;

  /// Appends the events that precede the data (annotations). Nothing for unary answers.
  virtual void begin(std::string& out) = 0;

  /// Consumes a batch of one prompt's engine stream and appends the bytes that can leave now.
  /// Errors: the engine ended a choice with an error. `out` then has the bytes that preceded it:
  /// when there are none and none have left before, the error becomes the response's status; else
  /// they leave, and fail() ends the stream.
  virtual Result<void> feed(std::size_t prompt, std::span<EngineOutput> batch,
                            std::string& out) = 0;

  /// All choices of the prompt have ended, and not all by the engine itself: its stream is to be
  /// stopped, then finish() called.
  virtual bool engine_finished(std::size_t prompt) const = 0;
  /// This choice was ended by a stop rule: where it has an engine stream of its own, that one is to
  /// be stopped. `choice` counts from 0 within the prompt.
  virtual bool choice_stopped(std::size_t prompt, std::uint32_t choice) const = 0;

  /// The prompt's engine stream is over. With the last one, appends the end: usage chunk and
  /// [DONE], or the whole unary body.
  virtual Result<void> finish(std::size_t prompt, std::string& out) = 0;

  /// Ends a stream that has begun: the error event, then [DONE]. Nothing for unary answers.
  virtual void fail(std::string& out) = 0;

  /// Which workers serve the request: the `worker_id` object of nvext, written when asked for.
  virtual void set_worker_id(Json worker_id) = 0;

  virtual const ResponseStats& stats() const noexcept = 0;
};

/// What the pipeline needs beside request and prompt.
struct ResponseContext {
  std::string request_id;          ///< without "chatcmpl-" or "cmpl-"
  base::SystemTime received_at{};  ///< gives `created`
  ModelCardPtr card;
  std::string reasoning_field = "reasoning_content";  ///< DYN_REASONING_FIELD_NAME
  bool force_usage = false;                           ///< DYN_ENABLE_FORCE_INCLUDE_USAGE
  const Clock* clock = &Clock::system();              ///< read twice per batch
};

/// The request decides between stream and unary. Call before the prompt's request is moved to the
/// engine.
Result<std::unique_ptr<ResponsePipeline>> make_chat_response(const openai::ChatRequest& request,
                                                             const Preprocessed& prompt,
                                                             const ResponseContext& context);
Result<std::unique_ptr<ResponsePipeline>> make_completion_response(
    const openai::CompletionRequest& request, std::span<const Preprocessed> prompts,
    const ResponseContext& context);

}  // namespace dynamo::llm
