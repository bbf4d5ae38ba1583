// SPDX-License-Identifier: Apache-2.0
#include "llm/http/engine_legs.h"

#include <algorithm>
#include <utility>

#include <boost/asio/this_coro.hpp>

namespace dynamo::llm::http {

namespace net = boost::asio;

std::vector<PreprocessedRequest> EngineLegs::split(std::vector<PreprocessedRequest> prompts,
                                                   std::uint32_t choices) {
  for (auto& prompt : prompts) prompt.sampling_options.n = std::nullopt;
  if (choices == 1) return prompts;
  std::vector<PreprocessedRequest> legs;
  legs.reserve(prompts.size() * choices);
  for (auto& prompt : prompts) {
    const auto seed = prompt.sampling_options.seed;
    for (std::uint32_t choice = 0; choice + 1 < choices; ++choice) {
      legs.push_back(prompt);
      if (seed) legs.back().sampling_options.seed = *seed + choice;
    }
    if (seed) prompt.sampling_options.seed = *seed + (choices - 1);
    legs.push_back(std::move(prompt));
  }
  return legs;
}

EngineLegs::EngineLegs(net::any_io_executor executor, std::uint32_t choices)
    : choices_(choices), scope_(std::move(executor)) {}

EngineLegs::~EngineLegs() = default;

net::awaitable<Result<void>> EngineLegs::start(std::shared_ptr<TokenEngine> engine,
                                               std::vector<PreprocessedRequest> requests,
                                               runtime::ContextPtr context) {
  const bool single = requests.size() == 1;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    auto leg = std::make_unique<Leg>();
    leg->prompt = i / choices_;
    leg->choice = static_cast<std::uint32_t>(i % choices_);
    leg->context = single ? context : context->child(context->id() + "-" + std::to_string(i));
    auto stream = co_await engine->generate(std::move(requests[i]), leg->context);
    if (!stream) co_return fail(std::move(stream).error());
    leg->stream = *std::move(stream);
    legs_.push_back(std::move(leg));
  }
  // Only now, so that a refusal above leaves nothing running.
  if (!single)
    for (auto& leg : legs_) scope_.spawn([this, one = leg.get()] { return pump(one); });
  co_return Result<void>();
}

net::awaitable<void> EngineLegs::pump(Leg* leg) {
  co_await net::this_coro::throw_if_cancelled(false);
  while (!leg->over) {
    auto batch = co_await leg->stream->next();
    if (leg->over) break;
    const bool last = !batch || batch->empty();
    leg->batch = std::move(batch);
    ready_.push_back(leg);
    arrived_.notify();
    while (leg->batch) co_await leg->taken.wait();
    if (last) break;
  }
  leg->stream.reset();
}

bool EngineLegs::prompt_over(std::size_t prompt) const noexcept {
  return std::all_of(legs_.begin(), legs_.end(),
                     [&](const auto& leg) { return leg->prompt != prompt || leg->over; });
}

Result<EngineLegs::Batch> EngineLegs::deliver(Leg& leg, Result<std::vector<EngineOutput>> outputs) {
  if (!outputs) {
    leg.over = true;
    return fail(std::move(outputs).error());
  }
  Batch batch{.prompt = leg.prompt,
              .choice = leg.choice,
              .outputs = *std::move(outputs),
              .prompt_over = false};
  if (batch.outputs.empty()) {
    leg.over = true;
    batch.prompt_over = prompt_over(leg.prompt);
  } else if (leg.choice != 0) {
    for (auto& output : batch.outputs) output.index = leg.choice;
  }
  return batch;
}

net::awaitable<Result<EngineLegs::Batch>> EngineLegs::next() {
  if (legs_.size() == 1) co_return deliver(*legs_[0], co_await legs_[0]->stream->next());
  for (;;) {
    while (ready_.empty()) co_await arrived_.wait();
    Leg& leg = *ready_.front();
    ready_.pop_front();
    auto outputs = std::exchange(leg.batch, std::nullopt);
    const bool wanted = !leg.over;
    auto result = deliver(leg, *std::move(outputs));
    leg.taken.notify();
    if (wanted) co_return result;
  }
}

void EngineLegs::stop_prompt(std::size_t prompt) {
  for (auto& leg : legs_) {
    if (leg->prompt != prompt) continue;
    leg->over = true;
    leg->context->stop();
    if (legs_.size() == 1) leg->stream.reset();
  }
}

void EngineLegs::stop_choice(std::size_t prompt, std::uint32_t choice) {
  Leg& leg = *legs_[prompt * choices_ + choice];
  leg.over = true;
  leg.context->stop();
}

net::awaitable<void> EngineLegs::close() {
  for (auto& leg : legs_) {
    leg->over = true;
    leg->context->kill();
    leg->batch.reset();
    leg->taken.notify();
  }
  co_await scope_.join();
  ready_.clear();
  legs_.clear();
}

}  // namespace dynamo::llm::http
