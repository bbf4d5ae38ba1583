// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/llm/engine.h>
#include <dynamo/llm/model_card.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace dynamo::llm {
class Preprocessor;
}

namespace dynamo::llm::http {

/// From when on a worker of a model is too busy for new requests; what is unset is not looked at.
/// A router obeys them; an engine in this process admits requests by rules of its own.
struct BusyThresholds {
  std::optional<double> active_decode_blocks;  ///< share of the KV blocks, 0 to 1
  std::optional<std::uint64_t> active_prefill_tokens;
  std::optional<double> active_prefill_tokens_frac;  ///< times the tokens of one batch
};

/// A model as clients see it. Immutable; a change makes a new one.
struct ServedModel {
  std::string name;
  ModelCardPtr card;                                 ///< null when it could not be loaded
  std::shared_ptr<TokenEngine> engine;               ///< null when it could not be loaded
  std::shared_ptr<const Preprocessor> preprocessor;  ///< null when it could not be loaded
  bool serves_chat = false;
  bool serves_completions = false;
  bool ready = false;
  std::string reason;  ///< why it is not ready, in words for the client
  TokenEngine::Info engine_info;
  BusyThresholds busy_thresholds;

  /// Tokens that prompt and answer may have together; 0 when unknown.
  std::uint32_t context_length() const noexcept {
    return card ? card->context_length() : engine_info.context_length;
  }
};
using ServedModelPtr = std::shared_ptr<const ServedModel>;

/// All models at one moment. Immutable.
class ModelSnapshot {
 public:
  /// By name or alias, or null.
  ServedModelPtr find(std::string_view name) const;
  /// By name, aliases not included.
  const std::map<std::string, ServedModelPtr, std::less<>>& models() const noexcept {
    return models_;
  }
  /// Every name a client may ask for, aliases included, with the model behind it.
  const std::map<std::string, ServedModelPtr, std::less<>>& names() const noexcept {
    return names_;
  }

 private:
  friend class ModelManager;
  std::map<std::string, ServedModelPtr, std::less<>> models_;
  std::map<std::string, ServedModelPtr, std::less<>> names_;
};

struct ModelOptions {
  bool chat = true;  ///< off also when the card has no working chat template
  bool completions = true;
  /// Fill sampling parameters that a request leaves open from the model's generation_config.json.
  bool apply_generation_defaults = true;
  /// Served at once; else set_ready() is called when the engine is.
  bool ready = true;
};

/// The models of a service by name. Changes are rare and take a lock; requests read a snapshot that
/// each shard keeps, with one atomic load.
///
/// Thread safety: every member from any thread. A removed model's engine is released when each
/// shard has served its next request.
/// Source: ModelManager (lib/llm/src/discovery/model_manager.rs v1.5).
class ModelManager {
 public:
  ModelManager();
  ~ModelManager();
  ModelManager(const ModelManager&) = delete;
  ModelManager& operator=(const ModelManager&) = delete;

  /// Errors: already_exists when the card's name or one of its aliases is taken.
  Result<void> add(ModelCardPtr card, std::shared_ptr<TokenEngine> engine,
                   const ModelOptions& options = {});
  /// Lists a model that could not be loaded, so that requests for it learn why (503).
  Result<void> add_disabled(std::string name, std::string reason);
  /// Errors: not_found.
  Result<void> set_ready(std::string_view name, bool ready, std::string reason = {});
  Result<void> remove(std::string_view name);
  /// Sets those thresholds that are given. `name` may be an alias. Errors: not_found.
  Result<void> set_busy_thresholds(std::string_view name, const BusyThresholds& thresholds);

  std::shared_ptr<const ModelSnapshot> snapshot() const;

  /// Called after each change, and once now, with the new state; changes wait for it.
  void on_change(std::function<void(const ModelSnapshot&)> callback);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::llm::http
