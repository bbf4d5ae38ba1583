// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/openai/generation.h>

#include "openai/field_reader.h"

namespace dynamo::openai::detail {

Result<void> read(Json& from, const FieldPath& path, AgentHints& to);
Result<void> read(Json& from, const FieldPath& path, NvExt& to);
Result<void> read(Json& from, const FieldPath& path, StreamOptions& to);

/// The text of a body as JSON, strictly or with the reference's two repairs.
Result<Json> read_body(std::string_view body);

/// Reads `key` when it belongs to what both requests have in common; false when it does not.
Result<bool> read_generation_field(std::string_view key, Json& value, GenerationRequest& to,
                                   const ParseOptions& options);

/// Reads a whole body: members that both requests have, those in `table`, and the rest into
/// `unsupported`.
template <class Request, std::size_t Count>
Result<void> read_request(Json& body, Request& to, const FieldTable<Request, Count>& table,
                          const ParseOptions& options) {
  JsonObject* object = body.if_object();
  if (object == nullptr) return fail(type_error(FieldPath(), body, "a request object"));
  const FieldPath root;
  for (auto& [key, value] : *object) {
    if (const Field<Request>* known = table.find(key)) {
      DYN_CHECK(known->read(value, root.member(key), to));
      continue;
    }
    DYN_TRY(const bool common, read_generation_field(key, value, to, options));
    if (!common && !options.ignore_unknown_fields) to.unsupported.push_back(key);
  }
  return {};
}

}  // namespace dynamo::openai::detail
