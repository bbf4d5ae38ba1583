// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/worker_policy.h>

#include <algorithm>
#include <cmath>

namespace dynamo::kv_router {
namespace {

constexpr std::string_view kDefaultType = "default";

}  // namespace

void DefaultScorer::add_costs(const SelectionRequest& request,
                              std::span<const Candidate> candidates,
                              std::span<const std::size_t> rows, std::span<double> costs) {
  own_.resize(rows.size());
  price(config_, request, candidates, rows, own_);
  for (std::size_t i = 0; i < rows.size(); ++i) costs[i] += own_[i];
}

PolicySelector::PolicySelector(Parts parts, std::uint64_t seed)
    : parts_(std::move(parts)), rng_(seed) {
  if (!parts_.picker) parts_.picker = std::make_unique<DefaultPicker>();
}

PolicyInputs PolicySelector::inputs() const noexcept {
  PolicyInputs all = kNoInputs;
  for (const auto& filter : parts_.filters) all |= filter->inputs();
  for (const auto& scorer : parts_.scorers) all |= scorer->inputs();
  return all;
}

Result<Selection> PolicySelector::select(const SelectionRequest& request,
                                         std::span<const Candidate> candidates) {
  DYN_CHECK(eligible(request, candidates, rows_));
  for (const auto& filter : parts_.filters)
    std::erase_if(rows_, [&](std::size_t row) { return !filter->keep(request, candidates[row]); });
  if (rows_.empty())
    return fail(Errc::unavailable, "all eligible workers were rejected by policy filters");
  costs_.assign(rows_.size(), 0.0);
  for (const auto& scorer : parts_.scorers) scorer->add_costs(request, candidates, rows_, costs_);
  if (const auto bad = std::ranges::find_if_not(costs_, [](double c) { return std::isfinite(c); });
      bad != costs_.end())
    return fail(Errc::internal, "a worker selection policy gave a cost of " + std::to_string(*bad));
  const std::size_t chosen = parts_.picker->pick(costs_, rng_);
  if (chosen >= rows_.size())
    return fail(Errc::internal, "a worker selection policy picked row " + std::to_string(chosen) +
                                    " of " + std::to_string(rows_.size()));
  Selection out{.candidate = rows_[chosen], .cost = costs_[chosen]};
  out.approximate = candidates[out.candidate].approximate();
  out.approximate_candidates = static_cast<std::size_t>(
      std::ranges::count_if(rows_, [&](std::size_t row) { return candidates[row].approximate(); }));
  return out;
}

Result<void> WorkerPolicyRegistry::add(std::string type, Factory factory) {
  if (type.empty()) return fail(Errc::invalid_argument, "a worker selection policy needs a name");
  if (type == kDefaultType || factories_.contains(type))
    return fail(Errc::already_exists, "worker selection policy '" + type + "' exists");
  factories_.emplace(std::move(type), std::move(factory));
  return {};
}

Result<std::unique_ptr<WorkerSelector>> WorkerPolicyRegistry::make(
    std::string_view type, const Json& parameters, const SelectorConfig& config) const {
  if (type == kDefaultType) return std::make_unique<Selector>(config);
  const auto found = factories_.find(type);
  if (found != factories_.end()) return found->second(parameters, config);
  std::string known(kDefaultType);
  for (const auto& [name, factory] : factories_) known += ", " + name;
  return fail(Errc::not_found,
              "unknown worker selection policy '" + std::string(type) + "', known are " + known);
}

}  // namespace dynamo::kv_router
