// SPDX-License-Identifier: Apache-2.0
#include "local_chat.h"

#include <dynamo/llm/preproc/preprocessor.h>
#include <dynamo/llm/response/response_pipeline.h>
#include <dynamo/openai/chat.h>

#include <chrono>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

namespace dynamo::run {
namespace {

namespace net = boost::asio;

std::string_view text_of(const Json* value) {
  const std::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view{} : std::string_view(*text);
}

// Adds up the chunks of one answer.
class AnswerReader {
 public:
  explicit AnswerReader(const std::function<void(std::string_view)>& on_text) : on_text_(on_text) {}

  // `bytes` holds whole events, as the response pipeline writes them.
  void read(std::string_view bytes) {
    constexpr std::string_view kData = "data: ";
    while (!bytes.empty()) {
      const std::size_t end = bytes.find("\n\n");
      const std::string_view event = bytes.substr(0, end);
      if (event.starts_with(kData)) read_chunk(event.substr(kData.size()));
      if (end == std::string_view::npos) break;
      bytes.remove_prefix(end + 2);
    }
  }
  ChatAnswer take() { return std::move(answer_); }

 private:
  void read_chunk(std::string_view text) {
    const auto chunk = parse_json(text);
    if (!chunk) return;  // the closing [DONE]
    if (const Json* choice = chunk->pointer("/choices/0")) {
      if (const auto piece = text_of(choice->pointer("/delta/content")); !piece.empty()) {
        answer_.text += piece;
        on_text_(piece);
      }
      answer_.reasoning += text_of(choice->pointer("/delta/reasoning_content"));
      if (const auto reason = text_of(choice->find("finish_reason")); !reason.empty())
        answer_.finish_reason = reason;
    }
  }

  const std::function<void(std::string_view)>& on_text_;
  ChatAnswer answer_;
};

struct Job {
  std::shared_ptr<llm::TokenEngine> engine;
  llm::Preprocessed prompt;
  std::unique_ptr<llm::ResponsePipeline> pipeline;
  AnswerReader reader;
  runtime::ContextPtr context;
};

net::awaitable<Result<void>> run(std::shared_ptr<Job> job) {
  DYN_CO_TRY(auto stream,
             co_await job->engine->generate(std::move(job->prompt.request), job->context));
  std::string bytes;
  job->pipeline->begin(bytes);
  for (;;) {
    DYN_CO_TRY(auto batch, co_await stream->next());
    if (batch.empty()) break;
    bytes.clear();
    DYN_CO_CHECK(job->pipeline->feed(0, batch, bytes));
    job->reader.read(bytes);
    if (job->pipeline->engine_finished(0)) break;
  }
  bytes.clear();
  DYN_CO_CHECK(job->pipeline->finish(0, bytes));
  job->reader.read(bytes);
  co_return Result<void>{};
}

}  // namespace

LocalChat::LocalChat(llm::ModelCardPtr card, std::shared_ptr<llm::TokenEngine> engine,
                     runtime::ShardPool& shards)
    : card_(std::move(card)), engine_(std::move(engine)), shards_(shards) {}

Result<ChatAnswer> LocalChat::ask(const Json& request,
                                  const std::function<void(std::string_view)>& on_text,
                                  runtime::ContextPtr context) {
  DYN_TRY(const openai::ChatRequest chat, openai::chat_request_from_json(request));
  DYN_CHECK(openai::validate(chat));
  const llm::Preprocessor::Options options{.add_last_user_tokens =
                                               engine_->info().wants_last_user_tokens};
  DYN_TRY(auto prompt, llm::Preprocessor(card_, options).preprocess(chat));
  llm::ResponseContext response;
  response.request_id = context->id();
  response.received_at = std::chrono::system_clock::now();
  response.card = card_;
  DYN_TRY(auto pipeline, llm::make_chat_response(chat, prompt, response));

  const auto job = std::make_shared<Job>(Job{engine_, std::move(prompt), std::move(pipeline),
                                             AnswerReader(on_text), std::move(context)});
  DYN_CHECK(net::co_spawn(shards_.least_loaded().executor(), run(job), net::use_future).get());
  ChatAnswer answer = job->reader.take();
  answer.prompt_tokens = job->pipeline->stats().prompt_tokens;
  answer.completion_tokens = job->pipeline->stats().completion_tokens;
  return answer;
}

}  // namespace dynamo::run
