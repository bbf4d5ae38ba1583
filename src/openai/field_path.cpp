// SPDX-License-Identifier: Apache-2.0
#include "openai/field_path.h"

#include <dynamo/base/utf8.h>

namespace dynamo::openai::detail {
namespace {

constexpr std::string_view kPrefix = "Failed to deserialize the JSON body into the target type: ";
/// Strings of the client are quoted up to here; a prompt has no place in a message.
constexpr std::size_t kQuotedBytesMax = 64;

std::string quoted(std::string_view text) {
  std::string out;
  if (text.size() > kQuotedBytesMax) {
    base::append_json_string(out, text.substr(0, base::utf8_floor(text, kQuotedBytesMax)));
    out += "...";
  } else {
    base::append_json_string(out, text);
  }
  return out;
}

// The words of serde for a value that was not expected.
std::string describe(const Json& value) {
  switch (value.kind()) {
    case Json::Kind::null:
      return "null";
    case Json::Kind::boolean:
      return "boolean `" + value.dump() + "`";
    case Json::Kind::integer:
    case Json::Kind::unsigned_integer:
      return "integer `" + value.dump() + "`";
    case Json::Kind::real:
      return "floating point `" + value.dump() + "`";
    case Json::Kind::string:
      return "string " + quoted(*value.if_string());
    case Json::Kind::array:
      return "sequence";
    case Json::Kind::object:
      return "map";
  }
  return "value";
}

std::string one_of(std::span<const std::string_view> names) {
  std::string out = names.size() > 1 ? "expected one of " : "expected ";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) out += ", ";
    out.append(1, '`').append(names[i]).append(1, '`');
  }
  return out;
}

std::string clipped(std::string_view text) {
  if (text.size() <= kQuotedBytesMax) return std::string(text);
  return std::string(text.substr(0, base::utf8_floor(text, kQuotedBytesMax))) + "...";
}

}  // namespace

void FieldPath::append_to(std::string& out) const {
  if (parent_ != nullptr) parent_->append_to(out);
  if (index_ != kNoIndex) {
    out.append(1, '[').append(std::to_string(index_)).append(1, ']');
  } else if (!key_.empty()) {
    if (!out.empty()) out += '.';
    out += key_;
  }
}

std::string FieldPath::to_string() const {
  std::string out;
  append_to(out);
  return out;
}

Error body_error(std::string_view detail) {
  return Error(Errc::invalid_argument, std::string(kPrefix).append(detail));
}

Error body_error(const FieldPath& path, std::string_view detail) {
  std::string where = path.to_string();
  if (where.empty()) return body_error(detail);
  std::string message(kPrefix);
  message.append(where).append(": ").append(detail);
  return Error(Errc::invalid_argument, std::move(message)).with_param(std::move(where));
}

Error type_error(const FieldPath& path, const Json& found, std::string_view expected) {
  return body_error(path,
                    "invalid type: " + describe(found) + ", expected " + std::string(expected));
}

Error value_error(const FieldPath& path, const Json& found, std::string_view expected) {
  return body_error(path,
                    "invalid value: " + describe(found) + ", expected " + std::string(expected));
}

Error missing_field(const FieldPath& where, std::string_view name) {
  std::string message(kPrefix);
  const std::string path = where.to_string();
  if (!path.empty()) message.append(path).append(": ");
  message.append("missing field `").append(name).append("`");
  return Error(Errc::invalid_argument, std::move(message))
      .with_param(where.member(name).to_string());
}

Error unknown_variant(const FieldPath& path, std::string_view found,
                      std::span<const std::string_view> expected) {
  return body_error(path, "unknown variant `" + clipped(found) + "`, " + one_of(expected));
}

Error unknown_field(const FieldPath& path, std::string_view found,
                    std::span<const std::string_view> expected) {
  return body_error(path, "unknown field `" + clipped(found) + "`, " + one_of(expected));
}

}  // namespace dynamo::openai::detail
