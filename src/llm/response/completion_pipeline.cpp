// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/utf8.h>
#include <dynamo/llm/backend/backend.h>
#include <dynamo/llm/preproc/preprocessor.h>
#include <dynamo/llm/response/response_pipeline.h>
#include <dynamo/openai/completions.h>
#include <dynamo/openai/error.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <algorithm>
#include <iterator>

#include "llm/response/completion_choice.h"
#include "llm/response/engine_error.h"
#include "llm/response/response_nvext.h"
#include "llm/response/usage_counter.h"

namespace dynamo::llm {
namespace detail {
namespace {

std::vector<std::uint32_t> prompt_lengths(std::span<const Preprocessed> prompts) {
  std::vector<std::uint32_t> lengths;
  for (const Preprocessed& prompt : prompts) lengths.push_back(prompt.prompt_tokens);
  return lengths;
}

class CompletionPipeline final : public ResponsePipeline {
 public:
  CompletionPipeline(const openai::CompletionRequest& request,
                     std::span<const Preprocessed> prompts, const ResponseContext& context)
      : id_("cmpl-" + context.request_id),
        model_(request.model),
        created_(created_seconds(context.received_at)),
        clock_(*context.clock),
        stream_(request.stream),
        usage_wanted_(request.include_usage() || context.force_usage),
        continuous_usage_(request.continuous_usage()),
        choices_per_prompt_(request.choices()),
        usage_(prompt_lengths(prompts)),
        nvext_(request, context.received_at, *context.clock),
        writer_({.id = id_, .model = model_, .created = created_}),
        unfinished_(prompts.size()) {
    const auto& tokenizer = context.card->tokenizer;
    prompts_.reserve(prompts.size());
    for (const Preprocessed& prompt : prompts) {
      prompts_.push_back({Backend(tokenizer, prompt.request), false});
      add_choices(request, prompt, *tokenizer);
      if (stream_) std::ranges::copy(prompt.annotations, std::back_inserter(annotations_));
    }
    if (stream_ && request.nvext && request.nvext->has_annotation("request_id")) {
      annotations_.insert(annotations_.begin(), {"request_id", Json(context.request_id).dump()});
    }
  }

  void begin(std::string& out) override {
    for (const Annotation& one : annotations_) {
      openai::append_annotation_event(out, one.event, one.comment);
    }
  }

  Result<void> feed(std::size_t prompt, std::span<EngineOutput> batch, std::string& out) override {
    outputs_.clear();
    const auto begun = clock_.now();
    prompts_[prompt].backend.feed(batch, outputs_);
    usage_.count_detokenized(outputs_, clock_.now() - begun);
    return pass_on(prompt, out);
  }

  bool engine_finished(std::size_t prompt) const override {
    return prompts_[prompt].backend.all_finished();
  }

  bool choice_stopped(std::size_t prompt, std::uint32_t choice) const override {
    return prompts_[prompt].backend.stopped(choice);
  }

  Result<void> finish(std::size_t prompt, std::string& out) override {
    if (std::exchange(prompts_[prompt].finished, true)) return {};
    outputs_.clear();
    prompts_[prompt].backend.finish(outputs_);
    DYN_CHECK(pass_on(prompt, out));
    if (--unfinished_ > 0) return {};
    if (!stream_) {
      write_body(out);
      return {};
    }
    if (usage_wanted_ && usage_.saw_output()) writer_.append_usage(out, usage_.usage());
    out += openai::stream_done_event();
    return {};
  }

  void fail(std::string& out) override {
    if (stream_) out.append(openai::stream_error_event()).append(openai::stream_done_event());
  }

  void set_worker_id(Json worker_id) override { nvext_.set_worker_id(std::move(worker_id)); }
  const ResponseStats& stats() const noexcept override { return usage_.stats(); }

 private:
  struct PromptState {
    Backend backend;
    bool finished = false;
  };

  void add_choices(const openai::CompletionRequest& request, const Preprocessed& prompt,
                   const tokenizer::Tokenizer& tokenizer) {
    std::string echo;
    std::vector<std::string> echo_tokens;
    if (request.echo.value_or(false)) {
      echo = prompt.formatted_prompt.empty() ? tokenizer.decode(prompt.request.token_ids)
                                             : prompt.formatted_prompt;
      if (request.logprobs) {
        for (const TokenId id : prompt.request.token_ids) {
          echo_tokens.push_back(base::to_valid_utf8(tokenizer.token_bytes(id)));
        }
      }
    }
    for (std::size_t i = 0; i < choices_per_prompt_; ++i) {
      choices_.emplace_back(static_cast<std::uint32_t>(choices_.size()), echo, echo_tokens,
                            request.logprobs.value_or(0));
    }
  }

  Result<void> pass_on(std::size_t prompt, std::string& out) {
    for (BackendOutput& output : outputs_) {
      if (is_engine_error(output)) return engine_error(output);
      usage_.count(prompt, output);
      nvext_.observe(output);
      const std::string nvext = stream_ ? nvext_.chunk(output) : std::string();
      openai::CompletionDelta delta =
          choices_[prompt * choices_per_prompt_ + output.index].feed(output);
      if (is_empty(delta) && nvext.empty()) continue;
      emit(std::move(delta), nvext, out);
    }
    return {};
  }

  void emit(openai::CompletionDelta delta, std::string_view nvext, std::string& out) {
    if (!stream_) {
      fold(std::move(delta));
      return;
    }
    if (continuous_usage_) {
      const openai::CompletionUsage usage = usage_.usage();
      writer_.append(out, delta, &usage, nvext);
    } else if (nvext.empty() && !delta.finish_reason && delta.logprobs.empty()) {
      writer_.append_text(out, delta.index, delta.text);
    } else {
      writer_.append(out, delta, nullptr, nvext);
    }
  }

  // Adds a delta to the unary answer, whose choices are sorted by index.
  void fold(openai::CompletionDelta delta) {
    const auto it =
        std::ranges::lower_bound(folded_, delta.index, {}, &openai::CompletionDelta::index);
    if (it == folded_.end() || it->index != delta.index) {
      folded_.insert(it, std::move(delta));
      return;
    }
    it->text += delta.text;
    std::ranges::move(delta.logprobs, std::back_inserter(it->logprobs));
    if (delta.finish_reason) it->finish_reason = delta.finish_reason;
  }

  void write_body(std::string& out) {
    openai::CompletionResponse response;
    // An engine that answers nothing at all leaves these empty in the reference, too.
    if (usage_.saw_output()) {
      response.id = id_;
      response.model = model_;
      response.created = created_;
    }
    response.choices = std::move(folded_);
    if (usage_.saw_finish()) response.usage = usage_.usage();
    response.nvext = nvext_.whole();
    out += openai::completion_response_body(response);
  }

  const std::string id_;
  const std::string model_;
  const std::uint32_t created_;
  const Clock& clock_;
  const bool stream_;
  const bool usage_wanted_;
  const bool continuous_usage_;
  const std::size_t choices_per_prompt_;
  std::vector<Annotation> annotations_;
  std::vector<PromptState> prompts_;
  std::vector<CompletionChoice> choices_;  // choices_per_prompt_ for each prompt, in order
  UsageCounter usage_;
  ResponseNvext nvext_;
  openai::CompletionChunkWriter writer_;
  std::size_t unfinished_;
  std::vector<openai::CompletionDelta> folded_;
  std::vector<BackendOutput> outputs_;  // of the batch at hand; a member only to keep its memory
};

}  // namespace
}  // namespace detail

Result<std::unique_ptr<ResponsePipeline>> make_completion_response(
    const openai::CompletionRequest& request, std::span<const Preprocessed> prompts,
    const ResponseContext& context) {
  if (prompts.empty()) return fail(Errc::internal, "a completion without prompts");
  return std::make_unique<detail::CompletionPipeline>(request, prompts, context);
}

}  // namespace dynamo::llm
