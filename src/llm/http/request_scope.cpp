// SPDX-License-Identifier: Apache-2.0
#include "llm/http/request_scope.h"

#include <utility>

namespace dynamo::llm::http {
namespace {

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

RequestScope::RequestScope(FrontendMetrics& metrics, std::string_view model, Endpoint endpoint,
                           RequestType type, base::SteadyTime received_at,
                           runtime::ContextPtr context, runtime::Shutdown::Guard guard)
    : metrics_(metrics),
      series_(metrics.series(model)),
      model_(model),
      endpoint_(endpoint),
      type_(type),
      received_at_(received_at),
      context_(std::move(context)),
      guard_(std::move(guard)) {
  series_.inflight.add(1);
  series_.active.add(1);
  runtime::Counter(
      series_.by_type[static_cast<std::size_t>(endpoint)][static_cast<std::size_t>(type)].started)
      .add();
}

RequestScope::~RequestScope() {
  if (!settled_) {
    if (context_->is_killed())
      abandon();
    else
      fail(ErrorType::internal);
  }
  leave_queue();
  series_.inflight.sub(1);
  series_.active.sub(1);
  series_.duration.observe(seconds(Clock::system().now() - received_at_));
  context_->kill();
}

void RequestScope::leave_queue() {
  if (std::exchange(queued_, false)) series_.queued.sub(1);
}

void RequestScope::media(std::size_t images, std::size_t videos, std::size_t audios) {
  series_.images.observe(static_cast<double>(images));
  series_.videos.observe(static_cast<double>(videos));
  series_.audios.observe(static_cast<double>(audios));
}

void RequestScope::dispatched(std::uint32_t prompt_tokens) {
  queued_ = true;
  series_.queued.add(1);
  series_.input_tokens.observe(prompt_tokens);
}

void RequestScope::tokens(std::uint32_t count, base::SteadyTime now) {
  if (count == 0) return;
  series_.output_tokens_total.add(count);
  if (!std::exchange(first_token_seen_, true)) {
    leave_queue();
    series_.first_token.observe(seconds(now - received_at_));
  } else {
    series_.inter_token.observe(seconds(now - last_token_at_) / count, count);
  }
  last_token_at_ = now;
}

void RequestScope::succeed(const ResponseStats& stats) {
  if (std::exchange(settled_, true)) return;
  runtime::Counter(
      series_.by_type[static_cast<std::size_t>(endpoint_)][static_cast<std::size_t>(type_)]
          .succeeded)
      .add();
  if (stats.completion_tokens > 0) series_.output_tokens.observe(stats.completion_tokens);
  if (stats.cached_tokens) series_.cached_tokens.observe(*stats.cached_tokens);
}

void RequestScope::fail(ErrorType error) {
  if (std::exchange(settled_, true)) return;
  metrics_.failed(model_, endpoint_, type_, error);
  if (error == ErrorType::overload) metrics_.rejected(model_, endpoint_);
}

void RequestScope::abandon() {
  if (std::exchange(settled_, true)) return;
  metrics_.client_left(model_, endpoint_, type_);
  metrics_.failed(model_, endpoint_, type_, ErrorType::cancelled);
}

}  // namespace dynamo::llm::http
