// SPDX-License-Identifier: Apache-2.0
#include <dynamo/llm/backend/backend.h>
#include <dynamo/llm/preproc/preprocessor.h>
#include <dynamo/llm/response/response_pipeline.h>
#include <dynamo/openai/chat.h>
#include <dynamo/openai/error.h>
#include <dynamo/parsers/request_policy.h>

#include "llm/preproc/tool_definitions.h"
#include "llm/response/chat_aggregator.h"
#include "llm/response/chat_delta_generator.h"
#include "llm/response/engine_error.h"
#include "llm/response/response_nvext.h"
#include "llm/response/usage_counter.h"

namespace dynamo::llm {
namespace detail {
namespace {

/// What the stages of one chat answer are made from.
struct ChatSetup {
  ChatOutputPlan plan;
  std::unique_ptr<const ToolDefinitions> tools;  // the plan's parser points into it
};

Result<ChatSetup> plan_chat(const openai::ChatRequest& request, const Preprocessed& prompt,
                            const ModelCard& card) {
  ChatSetup setup;
  setup.plan.top_logprobs = request.top_logprobs.value_or(0);
  setup.plan.json_content = request.response_format &&
                            request.response_format->kind != openai::ResponseFormat::Kind::text;
  const auto& config = card.runtime_config;
  const bool parsers_on =
      config.tool_call_parser || config.reasoning_parser || request.tools_enabled();
  if (!parsers_on) return setup;

  setup.tools = std::make_unique<const ToolDefinitions>(request.tools);
  parsers::OutputRequest facts;
  if (config.tool_call_parser) facts.tool_parser = *config.tool_call_parser;
  if (config.reasoning_parser) facts.reasoning_parser = *config.reasoning_parser;
  facts.tools = setup.tools->all();
  facts.tool_choice = parser_tool_choice(request.tool_choice);
  if (request.tool_choice) facts.named_tool = request.tool_choice->name;
  facts.parallel_tool_calls = request.parallel_tool_calls.value_or(true);
  facts.template_args = prompt.template_args ? &*prompt.template_args : nullptr;
  if (request.reasoning_effort) facts.reasoning_effort = *request.reasoning_effort;
  facts.has_response_format = setup.plan.json_content;
  facts.has_guided = request.guided_json || request.guided_regex || request.guided_choice ||
                     request.guided_grammar || request.guided_whitespace_pattern;
  facts.rendered_prompt = prompt.formatted_prompt;
  DYN_TRY(parsers::OutputPlan plan, parsers::plan_output(facts));
  setup.plan.drop_calls = plan.drop_calls;
  if (!plan.passthrough) setup.plan.parser = std::move(plan.options);
  return setup;
}

class ChatPipeline final : public ResponsePipeline {
 public:
  ChatPipeline(const openai::ChatRequest& request, const Preprocessed& prompt,
               const ResponseContext& context, ChatSetup setup, ChatDeltaGenerator generator)
      : id_("chatcmpl-" + context.request_id),
        model_(request.model),
        created_(created_seconds(context.received_at)),
        reasoning_field_(context.reasoning_field),
        clock_(*context.clock),
        stream_(request.stream),
        usage_wanted_(request.include_usage() || context.force_usage),
        continuous_usage_(request.continuous_usage()),
        plain_text_(!setup.plan.parser && !setup.plan.json_content),
        annotations_(request.stream ? prompt.annotations : std::vector<Annotation>{}),
        tools_(std::move(setup.tools)),
        backend_(context.card->tokenizer, prompt.request),
        generator_(std::move(generator)),
        usage_({prompt.prompt_tokens}),
        nvext_(request, context.received_at, *context.clock),
        writer_({.id = id_,
                 .model = model_,
                 .created = created_,
                 .reasoning_field = reasoning_field_}) {
    if (stream_ && request.nvext && request.nvext->has_annotation("request_id")) {
      annotations_.insert(annotations_.begin(), {"request_id", Json(context.request_id).dump()});
    }
  }

  void begin(std::string& out) override {
    for (const Annotation& one : annotations_) {
      openai::append_annotation_event(out, one.event, one.comment);
    }
  }

  Result<void> feed(std::size_t, std::span<EngineOutput> batch, std::string& out) override {
    outputs_.clear();
    const auto begun = clock_.now();
    backend_.feed(batch, outputs_);
    usage_.count_detokenized(outputs_, clock_.now() - begun);
    return pass_on(out);
  }

  bool engine_finished(std::size_t) const override { return backend_.all_finished(); }

  bool choice_stopped(std::size_t, std::uint32_t choice) const override {
    return backend_.stopped(choice);
  }

  Result<void> finish(std::size_t, std::string& out) override {
    if (std::exchange(finished_, true)) return {};
    outputs_.clear();
    backend_.finish(outputs_);
    DYN_CHECK(pass_on(out));
    deltas_.clear();
    generator_.finish(deltas_);
    emit({}, out);
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
  // A chunk that is nothing but text.
  bool is_plain(const BackendOutput& output) const {
    return stream_ && plain_text_ && !continuous_usage_ && !nvext_.wanted() &&
           !output.finish_reason && output.logprobs.empty() && generator_.has_begun(output.index);
  }

  Result<void> pass_on(std::string& out) {
    for (BackendOutput& output : outputs_) {
      if (is_engine_error(output)) return engine_error(output);
      usage_.count(0, output);
      if (is_plain(output)) {
        if (!output.text.empty()) writer_.append_content(out, output.index, output.text);
        continue;
      }
      nvext_.observe(output);
      const std::string nvext = stream_ ? nvext_.chunk(output) : std::string();
      deltas_.clear();
      if (generator_.feed(output, deltas_)) usage_.count_reasoning(output.token_ids.size());
      if (deltas_.empty() && !nvext.empty()) deltas_.push_back({.index = output.index});
      emit(nvext, out);
    }
    return {};
  }

  // Hands deltas_ to the last stage; nvext goes with the last of them.
  void emit(std::string_view nvext, std::string& out) {
    if (!stream_) {
      aggregator_.add(deltas_);
      return;
    }
    const auto usage = continuous_usage_ && !deltas_.empty()
                           ? std::optional<openai::CompletionUsage>(usage_.usage())
                           : std::nullopt;
    for (const openai::ChatDelta& delta : deltas_) {
      const bool last = &delta == &deltas_.back();
      writer_.append(out, delta, usage ? &*usage : nullptr, last ? nvext : std::string_view());
    }
  }

  void write_body(std::string& out) {
    openai::ChatResponse response;
    // An engine that answers nothing at all leaves these empty in the reference, too.
    if (usage_.saw_output()) {
      response.id = id_;
      response.model = model_;
      response.created = created_;
    }
    response.choices = aggregator_.take();
    if (usage_.saw_finish()) response.usage = usage_.usage();
    response.nvext = nvext_.whole();
    out += openai::chat_response_body(response, reasoning_field_);
  }

  const std::string id_;
  const std::string model_;
  const std::uint32_t created_;
  const std::string reasoning_field_;
  const Clock& clock_;
  const bool stream_;
  const bool usage_wanted_;
  const bool continuous_usage_;
  const bool plain_text_;
  std::vector<Annotation> annotations_;
  std::unique_ptr<const ToolDefinitions> tools_;
  Backend backend_;
  ChatDeltaGenerator generator_;
  UsageCounter usage_;
  ResponseNvext nvext_;
  openai::ChatChunkWriter writer_;
  ChatAggregator aggregator_;
  bool finished_ = false;
  // Of the batch at hand; members only to keep their memory.
  std::vector<BackendOutput> outputs_;
  std::vector<openai::ChatDelta> deltas_;
};

}  // namespace
}  // namespace detail

Result<std::unique_ptr<ResponsePipeline>> make_chat_response(const openai::ChatRequest& request,
                                                             const Preprocessed& prompt,
                                                             const ResponseContext& context) {
  DYN_TRY(detail::ChatSetup setup, detail::plan_chat(request, prompt, *context.card));
  DYN_TRY(auto generator, detail::ChatDeltaGenerator::create(setup.plan, request.choices()));
  return std::make_unique<detail::ChatPipeline>(request, prompt, context, std::move(setup),
                                                std::move(generator));
}

}  // namespace dynamo::llm
