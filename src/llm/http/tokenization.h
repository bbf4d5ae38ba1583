// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/http/exchange.h>

#include <boost/asio/awaitable.hpp>

#include "llm/http/generation.h"

namespace dynamo::llm::http {

/// POST /tokenize, as vLLM has it: {model, prompt | messages, add_special_tokens,
/// add_generation_prompt, return_token_strs, …} to {count, max_model_len, tokens, token_strs}.
/// `model` may be left out while only one model is served.
boost::asio::awaitable<void> serve_tokenize(const ServiceParts& parts, Exchange& exchange);
/// POST /detokenize: {model, tokens} to {prompt}.
boost::asio::awaitable<void> serve_detokenize(const ServiceParts& parts, Exchange& exchange);

}  // namespace dynamo::llm::http
