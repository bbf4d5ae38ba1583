// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/engine.h>
#include <dynamo/runtime/context.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

/// Requests to token engines and what came of them, for tests.
namespace dynamo::engines::batching::testing {

/// Everything that one request's stream said.
struct Answer {
  std::vector<llm::TokenId> tokens;  ///< of choice 0
  std::vector<std::vector<llm::TokenId>> choices;
  std::vector<llm::EngineOutput> outputs;
  std::optional<Error> error;  ///< of generate() or next()

  std::optional<llm::FinishReason::Kind> finish() const {
    if (outputs.empty() || !outputs.back().finish_reason) return std::nullopt;
    return outputs.back().finish_reason->kind;
  }
  std::uint32_t cached_tokens() const {
    return outputs.back().completion_usage->prompt_tokens_details->cached_tokens.value_or(0);
  }
};

inline llm::PreprocessedRequest greedy_request(std::vector<llm::TokenId> prompt,
                                               std::uint32_t max_tokens) {
  llm::PreprocessedRequest request;
  request.token_ids = std::move(prompt);
  request.stop_conditions.max_tokens = max_tokens;
  request.sampling_options.temperature = 0.0F;
  return request;
}

inline void append(Answer& to, std::vector<llm::EngineOutput> batch) {
  for (llm::EngineOutput& output : batch) {
    const std::uint32_t index = output.index.value_or(0);
    if (to.choices.size() <= index) to.choices.resize(index + 1);
    auto& choice = to.choices[index];
    choice.insert(choice.end(), output.token_ids.begin(), output.token_ids.end());
    if (index == 0) to.tokens = choice;
    to.outputs.push_back(std::move(output));
  }
}

/// `after_batch` may stop the reading (false), which drops the stream.
using AfterBatch = std::function<bool(const Answer&)>;

inline boost::asio::awaitable<Answer> read_answer(llm::TokenEngine& engine,
                                                  llm::PreprocessedRequest request,
                                                  runtime::ContextPtr context,
                                                  AfterBatch after_batch = {}) {
  Answer out;
  auto stream = co_await engine.generate(std::move(request), std::move(context));
  if (!stream) {
    out.error = std::move(stream).error();
    co_return out;
  }
  for (;;) {
    auto batch = co_await (*stream)->next();
    if (!batch) {
      out.error = std::move(batch).error();
      co_return out;
    }
    if (batch->empty()) co_return out;
    append(out, *std::move(batch));
    if (after_batch && !after_batch(out)) co_return out;
  }
}

/// Sends the requests at the same time and reads all answers, on this thread.
inline std::vector<Answer> ask(llm::TokenEngine& engine,
                               std::vector<llm::PreprocessedRequest> requests) {
  std::vector<Answer> out(requests.size());
  boost::asio::io_context io;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    boost::asio::co_spawn(
        io, read_answer(engine, std::move(requests[i]), runtime::Context::create("test")),
        [&out, i](const std::exception_ptr& failure, Answer answer) {
          if (failure) std::rethrow_exception(failure);
          out[i] = std::move(answer);
        });
  }
  io.run();
  return out;
}
inline Answer ask(llm::TokenEngine& engine, llm::PreprocessedRequest request) {
  std::vector<llm::PreprocessedRequest> one;
  one.push_back(std::move(request));
  return std::move(ask(engine, std::move(one)).front());
}

}  // namespace dynamo::engines::batching::testing
