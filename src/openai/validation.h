// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/openai/generation.h>

#include <optional>
#include <string>
#include <string_view>

/// Checks that both requests share. Each returns the first failure as Errc::invalid_argument
/// "Validation: …" with the member as param(). Limits: spec llm-service 3.3.
namespace dynamo::openai::detail {

std::unexpected<Error> invalid(std::string_view param, std::string message);
/// A number as the reference prints it: 3, 0.5, -3.
std::string number_text(double number);
std::string number_text(float number);

Result<void> check_supported_fields(const GenerationRequest& request);
Result<void> check_stream_options(const GenerationRequest& request);
Result<void> check_model(const GenerationRequest& request);
Result<void> check_range(std::string_view param, std::string_view label,
                         const std::optional<float>& value, float low, float high);
Result<void> check_frequency_penalty(const GenerationRequest& request);
Result<void> check_presence_penalty(const GenerationRequest& request);
Result<void> check_logit_bias(const GenerationRequest& request);
Result<void> check_output_limit(std::string_view param, std::string_view label,
                                const std::optional<std::uint32_t>& value);
Result<void> check_n(const GenerationRequest& request);
Result<void> check_stop(const GenerationRequest& request);
Result<void> check_temperature(const GenerationRequest& request);
Result<void> check_top_p(const GenerationRequest& request);
Result<void> check_user(const GenerationRequest& request);
/// repetition_penalty, min_p, top_k, n against temperature, guided decoding, nvext.
Result<void> check_extensions(const GenerationRequest& request, bool has_response_schema);

}  // namespace dynamo::openai::detail
