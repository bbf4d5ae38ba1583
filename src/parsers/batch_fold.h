// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/parsers/batch.h>
#include <dynamo/parsers/event.h>

#include <string_view>

#include "parsers/emitter.h"
#include "parsers/families.h"

namespace dynamo::parsers::detail {

/// Folds what a grammar saw in a complete text into calls and content, by the conventions of the
/// reference's batch function for this family.
ParsedOutput fold_batch(const ToolFamily& family, std::string_view text, const Trace& trace,
                        BatchMode mode);
/// The same for the JSON families (spec 3.1).
ParsedOutput fold_json_batch(const ToolFamily& family, std::string_view text, const Trace& trace,
                             BatchMode mode);

/// Joins the text items in front of item `end`.
std::string text_before(const Trace& trace, std::size_t end);

}  // namespace dynamo::parsers::detail
