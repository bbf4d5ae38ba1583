// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/engines/replay/recording.h>
#include <dynamo/llm/engine.h>

#include <cstddef>
#include <filesystem>
#include <memory>

namespace dynamo::engines::replay {

/// Answers with what a file says: a model's output, once recorded or written by hand, goes through
/// the whole pipeline (detokenizer, stop rules, parsers, stream) without the model.
///
/// The answer is chosen by the text of the prompt's last kMatchTokens tokens, special tokens
/// included (Recording::find); it is played back as engines/echo/playback.h says. What a request
/// says about sampling and guided decoding changes nothing.
class ReplayEngine final : public llm::TokenEngine {
 public:
  static constexpr std::size_t kMatchTokens = 2048;

  /// Reads the file: not for a shard. Errors: those of read_file and of Recording::parse, naming
  /// the file.
  static Result<std::shared_ptr<ReplayEngine>> load(
      const std::filesystem::path& file, std::shared_ptr<const tokenizer::Tokenizer> tokenizer);

  ReplayEngine(Recording recording, std::shared_ptr<const tokenizer::Tokenizer> tokenizer)
      : recording_(std::move(recording)), tokenizer_(std::move(tokenizer)) {}

  /// Errors: Errc::invalid_argument when no line matches the prompt.
  boost::asio::awaitable<Result<std::unique_ptr<llm::OutputStream>>> generate(
      llm::PreprocessedRequest request, runtime::ContextPtr context) override;
  Info info() const override;

 private:
  const Recording recording_;
  const std::shared_ptr<const tokenizer::Tokenizer> tokenizer_;
};

}  // namespace dynamo::engines::replay
