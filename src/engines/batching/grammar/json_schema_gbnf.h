// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <string>

#include "engines/batching/grammar/gbnf_rules.h"

namespace dynamo::engines::batching::grammar {

/// Adds the rules of a JSON schema and returns the body that matches the JSON texts it allows.
///
/// Supported: type (one or a list), properties, required, additionalProperties, items, prefixItems,
/// minItems, maxItems, enum, const, anyOf, oneOf (as anyOf), allOf (of what can be merged), $ref
/// within the document, minLength, maxLength, pattern, format (date, time, date-time, uuid), and
/// bounds of integers. Members come in the order of `properties`, then further ones if
/// additionalProperties allows them (not when the schema has properties and leaves that open, as
/// other servers do: it keeps a model from inventing members). Between tokens at most one space or
/// a line break with indentation is allowed, so that no model writes blanks for ever.
/// Errors: invalid_argument for what is no schema; unimplemented naming a keyword that would be
/// ignored. The path in the message is a JSON pointer.
Result<std::string> json_schema_to_gbnf(const Json& schema, GbnfRules& rules);

}  // namespace dynamo::engines::batching::grammar
