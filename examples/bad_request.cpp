// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/json.h>
#include <dynamo/openai/chat.h>
#include <dynamo/openai/error.h>

#include "expect.h"

using namespace dynamo;

int main() {
  const auto request = openai::parse_chat_request(
      R"({"model": "m", "messages": [{"role": "user", "content": "hi"}], "temperature": 9})");
  EXPECT(request);
  const auto valid = openai::validate(*request);
  EXPECT(!valid && valid.error().param() == "temperature");
  const std::string body = openai::error_body(valid.error());  // what OpenAI's SDKs raise as 400
  const auto shown = base::parse_json(body);
  EXPECT(*shown->pointer("/error/type") == Json("invalid_request_error"));
}
