// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/engine.h>
#include <dynamo/llm/model_card.h>
#include <dynamo/runtime/shard.h>

#include <memory>

#include "chat.h"

namespace dynamo::run {

/// Asks an engine in this process through the stages that the HTTP service uses: preprocessor,
/// engine, response pipeline. The streamed events are read back as a client would read them.
class LocalChat final : public Chat {
 public:
  /// `shards` must outlive every ask().
  LocalChat(llm::ModelCardPtr card, std::shared_ptr<llm::TokenEngine> engine,
            runtime::ShardPool& shards);

  Result<ChatAnswer> ask(const Json& request, const std::function<void(std::string_view)>& on_text,
                         runtime::ContextPtr context) override;

 private:
  llm::ModelCardPtr card_;
  std::shared_ptr<llm::TokenEngine> engine_;
  runtime::ShardPool& shards_;
};

}  // namespace dynamo::run
