// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/json.h>
#include <dynamo/kv_router/selector.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// Worker selection put together from parts: ordered filters, costs that add up, one picker.
/// Source: lib/kv-router/src/scheduling/policy (v1.5); spec kv-router 5.8.
namespace dynamo::kv_router {

/// What a part looks at, so that a host need not gather what nobody reads: a sum of these.
using PolicyInputs = std::uint8_t;
inline constexpr PolicyInputs kNoInputs = 0;
inline constexpr PolicyInputs kCacheInputs = 1;    ///< overlap, cached tokens, freshness
inline constexpr PolicyInputs kLoadInputs = 2;     ///< load
inline constexpr PolicyInputs kRoutingInputs = 4;  ///< taints, ids

/// Keeps candidates or not.
class WorkerFilter {
 public:
  virtual ~WorkerFilter() = default;
  virtual PolicyInputs inputs() const noexcept = 0;
  virtual bool keep(const SelectionRequest& request, const Candidate& candidate) = 0;
};

/// Adds to costs; the lower the better. Every cost must be finite.
class WorkerScorer {
 public:
  virtual ~WorkerScorer() = default;
  virtual PolicyInputs inputs() const noexcept = 0;
  /// Adds to `costs[i]` the cost of `candidates[rows[i]]`. Rows come in no particular order.
  virtual void add_costs(const SelectionRequest& request, std::span<const Candidate> candidates,
                         std::span<const std::size_t> rows, std::span<double> costs) = 0;
};

/// Chooses among the rows that are left.
class WorkerPicker {
 public:
  virtual ~WorkerPicker() = default;
  /// An index below costs.size(), which is not 0.
  virtual std::size_t pick(std::span<const double> costs, Rng& rng) = 0;
};

/// The default cost as a part.
class DefaultScorer final : public WorkerScorer {
 public:
  explicit DefaultScorer(SelectorConfig config) : config_(config) {}
  PolicyInputs inputs() const noexcept override {
    return kCacheInputs | kLoadInputs | kRoutingInputs;
  }
  void add_costs(const SelectionRequest& request, std::span<const Candidate> candidates,
                 std::span<const std::size_t> rows, std::span<double> costs) override;

 private:
  SelectorConfig config_;
  std::vector<double> own_;
};

/// The lowest cost, ties at random; or by softmax.
class DefaultPicker final : public WorkerPicker {
 public:
  explicit DefaultPicker(double temperature = 0) : temperature_(temperature) {}
  std::size_t pick(std::span<const double> costs, Rng& rng) override {
    return kv_router::pick(costs, temperature_, rng);
  }

 private:
  double temperature_;
};

/// A selector of parts. Eligibility is checked here before the parts see a candidate, and what
/// they give back is validated. Costs do not count pinned requests' missing competition: filters
/// apply to them too.
class PolicySelector final : public WorkerSelector {
 public:
  struct Parts {
    std::vector<std::unique_ptr<WorkerFilter>> filters;
    std::vector<std::unique_ptr<WorkerScorer>> scorers;  ///< none: all cost 0
    std::unique_ptr<WorkerPicker> picker;                ///< none: DefaultPicker
  };
  explicit PolicySelector(Parts parts, std::uint64_t seed = 1);

  /// Errors: as of WorkerSelector; Errc::unavailable also when the filters leave nobody.
  Result<Selection> select(const SelectionRequest& request,
                           std::span<const Candidate> candidates) override;
  /// Of all parts together.
  PolicyInputs inputs() const noexcept;

 private:
  Parts parts_;
  Rng rng_;
  std::vector<std::size_t> rows_;
  std::vector<double> costs_;
};

/// Makes selectors by the name of their type (`worker_selection.instances[].type`). The name
/// "default" is taken by Selector. Not thread-safe; fill it before the first request.
class WorkerPolicyRegistry {
 public:
  using Factory = std::function<Result<std::unique_ptr<WorkerSelector>>(
      const Json& parameters, const SelectorConfig& config)>;

  /// Errors: Errc::already_exists for a name that is taken, Errc::invalid_argument for an empty
  /// one.
  Result<void> add(std::string type, Factory factory);
  /// Errors: Errc::not_found naming the known types; what the factory says.
  Result<std::unique_ptr<WorkerSelector>> make(std::string_view type, const Json& parameters,
                                               const SelectorConfig& config) const;

 private:
  std::map<std::string, Factory, std::less<>> factories_;
};

}  // namespace dynamo::kv_router
