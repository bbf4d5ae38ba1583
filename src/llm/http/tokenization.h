// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>

#include "llm/http/route_call.h"

namespace dynamo::llm::http {

/// POST /tokenize, as vLLM has it: {model, prompt | messages, add_special_tokens,
/// add_generation_prompt, return_token_strs, …} to {count, max_model_len, tokens, token_strs}.
/// `model` may be left out while only one model is served.
boost::asio::awaitable<void> serve_tokenize(RouteCall call);
/// POST /detokenize: {model, tokens} to {prompt}.
boost::asio::awaitable<void> serve_detokenize(RouteCall call);

}  // namespace dynamo::llm::http
