// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/llm/backend/backend.h>
#include <dynamo/openai/generation.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::llm::detail {

/// The `nvext` of a response: the extra fields that the request asked for, and nothing when it
/// asked for none. Clocks are read only when `timing` is among them.
class ResponseNvext {
 public:
  ResponseNvext(const openai::GenerationRequest& request, base::SystemTime received_at,
                const Clock& clock);

  bool wanted() const noexcept { return wanted_; }
  void set_worker_id(Json worker_id);
  /// Takes note of an output, before chunk() is asked for its chunks.
  void observe(const BackendOutput& output);

  /// The object of one chunk, or empty. `token_ids` are those of the chunk.
  std::string chunk(const BackendOutput& output);
  /// The object of a unary answer, or empty: token ids of all outputs, the last of everything else.
  std::string whole();

 private:
  std::string render(bool finished, const std::vector<TokenId>& token_ids,
                     const std::optional<StopReason>& stop_reason, const Json& engine_data);
  void write_timing(JsonWriter& out);

  const Clock* clock_;
  base::SystemTime received_at_;
  base::SteadyTime began_{};
  std::optional<double> first_token_ms_;
  bool wanted_ = false;
  bool worker_id_wanted_ = false;
  bool timing_wanted_ = false;
  bool token_ids_wanted_ = false;
  bool stop_reason_wanted_ = false;
  bool engine_data_wanted_ = false;
  Json worker_id_;
  Json engine_timing_;
  // Of the whole answer.
  bool finished_ = false;
  std::vector<TokenId> token_ids_;
  std::optional<StopReason> stop_reason_;
  Json engine_data_;
};

}  // namespace dynamo::llm::detail
