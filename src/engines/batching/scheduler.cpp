// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/scheduler.h"

#include <dynamo/base/assert.h>
#include <dynamo/base/log.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

namespace dynamo::engines::batching {
namespace {

constexpr const char* kSchedulerLog = "engines::batching";
/// A reader that has not read for this long gives its place to a request that waits for one.
constexpr std::chrono::seconds kPausedPatience{1};

bool contains(const std::vector<TokenId>& sorted, TokenId token) {
  return std::ranges::binary_search(sorted, token);
}

void insert_by_arrival(std::vector<std::unique_ptr<Choice>>& into, std::unique_ptr<Choice> choice) {
  const auto place = std::ranges::upper_bound(into, choice->arrival, {},
                                              [](const auto& other) { return other->arrival; });
  into.insert(place, std::move(choice));
}

}  // namespace

Scheduler::Scheduler(Backend& backend, Options options, const Clock& clock)
    : backend_(backend),
      options_(std::move(options)),
      clock_(clock),
      cache_(backend, options_.cache) {
  const ModelFacts& facts = backend.facts();
  DYN_ASSERT(options_.max_num_seqs > 0 && options_.max_num_seqs <= facts.sequences);
  DYN_ASSERT(options_.max_num_seqs <= facts.batch_tokens);
  DYN_ASSERT(facts.context_length <= facts.cells);
}

void Scheduler::add(Choices choices) {
  for (auto& choice : choices) {
    choice->arrival = arrivals_++;
    waiting_.push_back(std::move(choice));
  }
}

Scheduler::Progress Scheduler::step() {
  reap();
  admit();
  do {
    plan_batch();
    if (batch_.empty()) {
      return running_.empty() && waiting_.empty() ? Progress::idle : Progress::blocked;
    }
  } while (!fit_batch());
  if (decode_batch()) {
    for (const Row& row : rows_) {
      if (!row.choice->finished) sample(row);
    }
  }
  remove_finished();
  return Progress::stepped;
}

// --- who takes part ----------------------------------------------------------------------------

/// Ends what its client does not want any more.
void Scheduler::reap() {
  for (Choices* list : {&running_, &waiting_}) {
    for (auto& choice : *list) {
      if (choice->request->over) {
        choice->finished = true;
        continue;
      }
      switch (choice->request->sink->wish()) {
        case OutputSink::Wish::go_on:
          break;
        case OutputSink::Wish::stop: {
          llm::EngineOutput last;
          last.index = choice->index;
          last.finish_reason = {.kind = llm::FinishReason::Kind::cancelled, .message = {}};
          finish(*choice, std::move(last));
          break;
        }
        case OutputSink::Wish::drop:
          end_with_error(*choice, Error(Errc::cancelled, "the request was dropped"));
          break;
      }
    }
  }
  remove_finished();
}

bool Scheduler::has_room(const Choice& choice) const {
  return choice.request->sink->room() > choice.request->reserved_outputs;
}

bool Scheduler::admissible(const Choice& choice) const {
  if (running_.empty()) return true;
  const auto outlook = cache_.outlook(choice.request->salt, choice.tokens);
  const auto total = static_cast<std::uint32_t>(choice.tokens.size());
  std::uint64_t wanted = total - outlook.cached_tokens;
  wanted += std::uint64_t{cache_.block_size_tokens()} * (running_.size() + 1);
  for (const auto& running : running_) wanted += running->left();
  return wanted + outlook.idle_tokens <=
         std::uint64_t{cache_.free_cells()} + cache_.evictable_cells();
}

void Scheduler::admit() {
  for (std::size_t i = 0; i < waiting_.size();) {
    Choice& choice = *waiting_[i];
    if (!has_room(choice) || cache_.outlook(choice.request->salt, choice.tokens).worth_waiting) {
      ++i;
      continue;
    }
    if (running_.size() >= options_.max_num_seqs || !cache_.can_open()) {
      if (!park_a_paused_choice()) return;
      i = 0;  // the parked one is in the queue now, and is passed over
      continue;
    }
    if (!admissible(choice)) {
      if (!park_a_paused_choice()) return;
      i = 0;
      continue;
    }
    const auto opened = cache_.open(choice.request->salt, choice.tokens);
    if (!opened) return;
    choice.sequence = opened->sequence;
    choice.computed = opened->cached_tokens;
    if (!std::exchange(choice.admitted, true)) {
      totals_.prompt_tokens_total += choice.tokens.size();
      totals_.cached_prompt_tokens_total += opened->cached_tokens;
    }
    if (!choice.request->cached_tokens) {
      choice.request->cached_tokens =
          std::min(opened->cached_tokens, choice.request->prompt_tokens);
    }
    auto admitted = std::move(waiting_[i]);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    insert_by_arrival(running_, std::move(admitted));
  }
}

bool Scheduler::park_a_paused_choice() {
  const auto now = clock_.now();
  for (std::size_t i = running_.size(); i-- > 0;) {
    const Choice& choice = *running_[i];
    if (choice.paused_since && now - *choice.paused_since >= kPausedPatience && !has_room(choice)) {
      preempt(i);
      return true;
    }
  }
  return false;
}

/// Back to the queue, with what it has generated; its full blocks stay cached while they can.
void Scheduler::preempt(std::size_t running_index) {
  auto choice = std::move(running_[running_index]);
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(running_index));
  cache_.close(*std::exchange(choice->sequence, std::nullopt));
  choice->computed = 0;
  choice->paused_since.reset();
  ++totals_.preemptions_total;
  DYN_LOG_DEBUG(kSchedulerLog, "preempted",
                {{"tokens", static_cast<std::uint64_t>(choice->tokens.size())},
                 {"running", static_cast<std::uint64_t>(running_.size())}});
  insert_by_arrival(waiting_, std::move(choice));
}

void Scheduler::preempt_newest() {
  std::size_t victim = running_.size() - 1;
  for (std::size_t i = running_.size(); i-- > 0;) {
    if (running_[i]->paused_since) {
      victim = i;
      break;
    }
  }
  preempt(victim);
}

// --- one step ----------------------------------------------------------------------------------

void Scheduler::plan_row(Choice& choice, std::uint32_t tokens) {
  Row row{.choice = &choice, .tokens = tokens, .last_index = 0, .samples = tokens == choice.left()};
  for (std::uint32_t i = 0; i < tokens; ++i) {
    batch_.push_back({.token = choice.tokens[choice.computed + i],
                      .position = choice.computed + i,
                      .sequence = *choice.sequence,
                      .wants_logits = false});
  }
  row.last_index = batch_.size() - 1;
  batch_.back().wants_logits = row.samples;
  if (row.samples) ++choice.request->reserved_outputs;
  rows_.push_back(row);
}

void Scheduler::plan_batch() {
  batch_.clear();
  rows_.clear();
  prefill_tokens_in_batch_ = 0;
  for (const auto& choice : running_) choice->request->reserved_outputs = 0;
  for (const auto& choice : running_) {
    if (choice->left() != 1) continue;
    if (has_room(*choice)) {
      choice->paused_since.reset();
      plan_row(*choice, 1);
    } else if (!choice->paused_since) {
      choice->paused_since = clock_.now();
      cache_.withdraw_plan(*choice->sequence);  // nobody shall wait for this reader
    }
  }
  const auto batch_tokens = static_cast<std::size_t>(backend_.facts().batch_tokens);
  std::size_t budget =
      std::min<std::size_t>(batch_tokens - batch_.size(), pacing_.limit(!batch_.empty()));
  for (const auto& choice : running_) {
    if (choice->left() <= 1 || budget == 0) continue;
    const auto tokens = static_cast<std::uint32_t>(std::min<std::size_t>(choice->left(), budget));
    if (tokens == choice->left() && !has_room(*choice)) continue;
    plan_row(*choice, tokens);
    prefill_tokens_in_batch_ += tokens;
    budget -= tokens;
  }
}

/// False when requests had to make way, and the batch has to be planned again.
bool Scheduler::fit_batch() {
  const auto cells = static_cast<std::uint32_t>(batch_.size());
  if (cache_.make_room(cells)) return true;
  // A request alone always fits: its context is not longer than the memory.
  DYN_ASSERT(running_.size() > 1);
  preempt_newest();
  return false;
}

/// Computes the batch and books what is in memory now. False when it did not work out; then
/// everything is in a state from which the next step goes on.
bool Scheduler::decode_batch() {
  const auto start = clock_.now();
  switch (backend_.decode(batch_)) {
    case DecodeStatus::ok:
      break;
    case DecodeStatus::no_room:
      // By our books there was room, so the model library needs more than we know.
      if (!cache_.evict_all()) {
        if (running_.size() > 1) {
          preempt_newest();
        } else {
          end_with_error(*running_.front(),
                         Error(Errc::internal, "the KV memory has no room for one request"));
        }
      }
      return false;
    case DecodeStatus::aborted:
      fail_all(Error(Errc::unavailable, "the engine is shutting down"));
      return false;
    case DecodeStatus::failed:
      recover(Error(Errc::internal, "the model failed to compute a step"));
      return false;
  }
  pacing_.observe(prefill_tokens_in_batch_, clock_.now() - start);
  ++totals_.steps_total;
  totals_.prefill_tokens_total += prefill_tokens_in_batch_;
  totals_.batch_tokens_max =
      std::max(totals_.batch_tokens_max, static_cast<std::uint32_t>(batch_.size()));
  for (const Row& row : rows_) {
    Choice& choice = *row.choice;
    choice.computed += row.tokens;
    cache_.advance(*choice.sequence, std::span(choice.tokens).first(choice.computed));
  }
  return true;
}

/// The context is lost: so are all running requests, but not those that wait.
void Scheduler::recover(const Error& error) {
  DYN_LOG_ERROR(kSchedulerLog, "decode_failed",
                {{"running", static_cast<std::uint64_t>(running_.size())}});
  for (auto& choice : running_) {
    choice->sequence.reset();  // there is nothing to close
    end_with_error(*choice, error);
  }
  running_.clear();
  rows_.clear();
  const auto reset = backend_.reset();
  cache_.clear();
  if (!reset) {
    healthy_ = false;
    DYN_LOG_ERROR(kSchedulerLog, "reset_failed", {{"error", reset.error()}});
    fail_all(Error(Errc::unavailable, "the engine has failed and could not be restarted"));
  }
}

void Scheduler::fail_all(const Error& error) {
  for (Choices* list : {&running_, &waiting_}) {
    for (auto& choice : *list) {
      if (!choice->finished) end_with_error(*choice, error);
    }
  }
  rows_.clear();
  remove_finished();
}

// --- what came of it ---------------------------------------------------------------------------

void Scheduler::sample(const Row& row) {
  if (!row.samples) return;
  Choice& choice = *row.choice;
  RequestState& request = *choice.request;
  if (request.over) {
    choice.finished = true;
    return;
  }
  std::span<const TokenId> ruled_out;
  if (choice.generated() < request.min_tokens) ruled_out = request.early_ruled_out;
  auto sampled = choice.sampler.sample(backend_.logits(row.last_index), ruled_out,
                                       choice.grammar.get(), scratch_);
  if (!sampled) {
    end_with_error(choice, std::move(sampled).error());
    return;
  }
  if (!*sampled) {  // the grammar is complete
    llm::EngineOutput last;
    last.index = choice.index;
    last.finish_reason = {.kind = llm::FinishReason::Kind::stop, .message = {}};
    finish(choice, std::move(last));
    return;
  }
  const TokenId token = (*sampled)->token;
  choice.tokens.push_back(token);
  ++request.completion_tokens;
  ++totals_.generated_tokens_total;
  llm::EngineOutput output = output_of(choice, *std::move(*sampled));
  output.finish_reason = finish_of(choice, token, output);
  if (output.finish_reason) {
    finish(choice, std::move(output));
  } else {
    request.sink->push(std::move(output));
  }
}

llm::EngineOutput Scheduler::output_of(Choice& choice, Sampled sampled) const {
  llm::EngineOutput output;
  output.index = choice.index;
  output.token_ids.push_back(sampled.token);
  if (sampled.logprob) {
    choice.log_probability_sum += *sampled.logprob;
    output.cum_log_probs = choice.log_probability_sum;
    output.log_probs.emplace(1, *sampled.logprob);
    output.top_logprobs.emplace().push_back(std::move(sampled.top));
  }
  return output;
}

std::optional<llm::FinishReason> Scheduler::finish_of(const Choice& choice, TokenId token,
                                                      llm::EngineOutput& output) const {
  using Kind = llm::FinishReason::Kind;
  const RequestState& request = *choice.request;
  if (contains(request.stop_tokens, token)) {
    output.stop_reason = static_cast<std::int64_t>(token);
    return llm::FinishReason{.kind = Kind::stop, .message = {}};
  }
  if (contains(request.end_tokens, token))
    return llm::FinishReason{.kind = Kind::eos, .message = {}};
  if (choice.generated() >= request.max_tokens) {
    return llm::FinishReason{.kind = Kind::length, .message = {}};
  }
  return std::nullopt;
}

/// Sends the last output of a choice; the last choice also carries the usage and ends the stream.
void Scheduler::finish(Choice& choice, llm::EngineOutput last) {
  RequestState& request = *choice.request;
  choice.finished = true;
  const bool last_choice = --request.choices_left == 0;
  if (last_choice) {
    auto& usage = last.completion_usage.emplace();
    usage.prompt_tokens = request.prompt_tokens;
    usage.completion_tokens = request.completion_tokens;
    usage.total_tokens = request.prompt_tokens + request.completion_tokens;
    usage.prompt_tokens_details.emplace().cached_tokens = request.cached_tokens.value_or(0);
  }
  request.sink->push(std::move(last));
  if (last_choice) {
    request.over = true;
    request.sink->end();
  }
}

void Scheduler::end_with_error(Choice& choice, Error error) {
  choice.finished = true;
  RequestState& request = *choice.request;
  if (std::exchange(request.over, true)) return;
  request.sink->fail(std::move(error));
}

void Scheduler::remove_finished() {
  for (Choices* list : {&running_, &waiting_}) {
    std::erase_if(*list, [this](const std::unique_ptr<Choice>& choice) {
      if (choice->finished && choice->sequence) cache_.close(*choice->sequence);
      return choice->finished;
    });
  }
}

Statistics Scheduler::statistics() const noexcept {
  Statistics out = totals_;
  out.running = static_cast<std::uint32_t>(running_.size());
  out.waiting = static_cast<std::uint32_t>(waiting_.size());
  out.kv_blocks_total = cache_.blocks_total();
  out.kv_blocks_active = cache_.active_blocks();
  out.kv_blocks_cached = static_cast<std::uint32_t>(cache_.cached_blocks());
  out.healthy = healthy_;
  return out;
}

}  // namespace dynamo::engines::batching
