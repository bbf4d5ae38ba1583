// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chat.h"

namespace dynamo::run {

/// Defaults of a request made here, as in the reference: temperature 0.7, at most 8192 tokens.
struct RequestDefaults {
  std::string model;
  double temperature = 0.7;
  std::uint32_t max_completion_tokens = 8192;
};

/// `in=text`: a conversation on the terminal until Ctrl-D. Ctrl-C ends the present answer.
/// Returns the process's exit status.
int run_text(Chat& chat, const RequestDefaults& defaults);

/// `in=stdin`: the whole of standard input is one prompt; prints the answer. Exit status 1 when the
/// request failed.
int run_stdin(Chat& chat, const RequestDefaults& defaults);

/// A chat request with these messages.
Json chat_request(const RequestDefaults& defaults, Json::Array messages);
Json message(std::string_view role, std::string_view content);

}  // namespace dynamo::run
