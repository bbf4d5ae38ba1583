// SPDX-License-Identifier: Apache-2.0
#include "parsers/argument_writer.h"

#include "parsers/json_text.h"

namespace dynamo::parsers::detail {

void ArgumentWriter::key(std::string_view name, Emitter& out) {
  std::string text = members_++ == 0 ? "{\"" : ",\"";
  append_json_escaped(text, name);
  text += "\":";
  out.arguments(text);
}

void ArgumentWriter::member(std::string_view name, std::string_view json, Emitter& out) {
  key(name, out);
  out.arguments(json);
}

void ArgumentWriter::end(Emitter& out) {
  out.arguments(members_ == 0 ? "{}" : "}");
}

}  // namespace dynamo::parsers::detail
