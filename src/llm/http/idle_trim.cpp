// SPDX-License-Identifier: Apache-2.0
#include "llm/http/idle_trim.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace dynamo::llm::http {

bool IdleTrim::on_tick(base::SteadyTime now, std::size_t active, std::uint64_t served) {
  if (active > 0 || served != last_served_ || quiet_since_ == base::SteadyTime{}) {
    last_served_ = served;
    quiet_since_ = now;
    return false;
  }
  if (served == trimmed_at_served_ || now - quiet_since_ < kQuiet) return false;
  trimmed_at_served_ = served;
#if defined(__GLIBC__)
  ::malloc_trim(0);
#endif
  return true;
}

}  // namespace dynamo::llm::http
