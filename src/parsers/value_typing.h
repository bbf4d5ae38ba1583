// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "parsers/schema.h"

namespace dynamo::parsers::detail {

/// JSON text of untyped text, by the rules of one family and the schema of the member. Where a
/// schema admits several types, the first one that fits counts.

/// XML family (qwen3_coder, minimax_m2): `text` is trimmed and its entities are replaced.
/// `null` in any case is null; without a schema the value is a string.
std::string xml_value(std::string_view text, const Schema& schema);
/// Whether xml_value gives a string (or null) for every text, so that it may be passed on in
/// pieces.
bool xml_value_is_string(const Schema& schema);

/// glm47: `text` is the value with entities replaced, untrimmed.
std::string glm_value(std::string_view text, const Schema& schema);
/// Whether glm_value gives a string for texts that do not begin like JSON.
bool glm_value_is_string(const Schema& schema);

/// minimax_m3: a scalar, entities replaced, untrimmed.
std::string m3_scalar(std::string_view text, const Schema& schema);

}  // namespace dynamo::parsers::detail
