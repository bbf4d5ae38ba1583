// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>
#include <dynamo/engines/echo/playback.h>
#include <dynamo/engines/replay/replay_engine.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <span>
#include <string>
#include <utility>

namespace dynamo::engines::replay {

Result<std::shared_ptr<ReplayEngine>> ReplayEngine::load(
    const std::filesystem::path& file, std::shared_ptr<const tokenizer::Tokenizer> tokenizer) {
  DYN_TRY(const std::string text, base::read_file(file, Recording::kFileLimitBytes));
  auto recording = Recording::parse(text, *tokenizer);
  if (!recording) return fail(std::move(recording).error().with(file.string()));
  return std::make_shared<ReplayEngine>(*std::move(recording), std::move(tokenizer));
}

boost::asio::awaitable<Result<std::unique_ptr<llm::OutputStream>>> ReplayEngine::generate(
    llm::PreprocessedRequest request, runtime::ContextPtr context) {
  std::span<const llm::TokenId> tail = request.token_ids;
  if (tail.size() > kMatchTokens) tail = tail.last(kMatchTokens);
  const Recording::Answer* answer = recording_.find(tokenizer_->decode(tail, false));
  if (answer == nullptr)
    co_return fail(Errc::invalid_argument, "no line of the recording matches this prompt");
  co_return echo::play_back({.answer = answer->tokens,
                             .prompt_tokens = request.token_ids.size(),
                             .finish = answer->finish,
                             .delay = answer->delay},
                            request, std::move(context));
}

llm::TokenEngine::Info ReplayEngine::info() const {
  Info info;
  info.name = "replay";
  return info;
}

}  // namespace dynamo::engines::replay
