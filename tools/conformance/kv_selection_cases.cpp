// SPDX-License-Identifier: Apache-2.0
// scheduler_scenarios.json and selection_trace.json.
#include <dynamo/kv_router/active_sequences.h>
#include <dynamo/kv_router/admission_queue.h>
#include <dynamo/kv_router/conditional_disagg.h>
#include <dynamo/kv_router/prefix_index.h>
#include <dynamo/kv_router/selector.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "kv_cases.h"

namespace dynamo::conformance {
namespace {

using namespace kv_router;

// Enough draws to see every one of a few ties.
constexpr int kDraws = 60;

std::vector<std::string> texts_of(const Json& object, std::string_view name) {
  std::vector<std::string> out;
  for (const Json& text : list_of(object, name))
    if (text.if_string() != nullptr) out.push_back(*text.if_string());
  std::ranges::sort(out);
  return out;
}

std::string cost_text(double cost) {
  return fmt::format("{:.9g}", cost);
}

WorkerKey key_of(const Json& object) {
  return {WorkerId{number_of(object, "worker_id")},
          DpRank{static_cast<std::uint32_t>(number_of(object, "dp_rank"))}};
}

SelectorConfig config_of(const Json& json) {
  SelectorConfig config;
  const auto read = [&](const char* name, double& field) { field = real_of(json, name, field); };
  read("overlap_score_credit", config.overlap_score_credit);
  read("overlap_score_credit_decay", config.overlap_score_credit_decay);
  read("prefill_load_scale", config.prefill_load_scale);
  read("decode_active_request_weight", config.decode_active_request_weight);
  read("host_cache_hit_weight", config.host_cache_hit_weight);
  read("disk_cache_hit_weight", config.disk_cache_hit_weight);
  read("shared_cache_multiplier", config.shared_cache_multiplier);
  read("router_temperature", config.router_temperature);
  return config;
}

// A request of a case and what its views point to.
struct Case {
  SelectionRequest request;
  std::vector<Candidate> candidates;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
  std::vector<std::string> required;
  std::vector<std::pair<std::string, double>> preferred;
  std::vector<std::vector<std::string>> taints;
};

void read_case(const Json& scenario, Case& out) {
  const Json none = Json::object();
  const Json* found = scenario.find("request");
  const Json& json = found == nullptr ? none : *found;
  out.request.block_size_tokens = static_cast<std::uint32_t>(number_of(json, "block_size"));
  out.request.isl_tokens = number_of(json, "isl_tokens");
  out.request.track_prefill_tokens = flag_of(json, "track_prefill_tokens", true);
  const std::string pool = text_of(scenario, "worker_type");
  if (pool == "decode") out.request.pool = WorkerPool::decode;
  if (pool == "prefill") out.request.pool = WorkerPool::prefill;
  for (const Json& range : list_of(json, "shared_cache_ranges"))
    out.ranges.emplace_back(static_cast<std::uint32_t>(range.at(0)->as_uint64().value_or(0)),
                            static_cast<std::uint32_t>(range.at(1)->as_uint64().value_or(0)));
  out.request.shared_cache_ranges = out.ranges;
  out.required = texts_of(json, "required_taints");
  out.request.required_taints = out.required;
  if (const Json* weights = json.find("preferred_taints"); weights && weights->if_object())
    for (const auto& [taint, weight] : *weights->if_object())
      out.preferred.emplace_back(taint, weight.as_double().value_or(0));
  out.request.preferred_taints = out.preferred;
  std::set<std::uint64_t> overloaded;
  for (const Json& id : list_of(json, "overloaded_worker_ids"))
    overloaded.insert(id.as_uint64().value_or(0));
  for (const Json& worker : list_of(json, "workers")) {
    Candidate candidate{.worker = key_of(worker)};
    if (const Json* load = worker.find("load"))
      candidate.load = WorkerLoad{
          number_of(*load, "active_prefill_tokens"), number_of(*load, "active_decode_blocks"),
          number_of(*load, "additional_active_blocks"), number_of(*load, "active_requests")};
    if (worker.find("device_blocks") || worker.find("host_blocks") || worker.find("disk_blocks"))
      candidate.overlap =
          TierOverlap{static_cast<std::uint32_t>(number_of(worker, "device_blocks")),
                      static_cast<std::uint32_t>(number_of(worker, "host_blocks")),
                      static_cast<std::uint32_t>(number_of(worker, "disk_blocks")), 0};
    candidate.effective_overlap_blocks = real_of(worker, "effective_overlap_blocks");
    candidate.effective_cached_tokens = number_of(worker, "effective_cached_tokens");
    candidate.overloaded = overloaded.contains(number_of(worker, "worker_id"));
    out.taints.push_back(texts_of(worker, "taints"));
    out.candidates.push_back(candidate);
  }
  for (std::size_t i = 0; i < out.candidates.size(); ++i) out.candidates[i].taints = out.taints[i];
}

// Costs by worker, then who was chosen in many draws, or the error's kind.
std::string outcome(const Case& one, Selector& selector) {
  std::set<std::string> chosen;
  Result<Selection> selection = selector.select(one.request, one.candidates);
  for (int i = 0; i < kDraws && selection; ++i) {
    chosen.insert(label(one.candidates[selection->candidate].worker));
    selection = selector.select(one.request, one.candidates);
  }
  std::map<std::string, std::string> costs;
  for (std::size_t i = 0; i < one.candidates.size(); ++i)
    if (selector.costs()[i])
      costs[label(one.candidates[i].worker)] = cost_text(*selector.costs()[i]);
  std::string out;
  for (const auto& [worker, cost] : costs) out += worker + "=" + cost + " ";
  if (!selection)
    return out + (selection.error().code() == Errc::overloaded ? "all_eligible_workers_overloaded"
                                                               : "no_endpoints");
  return fmt::format("{}chosen {}", out, fmt::join(chosen, " "));
}

std::string expected_outcome(const Json& scenario, std::string_view chosen_field) {
  std::map<std::string, std::string> costs;
  if (const Json* list = scenario.find("costs"); list && list->if_object())
    for (const auto& [worker, cost] : *list->if_object())
      costs[worker] = cost_text(cost.as_double().value_or(0));
  std::string out;
  for (const auto& [worker, cost] : costs) out += worker + "=" + cost + " ";
  if (scenario.find(chosen_field) == nullptr) {
    const Json* error = scenario.pointer("/reference_expect/error");
    return out + (error != nullptr && error->if_string() ? *error->if_string() : "");
  }
  return fmt::format("{}chosen {}", out, fmt::join(texts_of(scenario, chosen_field), " "));
}

void run_cost_v1_5(const Json& scenario, Tally& tally) {
  Case one;
  read_case(scenario, one);
  const Json none = Json::object();
  const Json* config = scenario.find("config");
  Selector selector(config_of(config == nullptr ? none : *config));
  expect_equal(tally, text_of(scenario, "name"), expected_outcome(scenario, "minimum_cost_workers"),
               outcome(one, selector));
}

void run_cost_v0_9(const Json& scenario, Tally& tally) {
  Case one;
  one.request.block_size_tokens = static_cast<std::uint32_t>(number_of(scenario, "block_size"));
  one.request.isl_tokens = number_of(scenario, "isl_tokens");
  for (const Json& worker : list_of(scenario, "workers")) {
    Candidate candidate{.worker = key_of(worker)};
    // The file gives sums that include the request: as if all of it were cached.
    if (worker.find("prefill_tokens") != nullptr) {
      candidate.load = WorkerLoad{.active_prefill_tokens = number_of(worker, "prefill_tokens"),
                                  .active_decode_blocks = number_of(worker, "decode_blocks")};
      candidate.effective_overlap_blocks =
          std::ceil(static_cast<double>(one.request.isl_tokens) / one.request.block_size_tokens);
    }
    candidate.tree_size_blocks = number_of(worker, "tree_size");
    one.candidates.push_back(candidate);
  }
  Selector selector({.generation = CostGeneration::v0_9,
                     .overlap_score_weight = real_of(scenario, "overlap_score_weight", 1)});
  expect_equal(tally, text_of(scenario, "name"), expected_outcome(scenario, "selected_one_of"),
               outcome(one, selector));
}

void run_softmax(const Json& sample, Tally& tally) {
  std::vector<double> costs;
  for (const Json& cost : list_of(sample, "costs")) costs.push_back(cost.as_double().value_or(0));
  std::vector<double> probabilities(costs.size());
  softmax(costs, real_of(sample, "temperature", 1), probabilities);
  std::string expected;
  std::string got;
  for (const Json& probability : list_of(sample, "probabilities"))
    expected += cost_text(probability.as_double().value_or(0)) + " ";
  for (const double probability : probabilities) got += cost_text(probability) + " ";
  expect_equal(tally, "softmax " + sample.dump(), expected, got);
}

void run_queue(const Json& queue, Tally& tally) {
  for (const Json& row : list_of(queue, "prefill_busy")) {
    BusyThreshold threshold{.tokens = optional_number_of(row, "threshold_abs"), .fraction = {}};
    if (const Json* share = row.find("threshold_frac")) threshold.fraction = share->as_double();
    const bool busy = threshold.busy(number_of(row, "active_tokens"),
                                     optional_number_of(row, "max_num_batched_tokens"));
    expect_equal(tally, "busy " + row.dump(), flag_of(row, "busy") ? "busy" : "free",
                 busy ? "busy" : "free");
  }
  for (const Json& row : list_of(queue, "keys")) {
    const auto policy = parse_queue_policy(text_of(row, "policy"));
    expect_equal(tally, "key " + row.dump(), cost_text(real_of(row, "key")),
                 policy ? cost_text(queue_score(*policy, real_of(row, "priority_jump"),
                                                real_of(row, "arrival_offset_s"),
                                                number_of(row, "new_tokens")))
                        : policy.error().message());
  }
}

void run_active_sequences(const Json& scenario, Tally& tally) {
  constexpr WorkerKey kWorker{WorkerId{1}, DpRank{0}};
  ActiveSequences active;
  std::string expected;
  std::string got;
  for (const Json& step : list_of(scenario, "steps")) {
    if (const Json* add = step.find("add")) {
      std::vector<tokens::SequenceHash> prompt;
      for (const Json& hash : *add->at(1)->if_array())
        prompt.push_back(tokens::SequenceHash{hash.as_uint64().value_or(0)});
      static_cast<void>(active.add({.request_id = *add->at(0)->if_string(),
                                    .worker = kWorker,
                                    .prompt = prompt,
                                    .prefill_tokens = number_of(step, "prefill_tokens")},
                                   {}));
    } else if (step.find("free") != nullptr) {
      static_cast<void>(active.free(text_of(step, "free"), {}));
    } else if (step.find("prefill_complete") != nullptr) {
      static_cast<void>(active.complete_prefill(text_of(step, "prefill_complete"), {}));
    } else {
      static_cast<void>(active.add_output_block(text_of(step, "output_block"),
                                                real_of(step, "decay_fraction", 1)));
    }
    const Json* expect = step.find("expect");
    if (expect == nullptr) continue;
    const ActiveLoad load = active.load(kWorker);
    expected += expect->dump();
    got += fmt::format("[{},{}]", load.decode_blocks, load.prefill_tokens);
  }
  expect_equal(tally, text_of(scenario, "name"), expected, got);
}

// The router's own bookkeeping next to the recorded one, step by step.
class Trace {
 public:
  explicit Trace(const Json& file)
      : block_size_(static_cast<std::uint32_t>(number_of(file, "block_size"))) {
    for (const Json& id : list_of(file, "workers")) {
      workers_.push_back({WorkerId{id.as_uint64().value_or(0)}, DpRank{0}});
      active_.add_worker(workers_.back());
    }
  }

  void run(const Json& step, std::size_t number, Tally& tally) {
    const std::string op = text_of(step, "op");
    const std::string id = text_of(step, "selection_id");
    const std::string name = fmt::format("step {} {} {}", number, op, id);
    if (op == "stored") {
      store(step);
      expect_equal(tally, name, "", "");
    } else if (op == "select_and_reserve") {
      select(step, name, tally);
    } else if (op == "prefill_complete") {
      expect_equal(tally, name, "done", active_.complete_prefill(id, {}) ? "done" : "unknown");
    } else if (op == "free") {
      expect_equal(tally, name, "done", active_.free(id, {}) ? "done" : "unknown");
    } else {
      tally.fail(name, "a known operation", op);
    }
  }

 private:
  void store(const Json& step) {
    const auto blocks = tokens::hash_blocks(tokens_of(step, "tokens"), block_size_);
    const auto chain = tokens::sequence_hashes(blocks);
    KvStored stored;
    for (std::size_t i = 0; i < blocks.size(); ++i)
      stored.blocks.push_back({EngineHash{std::to_underlying(chain[i])}, blocks[i], std::nullopt});
    static_cast<void>(index_.store({WorkerId{number_of(step, "worker_id")}, DpRank{0}}, stored));
  }

  void select(const Json& step, const std::string& name, Tally& tally) {
    const auto prompt = tokens_of(step, "tokens");
    const auto blocks = tokens::hash_blocks(prompt, block_size_);
    const auto chain = tokens::sequence_hashes(blocks);
    std::map<WorkerKey, std::uint32_t> overlap;
    for (const WorkerOverlap& one : reader_.find_matches(blocks)) overlap[one.worker] = one.blocks;
    SelectionRequest request{.block_size_tokens = block_size_, .isl_tokens = prompt.size()};
    std::vector<Candidate> candidates;
    const auto additional = active_.additional_blocks(chain);
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      const WorkerKey worker = active_.workers()[i];
      const ActiveLoad load = active_.load(worker);
      const TierOverlap tiers{.device_blocks = overlap[worker]};
      candidates.push_back(
          {.worker = worker,
           .load =
               WorkerLoad{load.prefill_tokens, load.decode_blocks, additional[i], load.requests},
           .overlap = tiers,
           .effective_cached_tokens = effective_cached_tokens({}, tiers, block_size_)});
    }
    Selector selector;
    const auto selection = selector.select(request, candidates);
    std::string expected;
    std::string got;
    std::set<std::uint64_t> cheapest;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const Candidate& one = candidates[i];
      const auto id = static_cast<std::uint64_t>(one.worker.worker);
      const std::string key = std::to_string(id);
      const Json* loads = step.find("potential_loads")->find(key);
      expected += fmt::format("{}: {} {} {} ", key, step.find("overlap_blocks")->find(key)->dump(),
                              loads == nullptr ? "" : loads->dump(),
                              cost_text(step.find("costs")->find(key)->as_double().value_or(0)));
      const std::uint64_t prefill =
          one.load->active_prefill_tokens + prompt.size() -
          std::min<std::uint64_t>(prompt.size(), one.effective_cached_tokens);
      got += fmt::format("{}: {} [{},{},{}] {} ", key, one.overlap->device_blocks, prefill,
                         one.load->active_decode_blocks + one.load->additional_active_blocks,
                         one.load->active_requests, cost_text(selector.costs()[i].value_or(-1)));
      if (selection && selector.costs()[i] == selection->cost) cheapest.insert(id);
    }
    std::set<std::uint64_t> minimum;
    for (const Json& id : list_of(step, "minimum_cost_workers"))
      minimum.insert(id.as_uint64().value_or(0));
    expected += fmt::format("cheapest {}", fmt::join(minimum, " "));
    got += fmt::format("cheapest {}", fmt::join(cheapest, " "));
    // Among ties the reference's choice, so that the steps that follow stay comparable.
    const WorkerKey taken{WorkerId{number_of(step, "selected_by_reference")}, DpRank{0}};
    const std::uint64_t prefill =
        prompt.size() -
        std::min<std::uint64_t>(prompt.size(), std::uint64_t{overlap[taken]} * block_size_);
    expected += fmt::format(" owes {}", number_of(step, "effective_prefill_tokens"));
    got += fmt::format(" owes {}", prefill);
    static_cast<void>(active_.add({.request_id = text_of(step, "selection_id"),
                                   .worker = taken,
                                   .prompt = chain,
                                   .prefill_tokens = prefill},
                                  {}));
    expect_equal(tally, name, expected, got);
  }

  std::uint32_t block_size_;
  std::vector<WorkerKey> workers_;
  PrefixIndex index_;
  PrefixIndex::Reader reader_{index_};
  ActiveSequences active_;
};

}  // namespace

void run_scheduler_scenarios(const Json& file, Tally& tally) {
  for (const Json& scenario : list_of(file, "cost_scenarios_v1_5")) run_cost_v1_5(scenario, tally);
  for (const Json& scenario : list_of(file, "cost_scenarios_v0_9")) run_cost_v0_9(scenario, tally);
  for (const Json& sample : list_of(file, "softmax")) run_softmax(sample, tally);
  if (const Json* queue = file.find("queue")) run_queue(*queue, tally);
  for (const Json& scenario : list_of(file, "active_sequences"))
    run_active_sequences(scenario, tally);
  for (const Json& row : list_of(file, "potential_decode_blocks"))
    expect_equal(
        tally, "potential " + text_of(row, "name"),
        std::to_string(number_of(row, "potential_decode_blocks_after_admission")),
        std::to_string(potential_decode_blocks(
            number_of(row, "active_decode_blocks"), number_of(row, "additional_active_blocks"),
            number_of(row, "isl_tokens"), optional_number_of(row, "tracked_blocks"),
            static_cast<std::uint32_t>(number_of(row, "block_size")))));
  for (const Json& row : list_of(file, "conditional_disagg_isl_bounding")) {
    const ConditionalDisagg rule{.eff_isl_threshold_tokens = number_of(row, "abs"),
                                 .eff_isl_ratio_threshold = real_of(row, "ratio"),
                                 .decode_busy_threshold = {}};
    expect_equal(
        tally, "bypass " + row.dump(), flag_of(row, "bypass") ? "bypass" : "prefill",
        rule.few_new_tokens(number_of(row, "prompt_tokens"), number_of(row, "decode_cached_tokens"))
            ? "bypass"
            : "prefill");
  }
}

void run_selection_trace(const Json& file, Tally& tally) {
  Trace trace(file);
  std::size_t number = 0;
  for (const Json& step : list_of(file, "steps")) trace.run(step, ++number, tally);
}

}  // namespace dynamo::conformance
