// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include "expect.h"

using namespace dynamo;

Result<std::int64_t> max_tokens_of(std::string_view body) {
  DYN_TRY(const Json request, base::parse_json(body));
  const Json* field = request.find("max_tokens");
  const auto count = field == nullptr ? std::nullopt : field->as_int64();
  if (!count)
    return fail(
        Error(Errc::invalid_argument, "max_tokens must be an integer").with_param("max_tokens"));
  return *count;
}

int main() {
  EXPECT(max_tokens_of(R"({"max_tokens": 16})") == 16);
  const auto wrong = max_tokens_of(R"({"max_tokens": "many"})");
  EXPECT(wrong.error().param() == "max_tokens" && base::http_status(wrong.error().code()) == 400);
}
