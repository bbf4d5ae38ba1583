// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>
#include <dynamo/runtime/context.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace dynamo::run {

/// A whole answer.
struct ChatAnswer {
  std::string text;
  std::string reasoning;
  std::string finish_reason;  ///< OpenAI's words; empty when the engine gave none
  std::uint32_t prompt_tokens = 0;
  std::uint32_t completion_tokens = 0;
};

/// Asks the model in this process, through the same stages as the HTTP service.
class Chat {
 public:
  virtual ~Chat() = default;
  /// `request` is the body of a chat completion. Calls `on_text` with each piece of content, on a
  /// thread of its own choice, and returns the whole. Blocks; any number of threads may ask at
  /// once. Stopping `context` ends the answer early. Errors: as the HTTP service's.
  virtual Result<ChatAnswer> ask(const Json& request,
                                 const std::function<void(std::string_view)>& on_text,
                                 runtime::ContextPtr context) = 0;
};

}  // namespace dynamo::run
