// SPDX-License-Identifier: Apache-2.0
#include "llm/http/error_response.h"

#include <dynamo/openai/error.h>

namespace dynamo::llm::http {

std::string plain_error_body(int status, std::string_view message) {
  // The Errc does not show; the status decides what the body says.
  return openai::error_body(Error(Errc::internal, std::string(message)),
                            {.status = status, .overload_status = 529, .request_id = {}});
}

}  // namespace dynamo::llm::http
