// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/assert.h>
#include <dynamo/base/log.h>

#include <cstdlib>

namespace dynamo::base::detail {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
  log_event(LogLevel::error, "base::assert", "assertion failed",
            {{"condition", condition}, {"file", file}, {"line", line}});
  std::abort();
}

}  // namespace dynamo::base::detail
