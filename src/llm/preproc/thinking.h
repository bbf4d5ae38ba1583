// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/model_card.h>
#include <dynamo/openai/chat.h>

#include <optional>

namespace dynamo::llm::detail {

/// The arguments for the chat template: the client's, with what it says about thinking brought
/// into all three forms that templates read (thinking, enable_thinking, thinking_mode). The
/// `thinking` member wins over the two switches, these over thinking_mode, that over the reasoning
/// effort "none"; the model's default counts when the request says nothing.
/// None when there is nothing to say. Source: spec llm-pipeline 4.5.
std::optional<Json> template_arguments(const openai::ChatRequest& request,
                                       const ModelRuntimeConfig& config);

}  // namespace dynamo::llm::detail
