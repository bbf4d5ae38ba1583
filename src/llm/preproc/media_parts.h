// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/protocols/preprocessed_request.h>

namespace dynamo::llm::detail {

/// Collects image, video and audio parts of the messages into multi_modal_data and
/// multi_modal_uuids, in the order of the messages, and passes the messages and the prompt on in
/// extra_args. Nothing happens to a request without media. Source: spec llm-pipeline 2.1, 4.6.
void gather_media(const Json& messages, std::string_view formatted_prompt, PreprocessedRequest& to);

}  // namespace dynamo::llm::detail
