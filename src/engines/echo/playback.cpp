// SPDX-License-Identifier: Apache-2.0
#include <dynamo/engines/echo/playback.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include <boost/asio/this_coro.hpp>

#include "engines/echo/metronome.h"

namespace dynamo::engines::echo {
namespace {

namespace net = boost::asio;
using llm::EngineOutput;
using llm::FinishReason;
using llm::TokenId;

/// More that is due comes in further batches, so that a long answer neither stands in memory as
/// outputs nor keeps its shard from others.
constexpr std::size_t kOutputsPerBatch = 1024;

class PlaybackStream final : public llm::OutputStream {
 public:
  PlaybackStream(Playback playback, const llm::PreprocessedRequest& request,
                 runtime::ContextPtr context)
      : answer_(std::move(playback.answer)),
        prompt_tokens_(static_cast<std::uint32_t>(playback.prompt_tokens)),
        choices_(std::max<std::uint32_t>(1, request.sampling_options.n.value_or(1))),
        logprobs_(request.output_options.logprobs),
        delay_(playback.delay),
        context_(std::move(context)),
        finish_(playback.finish) {
    const auto max_tokens = request.stop_conditions.max_tokens;
    if (max_tokens && *max_tokens < answer_.size()) {
      answer_.resize(*max_tokens);
      finish_ = FinishReason::Kind::length;
    }
  }

  net::awaitable<Result<std::vector<EngineOutput>>> next() override {
    if (ended_) co_return std::vector<EngineOutput>{};
    if (context_->is_killed()) co_return killed();
    std::size_t due = answer_.size();
    if (delay_.count() > 0) {
      if (auto waited = co_await wait_for_next(); !waited) {
        co_return fail(std::move(waited).error());
      }
      if (context_->is_killed()) co_return killed();
      due = due_tokens();
    }
    if (context_->is_stopped()) co_return last_output(FinishReason::Kind::cancelled);
    co_return outputs_up_to(
        std::min(due, sent_ + std::max<std::size_t>(1, kOutputsPerBatch / choices_)));
  }

 private:
  std::unexpected<Error> killed() {
    ended_ = true;
    return fail(Errc::cancelled, "the request was dropped");
  }

  /// Until the next token is due. The first comes after one delay, like every other.
  net::awaitable<Result<void>> wait_for_next() {
    if (!sleeper_) {
      const net::any_io_executor executor = co_await net::this_coro::executor;
      sleeper_ = std::make_shared<Sleeper>(executor);
      start_ = std::chrono::steady_clock::now();
      // The subscription goes before the stream does, the posted work keeps the sleeper alive.
      subscription_ = context_->on_stop([sleeper = sleeper_] { sleeper->wake_soon(); });
    }
    const auto next_due = start_ + delay_ * static_cast<std::int64_t>(sent_ + 1);
    // With the answer at its end nothing is due any more, and a stopped context waits for nothing.
    if (sent_ < answer_.size() && !context_->is_stopped() &&
        std::chrono::steady_clock::now() < next_due) {
      const bool awake = co_await sleeper_->sleep_until(next_due);
      if (!awake && !context_->is_stopped())
        co_return fail(Errc::cancelled, "reading was cancelled");
    }
    co_return Result<void>{};
  }

  std::size_t due_tokens() const {
    const auto passed = std::chrono::steady_clock::now() - start_;
    const auto steps = static_cast<std::size_t>(passed / delay_);
    return std::clamp(steps, std::min(sent_ + 1, answer_.size()), answer_.size());
  }

  /// Each token once for every choice.
  std::vector<EngineOutput> outputs_up_to(std::size_t due) {
    if (answer_.empty()) return last_output(finish_);
    std::vector<EngineOutput> batch((due - sent_) * choices_);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const TokenId token = answer_[sent_ + i / choices_];
      batch[i].token_ids.push_back(token);
      batch[i].index = static_cast<std::uint32_t>(i % choices_);
      if (logprobs_) add_logprobs(batch[i], token);
    }
    sent_ = due;
    if (sent_ == answer_.size()) end(std::span(batch).last(choices_), finish_);
    return batch;
  }

  std::vector<EngineOutput> last_output(FinishReason::Kind kind) {
    std::vector<EngineOutput> batch(choices_);
    for (std::uint32_t i = 0; i < choices_; ++i) batch[i].index = i;
    end(batch, kind);
    return batch;
  }

  void add_logprobs(EngineOutput& output, TokenId token) const {
    output.log_probs.emplace({0.0});
    if (*logprobs_ > 0) {
      output.top_logprobs.emplace(1).front().push_back(
          {.rank = 1, .token_id = token, .token = {}, .logprob = 0.0, .bytes = {}});
    }
  }

  /// `last` has one output of each choice.
  void end(std::span<EngineOutput> last, FinishReason::Kind kind) {
    ended_ = true;
    for (EngineOutput& output : last) output.finish_reason = {.kind = kind, .message = {}};
    const auto completion_tokens = static_cast<std::uint32_t>(sent_) * choices_;
    auto& usage = last.back().completion_usage.emplace();
    usage.prompt_tokens = prompt_tokens_;
    usage.completion_tokens = completion_tokens;
    usage.total_tokens = prompt_tokens_ + completion_tokens;
  }

  std::vector<TokenId> answer_;
  std::uint32_t prompt_tokens_;
  std::uint32_t choices_;
  std::optional<std::uint32_t> logprobs_;
  std::chrono::milliseconds delay_;
  runtime::ContextPtr context_;
  FinishReason::Kind finish_;
  std::size_t sent_ = 0;
  bool ended_ = false;
  std::chrono::steady_clock::time_point start_;
  std::shared_ptr<Sleeper> sleeper_;  // shared with a wake-up that is on its way to the shard
  runtime::Context::Subscription subscription_;
};

}  // namespace

std::unique_ptr<llm::OutputStream> play_back(Playback playback,
                                             const llm::PreprocessedRequest& request,
                                             runtime::ContextPtr context) {
  return std::make_unique<PlaybackStream>(std::move(playback), request, std::move(context));
}

}  // namespace dynamo::engines::echo
