// SPDX-License-Identifier: Apache-2.0
#include "llm/http/generation.h"

#include <dynamo/base/log.h>
#include <dynamo/llm/preproc/preprocessor.h>
#include <dynamo/llm/response/response_pipeline.h>
#include <dynamo/openai/chat.h>
#include <dynamo/openai/completions.h>
#include <dynamo/runtime/compute_pool.h>
#include <dynamo/runtime/shutdown.h>
#include <dynamo/runtime/slow_section.h>

#include <chrono>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/this_coro.hpp>

#include "llm/http/engine_legs.h"
#include "llm/http/error_response.h"
#include "llm/http/event_stream.h"
#include "llm/http/request_headers.h"
#include "llm/http/request_scope.h"
#include "llm/http/stream_watch.h"

namespace dynamo::llm::http {
namespace {

namespace net = boost::asio;

// Work above this leaves the shard (architecture.md section 4).
constexpr std::chrono::microseconds kInlineWork{100};
// A body of this size takes about that long to parse.
constexpr std::size_t kInlineBodyBytes = std::size_t{32} * 1024;

/// The two request types behind one set of names.
struct Chat {
  using Request = openai::ChatRequest;
  static constexpr Endpoint kEndpoint = Endpoint::chat_completions;
  static Result<Request> parse(std::string_view body, const openai::ParseOptions& options) {
    return openai::parse_chat_request(body, options);
  }
  static bool served_by(const ServedModel& model) noexcept { return model.serves_chat; }
  static std::size_t prompts(const Request&) noexcept { return 1; }
  static Result<Preprocessed> preprocess(const Preprocessor& with, const Request& request,
                                         std::size_t) {
    return with.preprocess(request);
  }
  static std::chrono::nanoseconds cost(const Preprocessor& with, const Request& request) noexcept {
    return with.estimate_cost(request);
  }
  static void apply(const RequestTemplate& from, Request& request) {
    if (from.max_completion_tokens && request.output_limit().value_or(0) == 0) {
      request.max_tokens.reset();
      request.max_completion_tokens = from.max_completion_tokens;
    }
  }
  static auto respond(const Request& request, std::span<const Preprocessed> prompts,
                      const ResponseContext& context) {
    return make_chat_response(request, prompts[0], context);
  }
};

struct Completion {
  using Request = openai::CompletionRequest;
  static constexpr Endpoint kEndpoint = Endpoint::completions;
  static Result<Request> parse(std::string_view body, const openai::ParseOptions& options) {
    return openai::parse_completion_request(body, options);
  }
  static bool served_by(const ServedModel& model) noexcept { return model.serves_completions; }
  static std::size_t prompts(const Request& request) noexcept {
    return request.prompts.empty() ? 1 : request.prompts.size();
  }
  static Result<Preprocessed> preprocess(const Preprocessor& with, const Request& request,
                                         std::size_t index) {
    return with.preprocess(request, index);
  }
  static std::chrono::nanoseconds cost(const Preprocessor& with, const Request& request) noexcept {
    std::chrono::nanoseconds total{};
    for (std::size_t i = 0; i < prompts(request); ++i) total += with.estimate_cost(request, i);
    return total;
  }
  static void apply(const RequestTemplate& from, Request& request) {
    if (from.max_completion_tokens && request.max_tokens.value_or(0) == 0)
      request.max_tokens = from.max_completion_tokens;
  }
  static auto respond(const Request& request, std::span<const Preprocessed> prompts,
                      const ResponseContext& context) {
    return make_completion_response(request, prompts, context);
  }
};

/// Keeps a stage's gauge up and measures its duration.
class StageTimer {
 public:
  StageTimer(runtime::Gauge& running, runtime::Histogram& duration)
      : running_(running), duration_(duration), begun_(Clock::system().now()) {
    running_.add(1);
  }
  ~StageTimer() {
    running_.sub(1);
    duration_.observe(std::chrono::duration<double>(Clock::system().now() - begun_).count());
  }
  StageTimer(const StageTimer&) = delete;
  StageTimer& operator=(const StageTimer&) = delete;

 private:
  runtime::Gauge& running_;
  runtime::Histogram& duration_;
  base::SteadyTime begun_;
};

std::uint32_t count_tokens(std::span<const EngineOutput> outputs) noexcept {
  std::size_t count = 0;
  for (const auto& output : outputs) count += output.token_ids.size();
  return static_cast<std::uint32_t>(count);
}

/// How a response went.
enum class Outcome : std::uint8_t { complete, client_left, timed_out, stopped, failed };

std::string_view to_string(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::complete:
      return "complete";
    case Outcome::client_left:
      return "client_left";
    case Outcome::timed_out:
      return "timed_out";
    case Outcome::stopped:
      return "stopped";
    case Outcome::failed:
      break;
  }
  return "failed";
}

/// One request of one of the two types, from its body to the end of its response. Lives in the
/// coroutine that serves the exchange.
template <class Api>
class Generation {
 public:
  using Request = typename Api::Request;

  explicit Generation(RouteCall call)
      : parts_(call.parts),
        exchange_(call.exchange),
        received_at_(Clock::system().now()),
        received_at_system_(Clock::system().system_now()),
        request_id_(request_id_of(exchange_.head())) {}

  net::awaitable<void> serve() {
    if (auto served = co_await run(); !served) co_await answer(std::move(served).error());
  }

 private:
  net::awaitable<Result<void>> run();
  net::awaitable<Result<void>> parse();
  net::awaitable<Result<void>> prepare();
  net::awaitable<Result<void>> generate();
  net::awaitable<Result<void>> start_legs();
  net::awaitable<Result<Outcome>> relay();
  net::awaitable<Result<void>> relay_batch();
  net::awaitable<void> conclude(Outcome outcome);
  net::awaitable<void> answer(Error error);
  void apply_template();
  void count_media(const PreprocessedRequest& request);
  std::optional<Outcome> interruption() const;

  const ServiceParts& parts_;
  Exchange& exchange_;
  const base::SteadyTime received_at_;
  const base::SystemTime received_at_system_;
  const std::string request_id_;
  /// Shared with a job of the compute pool, which may outlive a cancelled wait for it.
  std::shared_ptr<Request> request_;
  ServedModelPtr model_;
  std::unique_ptr<RequestScope> scope_;
  std::vector<Preprocessed> prompts_;
  std::unique_ptr<ResponsePipeline> pipeline_;
  std::string out_;                   ///< bytes for the client that have not left
  std::size_t annotation_bytes_ = 0;  ///< of them, while none has left, what is no answer yet
  std::size_t prompts_open_ = 0;
  std::unique_ptr<EventStream> events_;  ///< null for unary responses
  std::unique_ptr<EngineLegs> legs_;
  std::unique_ptr<StreamWatch> watch_;
};

template <class Api>
net::awaitable<Result<void>> Generation<Api>::run() {
  DYN_CO_CHECK(co_await parse());
  if (parts_.shutdown.stage() != runtime::Shutdown::Stage::running)
    co_return fail(Errc::unavailable, "Service is not ready");
  apply_template();
  model_ = parts_.models.snapshot()->find(request_->model);
  if (model_ && !Api::served_by(*model_)) model_ = nullptr;
  if (model_ && !model_->ready) co_return fail(not_ready(*model_));
  if (model_) request_->model = model_->name;
  if (!parts_.settings.disable_nvext) apply_routing_headers(exchange_.head(), request_->nvext);

  auto context = runtime::Context::create(request_id_);
  exchange_.kill_on_disconnect(context);
  scope_ = std::make_unique<RequestScope>(
      parts_.metrics, model_ ? std::string_view(model_->name) : kUnknownModel, Api::kEndpoint,
      request_->stream ? RequestType::stream : RequestType::unary, received_at_, context,
      parts_.shutdown.guard());
  DYN_CO_CHECK(openai::validate(*request_));
  if (!model_) co_return fail(model_not_found());
  DYN_CO_TRY(auto metadata, forwarded_metadata(exchange_.head(), parts_.settings.metadata_header));
  context->metadata() = std::move(metadata);
  DYN_CO_CHECK(co_await prepare());
  co_return co_await generate();
}

template <class Api>
net::awaitable<Result<void>> Generation<Api>::parse() {
  DYN_CO_TRY(std::string body, co_await read_json_body({parts_, exchange_}));
  const openai::ParseOptions options{.ignore_unknown_fields = parts_.settings.ignore_unknown_fields,
                                     .drop_nvext = parts_.settings.disable_nvext};
  if (body.size() <= kInlineBodyBytes) {
    DYN_CO_TRY(auto request, Api::parse(body, options));
    request_ = std::make_shared<Request>(std::move(request));
    co_return Result<void>();
  }
  auto job = [body = std::move(body), options] { return Api::parse(body, options); };
  DYN_CO_TRY(auto parsed, co_await parts_.compute.run(std::move(job)));
  DYN_CO_TRY(auto request, std::move(parsed));
  request_ = std::make_shared<Request>(std::move(request));
  co_return Result<void>();
}

template <class Api>
void Generation<Api>::apply_template() {
  const RequestTemplate& from = parts_.request_template;
  if (request_->model.empty()) request_->model = from.model;
  if (!request_->temperature) request_->temperature = from.temperature;
  Api::apply(from, *request_);
}

template <class Api>
net::awaitable<Result<void>> Generation<Api>::prepare() {
  const StageTimer stage(parts_.metrics.preprocessing(), parts_.metrics.preprocess_seconds());
  auto job = [request = request_, model = model_]() -> Result<std::vector<Preprocessed>> {
    std::vector<Preprocessed> prompts;
    for (std::size_t i = 0; i < Api::prompts(*request); ++i) {
      DYN_TRY(auto prompt, Api::preprocess(*model->preprocessor, *request, i));
      prompts.push_back(std::move(prompt));
    }
    return prompts;
  };
  if (Api::cost(*model_->preprocessor, *request_) <= kInlineWork) {
    const runtime::SlowSection section("llm::preprocess");
    DYN_CO_TRY(prompts_, job());
  } else {
    DYN_CO_TRY(auto done, co_await parts_.compute.run(std::move(job)));
    DYN_CO_TRY(prompts_, std::move(done));
  }
  const auto agent = agent_context(exchange_.head());
  for (Preprocessed& prompt : prompts_) {
    prompt.request.agent_context = agent;
    parts_.metrics.preprocessed(parts_.metrics.series(model_->name), prompt);
    if (Api::kEndpoint == Endpoint::chat_completions) count_media(prompt.request);
  }
  ResponseContext context;
  context.request_id = request_id_;
  context.received_at = received_at_system_;
  context.card = model_->card;
  context.reasoning_field = parts_.settings.reasoning_field;
  context.force_usage = parts_.settings.force_usage;
  DYN_CO_TRY(pipeline_, Api::respond(*request_, prompts_, context));
  co_return Result<void>();
}

template <class Api>
void Generation<Api>::count_media(const PreprocessedRequest& request) {
  const auto count = [&](std::string_view kind) -> std::size_t {
    const Json* list = request.multi_modal_data ? request.multi_modal_data->find(kind) : nullptr;
    const Json::Array* items = list != nullptr ? list->if_array() : nullptr;
    return items != nullptr ? items->size() : 0;
  };
  scope_->media(count("image_url"), count("video_url"), count("audio_url"));
}

template <class Api>
net::awaitable<Result<void>> Generation<Api>::generate() {
  const auto executor = co_await net::this_coro::executor;
  if (request_->stream) events_ = std::make_unique<EventStream>(exchange_);
  legs_ = std::make_unique<EngineLegs>(executor, request_->choices());
  const StreamWatch::Limits limits{.keep_alive = parts_.settings.keep_alive,
                                   .first_frame = parts_.settings.first_frame_wait,
                                   .silence = parts_.settings.silence_limit};
  watch_ = std::make_unique<StreamWatch>(executor, events_.get(), scope_->context(), limits);
  watch_->start(received_at_);
  Result<Outcome> outcome = Outcome::failed;
  // A defect of a stage must not leave tasks of this request behind.
  try {
    auto started = co_await start_legs();
    outcome = started ? co_await relay() : Result<Outcome>(fail(std::move(started).error()));
  } catch (const std::exception& defect) {
    outcome = fail(Errc::internal, defect.what());
  }
  co_await watch_->close();
  co_await legs_->close();
  const ResponseStats& stats = pipeline_->stats();
  parts_.metrics.detokenized(stats.detokenized_tokens, stats.detokenize_time);

  if (!outcome && exchange_.disconnected()) outcome = Outcome::client_left;
  if (!outcome && watch_->timed_out()) outcome = Outcome::timed_out;
  if (!outcome) {
    const bool answered = events_ && (events_->begun() || out_.size() > annotation_bytes_);
    if (!answered) co_return fail(std::move(outcome).error());
    DYN_LOG_ERROR("llm::http", "stream_failed",
                  {{"request_id", request_id_}, {"error", outcome.error()}});
    scope_->fail(classify(outcome.error(), parts_.settings.overload_status).type);
    outcome = Outcome::failed;
  }
  co_await conclude(*outcome);
  co_return Result<void>();
}

template <class Api>
net::awaitable<Result<void>> Generation<Api>::start_legs() {
  std::vector<PreprocessedRequest> requests;
  std::uint32_t prompt_tokens = 0;
  for (auto& prompt : prompts_) {
    prompt_tokens += prompt.prompt_tokens;
    requests.push_back(std::move(prompt.request));
  }
  prompts_open_ = prompts_.size();
  requests = EngineLegs::split(std::move(requests), request_->choices());
  scope_->dispatched(prompt_tokens);
  const StageTimer stage(parts_.metrics.dispatching(), parts_.metrics.dispatch_seconds());
  co_return co_await legs_->start(model_->engine, std::move(requests), scope_->context());
}

/// Why the relay must end although nothing failed.
template <class Api>
std::optional<Outcome> Generation<Api>::interruption() const {
  if (exchange_.disconnected()) return Outcome::client_left;
  if (watch_->timed_out()) return Outcome::timed_out;
  if (scope_->context()->is_killed()) return Outcome::stopped;
  return std::nullopt;
}

/// Brings batches from the engine through the stages to the client until the response's last bytes
/// stand in out_.
template <class Api>
net::awaitable<Result<Outcome>> Generation<Api>::relay() {
  pipeline_->begin(out_);
  annotation_bytes_ = out_.size();
  while (prompts_open_ > 0) {
    auto relayed = co_await relay_batch();
    if (const auto interrupted = interruption()) co_return *interrupted;
    if (!relayed) co_return fail(std::move(relayed).error());
  }
  co_return Outcome::complete;
}

template <class Api>
net::awaitable<Result<void>> Generation<Api>::relay_batch() {
  auto next = co_await legs_->next();
  // A killed engine may end as if it had finished; relay() knows better.
  if (scope_->context()->is_killed()) co_return Result<void>();
  DYN_CO_TRY(EngineLegs::Batch batch, std::move(next));
  const base::SteadyTime now = Clock::system().now();
  watch_->heard(now);
  bool over = batch.prompt_over;
  if (!batch.outputs.empty()) {
    scope_->tokens(count_tokens(batch.outputs), now);
    const runtime::SlowSection section("llm::response");
    DYN_CO_CHECK(pipeline_->feed(batch.prompt, batch.outputs, out_));
    if (pipeline_->engine_finished(batch.prompt)) {
      legs_->stop_prompt(batch.prompt);
      over = true;
    } else if (request_->choices() > 1 && pipeline_->choice_stopped(batch.prompt, batch.choice)) {
      legs_->stop_choice(batch.prompt, batch.choice);
    }
  }
  if (over) {
    --prompts_open_;
    DYN_CO_CHECK(pipeline_->finish(batch.prompt, out_));
  }
  // The last bytes leave together with the end of the response.
  if (!events_ || prompts_open_ == 0 || out_.empty()) co_return Result<void>();
  auto sent = co_await events_->write(out_);
  out_.clear();
  co_return sent;
}

/// Ends the response and settles the accounts.
template <class Api>
net::awaitable<void> Generation<Api>::conclude(Outcome outcome) {
  DYN_LOG_DEBUG("llm::http", "response_over",
                {{"request_id", request_id_},
                 {"model", request_->model},
                 {"outcome", to_string(outcome)},
                 {"prompt_tokens", std::uint64_t{pipeline_->stats().prompt_tokens}},
                 {"completion_tokens", std::uint64_t{pipeline_->stats().completion_tokens}}});
  switch (outcome) {
    case Outcome::complete: {
      auto sent = events_ ? co_await events_->finish(out_)
                          : co_await exchange_.respond(200, kJsonType, std::move(out_));
      if (sent)
        scope_->succeed(pipeline_->stats());
      else
        scope_->abandon();
      break;
    }
    case Outcome::client_left:
      scope_->abandon();
      exchange_.abort();
      break;
    case Outcome::failed: {
      pipeline_->fail(out_);  // behind what is still there: whole events
      static_cast<void>(co_await events_->finish(out_));
      break;
    }
    case Outcome::timed_out:
    case Outcome::stopped: {
      const bool silent = outcome == Outcome::timed_out;
      if (events_ && events_->begun()) {  // ends without [DONE]
        scope_->fail(silent ? ErrorType::response_timeout : ErrorType::cancelled);
        static_cast<void>(co_await events_->finish({}));
      } else {
        co_await answer(silent ? Error(Errc::deadline_exceeded, "The engine did not answer in time")
                               : Error(Errc::unavailable, "Service is not ready"));
      }
      break;
    }
  }
}

template <class Api>
net::awaitable<void> Generation<Api>::answer(Error error) {
  if (exchange_.disconnected()) {
    if (scope_) scope_->abandon();
    exchange_.abort();
    co_return;
  }
  Failure failure = classify(error, parts_.settings.overload_status);
  if (failure.status == 500)
    DYN_LOG_ERROR("llm::http", "request_failed", {{"request_id", request_id_}, {"error", error}});
  if (scope_) scope_->fail(failure.type);
  static_cast<void>(co_await respond_failure(exchange_, std::move(failure),
                                             parts_.settings.overload_status, request_id_));
}

}  // namespace

net::awaitable<void> serve_chat(RouteCall call) {
  Generation<Chat> generation(call);
  co_await generation.serve();
}

net::awaitable<void> serve_completions(RouteCall call) {
  Generation<Completion> generation(call);
  co_await generation.serve();
}

}  // namespace dynamo::llm::http
