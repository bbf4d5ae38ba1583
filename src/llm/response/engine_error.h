// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/base/error.h>
#include <dynamo/llm/backend/backend.h>

#include <cstdint>

namespace dynamo::llm::detail {

/// Whether the engine ended this choice with an error instead of an answer.
inline bool is_engine_error(const BackendOutput& output) noexcept {
  return output.finish_reason && output.finish_reason->kind == FinishReason::Kind::error;
}

/// That error: 500, whose text is for the log only.
inline std::unexpected<Error> engine_error(const BackendOutput& output) {
  constexpr int kInternalServerError = 500;
  return fail(Error(Errc::internal, output.finish_reason->message)
                  .with_backend_status(kInternalServerError));
}

/// Seconds since 1970, as `created` has them.
inline std::uint32_t created_seconds(base::SystemTime time) noexcept {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

}  // namespace dynamo::llm::detail
