// SPDX-License-Identifier: Apache-2.0
#include "llm/response/response_nvext.h"

#include <array>

namespace dynamo::llm::detail {
namespace {

double milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

ResponseNvext::ResponseNvext(const openai::GenerationRequest& request, base::SystemTime received_at,
                             const Clock& clock)
    : clock_(&clock), received_at_(received_at) {
  worker_id_wanted_ = request.wants_extra_field("worker_id");
  timing_wanted_ = request.wants_extra_field("timing");
  token_ids_wanted_ = request.wants_extra_field("completion_token_ids");
  stop_reason_wanted_ = request.wants_extra_field("stop_reason");
  engine_data_wanted_ = request.wants_extra_field("engine_data");
  wanted_ = worker_id_wanted_ || timing_wanted_ || token_ids_wanted_ || stop_reason_wanted_ ||
            engine_data_wanted_;
  if (timing_wanted_) {
    // The time from arrival until now has passed already.
    const auto waited = clock.system_now() - received_at;
    began_ = clock.now() - std::max<std::chrono::nanoseconds>(waited, std::chrono::nanoseconds(0));
  }
}

void ResponseNvext::set_worker_id(Json worker_id) {
  worker_id_ = std::move(worker_id);
}

void ResponseNvext::observe(const BackendOutput& output) {
  if (!wanted_) return;
  if (timing_wanted_ && !first_token_ms_ && !output.token_ids.empty()) {
    first_token_ms_ = milliseconds(clock_->now() - began_);
  }
  if (output.routing_data) {
    if (const Json* worker = output.routing_data->find("worker_id");
        worker != nullptr && !worker->is_null()) {
      worker_id_ = *worker;
    }
    if (const Json* timing = output.routing_data->find("timing");
        timing != nullptr && timing->is_object()) {
      engine_timing_ = *timing;
    }
  }
  finished_ = finished_ || output.finish_reason.has_value();
  if (token_ids_wanted_) {
    token_ids_.insert(token_ids_.end(), output.token_ids.begin(), output.token_ids.end());
  }
  if (output.stop_reason) stop_reason_ = output.stop_reason;
  if (output.engine_data) engine_data_ = *output.engine_data;
}

void ResponseNvext::write_timing(JsonWriter& out) {
  out.key("timing").begin_object();
  out.member("request_received_ms",
             std::chrono::duration_cast<std::chrono::milliseconds>(received_at_.time_since_epoch())
                 .count());
  const auto engine_member = [&](std::string_view name) {
    const Json* value = engine_timing_.find(name);
    if (value != nullptr && !value->is_null()) out.member(name, *value);
  };
  engine_member("prefill_wait_time_ms");
  engine_member("prefill_time_ms");
  out.member_if("ttft_ms", first_token_ms_);
  out.member("total_time_ms", milliseconds(clock_->now() - began_));
  engine_member("kv_hit_rate");
  engine_member("router_queue_depth");
  engine_member("kv_transfer_estimated_latency_ms");
  out.end_object();
}

std::string ResponseNvext::render(bool finished, const std::vector<TokenId>& token_ids,
                                  const std::optional<StopReason>& stop_reason,
                                  const Json& engine_data) {
  std::string text;
  JsonWriter out(text);
  out.begin_object();
  const std::size_t empty_size = text.size();
  if (worker_id_wanted_ && !worker_id_.is_null()) out.member("worker_id", worker_id_);
  if (timing_wanted_ && finished) write_timing(out);
  if (engine_data_wanted_ && !engine_data.is_null()) out.member("engine_data", engine_data);
  if (stop_reason_wanted_ && stop_reason) {
    out.key("stop_reason");
    if (const auto* matched = std::get_if<std::string>(&*stop_reason)) {
      out.value(std::string_view(*matched));
    } else {
      out.value(std::get<std::int64_t>(*stop_reason));
    }
  }
  if (token_ids_wanted_ && !token_ids.empty()) {
    out.key("completion_token_ids").begin_array();
    for (const TokenId id : token_ids) out.value(id);
    out.end_array();
  }
  if (text.size() == empty_size) return {};
  out.end_object();
  return text;
}

std::string ResponseNvext::chunk(const BackendOutput& output) {
  if (!wanted_) return {};
  static const Json kNone;
  return render(output.finish_reason.has_value(), output.token_ids, output.stop_reason,
                output.engine_data ? *output.engine_data : kNone);
}

std::string ResponseNvext::whole() {
  if (!wanted_) return {};
  return render(finished_, token_ids_, stop_reason_, engine_data_);
}

}  // namespace dynamo::llm::detail
