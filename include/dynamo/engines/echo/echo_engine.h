// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/llm/engine.h>

#include <chrono>

namespace dynamo::engines::echo {

struct Options {
  /// Time between tokens. 0 means at once, without a timer.
  std::chrono::milliseconds delay{10};
};

/// The delay of DYN_TOKEN_ECHO_DELAY_MS, as the process is configured.
Options options_from_configuration();

/// Answers with the user's last message, one token per output, through the whole pipeline: to try
/// the service without a model, and to measure everything but the model.
///
/// The answer is extra_args.last_user_token_ids, which the preprocessor adds because info() asks
/// for it, else (completions, plain token ids) the whole prompt. It is played back as playback.h
/// says and ends with "stop".
/// Source: lib/llm/src/engines.rs (v0.9), which echoes characters instead of tokens.
class EchoEngine final : public llm::TokenEngine {
 public:
  explicit EchoEngine(Options options = {}) : options_(options) {}

  /// Errors: Errc::invalid_argument for a malformed last_user_token_ids.
  boost::asio::awaitable<Result<std::unique_ptr<llm::OutputStream>>> generate(
      llm::PreprocessedRequest request, runtime::ContextPtr context) override;
  Info info() const override;

 private:
  Options options_;
};

}  // namespace dynamo::engines::echo
