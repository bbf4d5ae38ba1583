// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/engine.h>
#include <dynamo/runtime/async_event.h>
#include <dynamo/runtime/context.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

/// For tests and benchmarks of the service: an engine whose every answer is written down.
namespace dynamo::llm::http {

struct ScriptedStep {
  std::chrono::milliseconds delay{0};
  std::vector<EngineOutput> outputs;
  std::optional<Error> error;  ///< instead of outputs
};

struct Script {
  std::optional<Error> refusal;  ///< of generate() itself
  std::vector<ScriptedStep> steps;
  bool hang = false;  ///< after the steps: wait until killed
};

/// One output of `text`, a token per byte (the byte tokenizer of test_tokenizer.h).
inline EngineOutput bytes_output(std::string_view text,
                                 std::optional<FinishReason::Kind> finish = std::nullopt) {
  EngineOutput output;
  for (const char c : text) output.token_ids.push_back(static_cast<unsigned char>(c));
  if (finish) output.finish_reason = FinishReason{*finish, {}};
  return output;
}

/// A batch per character, then the end.
inline Script spell(std::string_view text, std::chrono::milliseconds delay = {}) {
  Script script;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool last = i + 1 == text.size();
    ScriptedStep step;
    step.delay = delay;
    step.outputs.push_back(bytes_output(
        text.substr(i, 1), last ? std::optional(FinishReason::Kind::stop) : std::nullopt));
    script.steps.push_back(std::move(step));
  }
  return script;
}

class ScriptedEngine final : public TokenEngine {
 public:
  explicit ScriptedEngine(std::function<Script(const PreprocessedRequest&)> write)
      : write_(std::move(write)) {}
  explicit ScriptedEngine(Script script)
      : write_([script](const PreprocessedRequest&) { return script; }) {}

  boost::asio::awaitable<Result<std::unique_ptr<OutputStream>>> generate(
      PreprocessedRequest request, runtime::ContextPtr context) override {
    Script script = write_(request);
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(std::move(request));
    }
    if (script.refusal) co_return fail(*std::move(script.refusal));
    ++counts_->started;
    co_return std::make_unique<Stream>(std::move(script), std::move(context), counts_);
  }
  Info info() const override {
    return {.name = "scripted", .context_length = 100, .kv_block_size_tokens = 16};
  }

  std::vector<PreprocessedRequest> requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  int started() const { return counts_->started; }
  int running() const { return counts_->started - counts_->ended; }
  int killed() const { return counts_->killed; }

 private:
  struct Counts {
    std::atomic<int> started{0}, ended{0}, killed{0};
  };

  class Stream final : public OutputStream {
   public:
    Stream(Script script, runtime::ContextPtr context, std::shared_ptr<Counts> counts)
        : script_(std::move(script)),
          context_(std::move(context)),
          counts_(std::move(counts)),
          stopped_(context_->on_stop([event = event_] { event->notify(); })),
          killed_(context_->on_kill([event = event_] { event->notify(); })) {}
    ~Stream() override {
      if (context_->is_killed()) ++counts_->killed;
      ++counts_->ended;
    }

    boost::asio::awaitable<Result<std::vector<EngineOutput>>> next() override {
      while (step_ == script_.steps.size() && script_.hang && !context_->is_stopped())
        DYN_CO_CHECK(co_await event_->wait());
      if (context_->is_killed()) co_return fail(Errc::cancelled, "killed");
      if (context_->is_stopped() || step_ == script_.steps.size())
        co_return std::vector<EngineOutput>{};
      ScriptedStep& step = script_.steps[step_++];
      if (step.delay.count() > 0) {
        boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, step.delay);
        co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        if (context_->is_killed()) co_return fail(Errc::cancelled, "killed");
      }
      if (step.error) co_return fail(*std::move(step.error));
      co_return std::move(step.outputs);
    }

   private:
    Script script_;
    std::size_t step_ = 0;
    runtime::ContextPtr context_;
    std::shared_ptr<Counts> counts_;
    std::shared_ptr<runtime::AsyncEvent> event_ = std::make_shared<runtime::AsyncEvent>();
    runtime::Context::Subscription stopped_;
    runtime::Context::Subscription killed_;
  };

  std::function<Script(const PreprocessedRequest&)> write_;
  mutable std::mutex mutex_;
  std::vector<PreprocessedRequest> requests_;
  std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

}  // namespace dynamo::llm::http
