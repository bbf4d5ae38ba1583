// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/grammar/json_schema_gbnf.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "engines/batching/grammar/char_set.h"
#include "engines/batching/grammar/integer_range.h"
#include "engines/batching/grammar/json_text_rules.h"
#include "engines/batching/grammar/regex_gbnf.h"

namespace dynamo::engines::batching::grammar {
namespace {

/// Notes to people and tools; they constrain nothing.
constexpr std::array<std::string_view, 16> kAnnotations{
    "$schema",   "$id",         "$comment",        "$anchor",         "$defs",      "definitions",
    "title",     "description", "default",         "examples",        "deprecated", "readOnly",
    "writeOnly", "nullable",    "contentEncoding", "contentMediaType"};

/// More means that merging has blown the schema up.
constexpr std::size_t kConversionsMax = 20'000;

class SchemaConverter {
 public:
  SchemaConverter(const Json& document, GbnfRules& rules)
      : document_(document), rules_(rules), text_(rules) {}

  Result<std::string> convert(const Json& schema, const std::string& path, std::size_t depth) {
    if (depth > kNestingMax) return wrong(path, "is nested too deeply");
    // Merging copies what it refers to, so a small schema can stand for a huge one.
    if (++conversions_ > kConversionsMax) return wrong("", "is too large");
    DYN_CHECK(rules_.check_size());
    if (const bool* all = schema.if_bool()) {
      if (*all) return text_.value();
      return unsupported(path, "false (a value that cannot be)");
    }
    const JsonObject* members = schema.if_object();
    if (members == nullptr) return wrong(path, "must be an object or a boolean");
    if (members->contains("$ref")) return reference(*members, path, depth);
    for (const std::string_view keyword : {"anyOf", "oneOf"}) {
      if (const Json* branches = members->find(keyword)) {
        return any_of(*members, keyword, *branches, path, depth);
      }
    }
    if (const Json* parts = members->find("allOf")) return all_of(*members, *parts, path, depth);
    if (const Json* options = members->find("enum")) return enumeration(*options, path);
    if (const Json* constant = members->find("const")) return gbnf_literal(constant->dump());
    return typed(*members, path, depth);
  }

 private:
  static std::string at(const std::string& path) { return path.empty() ? "the schema" : path; }
  static std::unexpected<Error> wrong(const std::string& path, std::string_view what) {
    return fail(Errc::invalid_argument, "JSON schema: " + at(path) + " " + std::string(what));
  }
  static std::unexpected<Error> unsupported(const std::string& path, std::string_view what) {
    return fail(Errc::unimplemented, "JSON schema: " + at(path) + " uses " + std::string(what) +
                                         ", which is not supported");
  }
  /// Every keyword is either handled by the caller, an annotation, or refused.
  static Result<void> only(const JsonObject& members, std::initializer_list<std::string_view> known,
                           const std::string& path) {
    for (const auto& [name, value] : members) {
      if (std::ranges::find(known, name) == known.end() &&
          std::ranges::find(kAnnotations, name) == kAnnotations.end() && name != "type") {
        return unsupported(path, "'" + name + "'");
      }
    }
    return {};
  }

  // --- combinations ---

  /// A rule per pointer, defined after it is named, so that a schema may refer to itself.
  Result<std::string> reference(const JsonObject& members, const std::string& path,
                                std::size_t depth) {
    DYN_CHECK(only(members, {"$ref"}, path));
    const std::string* target = members.find("$ref")->if_string();
    if (target == nullptr) return wrong(path + "/$ref", "must be a string");
    if (const auto known = references_.find(*target); known != references_.end()) {
      return known->second;
    }
    if (!target->starts_with('#')) return unsupported(path, "a $ref outside of the schema");
    const Json* found = document_.pointer(std::string_view(*target).substr(1));
    if (found == nullptr) return wrong(path + "/$ref", "points nowhere: " + *target);
    std::string name = rules_.reserve();
    references_.emplace(*target, name);
    DYN_TRY(std::string body, convert(*found, target->substr(1), depth + 1));
    rules_.define(name, std::move(body));
    return name;
  }

  Result<const Json*> resolve(const Json& schema, const std::string& path) {
    const Json* out = &schema;
    for (std::size_t i = 0; i < kNestingMax; ++i) {
      const Json* target = out->find("$ref");
      if (target == nullptr) return out;
      const std::string* pointer = target->if_string();
      if (pointer == nullptr || !pointer->starts_with('#')) {
        return unsupported(path, "a $ref outside of the schema");
      }
      out = document_.pointer(std::string_view(*pointer).substr(1));
      if (out == nullptr) return wrong(path + "/$ref", "points nowhere: " + *pointer);
    }
    return wrong(path, "refers to itself");
  }

  /// What both schemas demand, as one schema.
  Result<JsonObject> merged(JsonObject base, const Json& schema, const std::string& path) {
    DYN_TRY(const Json* const with, resolve(schema, path));
    if (with->if_bool() != nullptr && *with->if_bool()) return base;
    const JsonObject* more = with->if_object();
    if (more == nullptr) return wrong(path, "must be an object");
    for (const auto& [name, value] : *more) {
      Json* mine = base.find(name);
      if (mine == nullptr) {
        base.set(name, value);
      } else if (name == "properties" && mine->is_object() && value.is_object()) {
        for (const auto& [property, of] : *value.if_object()) {
          Json* known = mine->find(property);
          if (known != nullptr && *known != of) {
            return unsupported(path, "two schemas for the property '" + property + "'");
          }
          (*mine)[property] = of;
        }
      } else if (name == "required" && mine->is_array() && value.is_array()) {
        for (const Json& property : *value.if_array()) mine->push_back(property);
      } else if (*mine != value && std::ranges::find(kAnnotations, name) == kAnnotations.end()) {
        return unsupported(path, "two different '" + name + "'");
      }
    }
    return base;
  }

  Result<std::string> any_of(const JsonObject& members, std::string_view keyword,
                             const Json& branches, const std::string& path, std::size_t depth) {
    const Json::Array* list = branches.if_array();
    if (list == nullptr || list->empty()) {
      return wrong(path + "/" + std::string(keyword), "must be a list of schemas");
    }
    JsonObject rest = members;
    rest.erase(keyword);
    const bool alone = std::ranges::all_of(rest, [](const auto& member) {
      return std::ranges::find(kAnnotations, member.key) != kAnnotations.end();
    });
    std::string out;
    for (std::size_t i = 0; i < list->size(); ++i) {
      const std::string branch_path = path + "/" + std::string(keyword) + "/" + std::to_string(i);
      std::string body;
      if (alone) {
        DYN_TRY(body, convert((*list)[i], branch_path, depth + 1));
      } else {
        DYN_TRY(JsonObject both, merged(rest, (*list)[i], branch_path));
        DYN_TRY(body, convert(Json(std::move(both)), branch_path, depth + 1));
      }
      out += (out.empty() ? "" : " | ") + rules_.add(std::move(body));
    }
    return rules_.add(std::move(out));
  }

  Result<std::string> all_of(const JsonObject& members, const Json& parts, const std::string& path,
                             std::size_t depth) {
    const Json::Array* list = parts.if_array();
    if (list == nullptr || list->empty())
      return wrong(path + "/allOf", "must be a list of schemas");
    JsonObject all = members;
    all.erase("allOf");
    for (std::size_t i = 0; i < list->size(); ++i) {
      DYN_TRY(all, merged(std::move(all), (*list)[i], path + "/allOf/" + std::to_string(i)));
    }
    return convert(Json(std::move(all)), path, depth + 1);
  }

  Result<std::string> enumeration(const Json& options, const std::string& path) {
    const Json::Array* list = options.if_array();
    if (list == nullptr || list->empty()) return wrong(path + "/enum", "must be a list of values");
    std::string out;
    for (const Json& option : *list)
      out += (out.empty() ? "" : " | ") + gbnf_literal(option.dump());
    return rules_.add(std::move(out));
  }

  // --- types ---

  static std::string_view implied_type(const JsonObject& members) {
    struct Hint {
      std::string_view keyword;
      std::string_view type;
    };
    static constexpr std::array kHints{Hint{"properties", "object"},
                                       Hint{"required", "object"},
                                       Hint{"additionalProperties", "object"},
                                       Hint{"items", "array"},
                                       Hint{"prefixItems", "array"},
                                       Hint{"minItems", "array"},
                                       Hint{"maxItems", "array"},
                                       Hint{"pattern", "string"},
                                       Hint{"minLength", "string"},
                                       Hint{"maxLength", "string"},
                                       Hint{"format", "string"},
                                       Hint{"minimum", "number"},
                                       Hint{"maximum", "number"},
                                       Hint{"exclusiveMinimum", "number"},
                                       Hint{"exclusiveMaximum", "number"}};
    for (const Hint& hint : kHints) {
      if (members.contains(hint.keyword)) return hint.type;
    }
    return {};
  }

  Result<std::string> typed(const JsonObject& members, const std::string& path, std::size_t depth) {
    const Json* type = members.find("type");
    const bool* nullable = nullptr;
    if (const Json* flag = members.find("nullable")) nullable = flag->if_bool();
    std::vector<std::string_view> types;
    if (type == nullptr) {
      const std::string_view implied = implied_type(members);
      if (implied.empty()) {
        DYN_CHECK(only(members, {}, path));
        return text_.value();
      }
      types.push_back(implied);
    } else if (const std::string* one = type->if_string()) {
      types.push_back(*one);
    } else if (const Json::Array* several = type->if_array(); several && !several->empty()) {
      for (const Json& entry : *several) {
        if (!entry.is_string()) return wrong(path + "/type", "must be a type or a list of types");
        types.push_back(*entry.if_string());
      }
    } else {
      return wrong(path + "/type", "must be a type or a list of types");
    }
    if (nullable != nullptr && *nullable) types.push_back("null");
    std::string out;
    for (const std::string_view name : types) {
      DYN_TRY(std::string body, one_type(name, members, path, depth, types.size() == 1));
      out += (out.empty() ? "" : " | ") + rules_.add(std::move(body));
    }
    return rules_.add(std::move(out));
  }

  /// Keywords of other types mean nothing for a type of a list.
  Result<std::string> one_type(std::string_view type, const JsonObject& members,
                               const std::string& path, std::size_t depth, bool alone) {
    const auto check = [&](std::initializer_list<std::string_view> known) {
      return alone ? only(members, known, path) : Result<void>{};
    };
    if (type == "null") return std::string("\"null\"");
    if (type == "boolean") {
      DYN_CHECK(check({}));
      return std::string(R"("true" | "false")");
    }
    if (type == "integer") {
      DYN_CHECK(check({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}));
      return bounded_integer(members, path);
    }
    if (type == "number") {
      DYN_CHECK(check({}));
      return text_.number();
    }
    if (type == "string") {
      DYN_CHECK(check({"minLength", "maxLength", "pattern", "format"}));
      return bounded_string(members, path);
    }
    if (type == "array") {
      DYN_CHECK(check({"items", "prefixItems", "minItems", "maxItems"}));
      return array(members, path, depth);
    }
    if (type == "object") {
      DYN_CHECK(check({"properties", "required", "additionalProperties"}));
      return object(members, path, depth);
    }
    return wrong(path + "/type", "is no type: " + std::string(type));
  }

  Result<std::optional<std::size_t>> count(const JsonObject& members, std::string_view keyword,
                                           const std::string& path) {
    const Json* value = members.find(keyword);
    if (value == nullptr) return std::optional<std::size_t>();
    const auto number = value->as_uint64();
    const std::string where = path + "/" + std::string(keyword);
    if (!number) return wrong(where, "must be a whole number that is not negative");
    if (*number > kRepetitionsMax) {
      return fail(Errc::unimplemented, "JSON schema: " + where + " is over " +
                                           std::to_string(kRepetitionsMax) +
                                           ", which is not supported");
    }
    return std::optional<std::size_t>(*number);
  }
  struct Bounds {
    std::size_t min = 0;
    std::ptrdiff_t max = -1;  ///< none
  };
  Result<Bounds> bounds(const JsonObject& members, std::string_view min_keyword,
                        std::string_view max_keyword, const std::string& path) {
    DYN_TRY(const auto min, count(members, min_keyword, path));
    DYN_TRY(const auto max, count(members, max_keyword, path));
    if (max && *max < min.value_or(0)) {
      return wrong(path + "/" + std::string(max_keyword), "is below the minimum");
    }
    return Bounds{.min = min.value_or(0), .max = max ? static_cast<std::ptrdiff_t>(*max) : -1};
  }

  Result<std::string> bounded_integer(const JsonObject& members, const std::string& path) {
    std::optional<std::int64_t> low;
    std::optional<std::int64_t> high;
    for (const auto& [keyword, is_low, step] :
         {std::tuple{"minimum", true, 0}, std::tuple{"exclusiveMinimum", true, 1},
          std::tuple{"maximum", false, 0}, std::tuple{"exclusiveMaximum", false, -1}}) {
      const Json* value = members.find(keyword);
      if (value == nullptr) continue;
      const auto number = value->as_double();
      const std::string where = path + "/" + keyword;
      if (!number || !std::isfinite(*number)) return wrong(where, "must be a number");
      constexpr double kExact = 9e15;            // doubles are whole and exact up to here
      if (std::abs(*number) > kExact) continue;  // beyond what the digits of `integer` reach
      // For whole numbers x > 1.5 is x >= 2, and x > 1 is x >= 2 too.
      const double whole = is_low ? std::ceil(*number) : std::floor(*number);
      auto bound = static_cast<std::int64_t>(whole);
      if (whole == *number) bound += step;
      if (is_low) {
        low = std::max(low.value_or(bound), bound);
      } else {
        high = std::min(high.value_or(bound), bound);
      }
    }
    if (!low && !high) return text_.integer();
    if (low && high && *low > *high) return wrong(path, "allows no integer");
    return integer_range_to_gbnf(low, high, rules_);
  }

  Result<std::string> bounded_string(const JsonObject& members, const std::string& path) {
    const std::string quote = "\"\\\"\"";
    const bool counted = members.contains("minLength") || members.contains("maxLength");
    if (const Json* pattern = members.find("pattern")) {
      if (counted) return unsupported(path, "'pattern' together with a length");
      const std::string* text = pattern->if_string();
      if (text == nullptr) return wrong(path + "/pattern", "must be a string");
      auto body = regex_to_gbnf(*text, RegexPlace::json_string, rules_);
      if (!body) return fail(std::move(body).error().with(path + "/pattern"));
      return quote + " " + rules_.add(*std::move(body)) + " " + quote;
    }
    if (const Json* format = members.find("format"); format != nullptr && !counted) {
      const std::string* name = format->if_string();
      if (name == nullptr) return wrong(path + "/format", "must be a string");
      const auto body = text_.format(*name);
      if (body) return quote + " " + *body + " " + quote;  // other formats are annotations
    }
    if (!counted) return text_.string();
    DYN_TRY(const Bounds length, bounds(members, "minLength", "maxLength", path));
    if (length.max == 0) return quote + " " + quote;
    return quote + " " + repeated(text_.character(), length.min, length.max) + " " + quote;
  }

  Result<std::string> array(const JsonObject& members, const std::string& path, std::size_t depth) {
    DYN_TRY(const Bounds length, bounds(members, "minItems", "maxItems", path));
    std::vector<std::string> first;
    if (const Json* prefix = members.find("prefixItems")) {
      const Json::Array* list = prefix->if_array();
      if (list == nullptr) return wrong(path + "/prefixItems", "must be a list of schemas");
      for (std::size_t i = 0; i < list->size(); ++i) {
        DYN_TRY(std::string body,
                convert((*list)[i], path + "/prefixItems/" + std::to_string(i), depth + 1));
        first.push_back(rules_.add(std::move(body)));
      }
    }
    const Json* items = members.find("items");
    const bool closed = items != nullptr && items->if_bool() != nullptr && !*items->if_bool();
    std::string item;
    if (items != nullptr && !closed) {
      DYN_TRY(std::string body, convert(*items, path + "/items", depth + 1));
      item = rules_.add(std::move(body));
    } else if (items == nullptr && first.empty()) {
      item = text_.value();
    }
    if (!first.empty()) return tuple(first, item, length, path);
    if (item.empty() || length.max == 0) return text_.open('[') + " " + text_.close(']');
    const std::string next = rules_.add(text_.comma() + " " + item);
    const std::size_t min = std::max<std::size_t>(length.min, 1);
    const std::string list =
        item + " " + repeated(next, min - 1, length.max < 0 ? -1 : length.max - 1);
    return text_.open('[') + " " + (length.min == 0 ? "(" + list + ")?" : list) + " " +
           text_.close(']');
  }

  /// All of prefixItems, then more of `item` if there is one.
  Result<std::string> tuple(const std::vector<std::string>& first, const std::string& item,
                            Bounds length, const std::string& path) {
    const auto fixed = static_cast<std::ptrdiff_t>(first.size());
    if (length.max >= 0 && length.max < fixed) {
      return unsupported(path, "'maxItems' below the number of prefixItems");
    }
    std::string out = text_.open('[');
    for (std::size_t i = 0; i < first.size(); ++i)
      out += (i == 0 ? " " : " " + text_.comma() + " ") + first[i];
    if (!item.empty() && length.max != fixed) {
      const std::size_t min = length.min > first.size() ? length.min - first.size() : 0;
      out += " " + repeated(rules_.add(text_.comma() + " " + item), min,
                            length.max < 0 ? -1 : length.max - fixed);
    } else if (length.min > first.size()) {
      return wrong(path + "/minItems", "is above what prefixItems and items allow");
    }
    return out + " " + text_.close(']');
  }

  Result<std::string> object(const JsonObject& members, const std::string& path,
                             std::size_t depth) {
    struct Property {
      std::string rule;
      bool required = false;
    };
    std::set<std::string, std::less<>> required;
    if (const Json* list = members.find("required")) {
      if (!list->is_array()) return wrong(path + "/required", "must be a list of names");
      for (const Json& name : *list->if_array()) {
        if (!name.is_string()) return wrong(path + "/required", "must be a list of names");
        required.insert(*name.if_string());
      }
    }
    std::vector<Property> properties;
    const auto add = [&](std::string_view name, std::string body, bool is_required) {
      const std::string key = gbnf_literal(Json(name).dump());
      properties.push_back(
          {rules_.add(key + " \":\" " + text_.blank() + " " + rules_.add(std::move(body))),
           is_required});
    };
    const Json* declared = members.find("properties");
    if (declared != nullptr) {
      if (!declared->is_object()) return wrong(path + "/properties", "must be an object");
      for (const auto& [name, schema] : *declared->if_object()) {
        DYN_TRY(std::string body, convert(schema, path + "/properties/" + name, depth + 1));
        add(name, std::move(body), required.erase(name) > 0);
      }
    }
    const Json* more = members.find("additionalProperties");
    const bool* more_flag = more != nullptr ? more->if_bool() : nullptr;
    const bool open_ended =
        more == nullptr ? declared == nullptr : more_flag == nullptr || *more_flag;
    std::string more_body;
    if (open_ended) {
      if (more == nullptr || more_flag != nullptr) {
        more_body = text_.value();
      } else {
        DYN_TRY(more_body, convert(*more, path + "/additionalProperties", depth + 1));
      }
    }
    for (const std::string& name : required) {  // required, but not among the properties
      if (!open_ended) return wrong(path + "/required", "names a property that cannot be: " + name);
      add(name, more_body, true);
    }
    // From the last property backwards: what may follow when a member stands before, and when not.
    std::string after;
    std::string at_start;
    if (open_ended) {
      const std::string member = rules_.add(text_.string() + " \":\" " + text_.blank() + " " +
                                            rules_.add(std::move(more_body)));
      const std::string next = rules_.add(text_.comma() + " " + member);
      after = rules_.add(next + "*");
      at_start = rules_.add("(" + member + " " + next + "*)?");
    }
    for (auto property = properties.rbegin(); property != properties.rend(); ++property) {
      const std::string follow = after.empty() ? "" : " " + after;
      const std::string here = property->rule + follow;
      const std::string here_later = text_.comma() + " " + property->rule + follow;
      if (property->required) {
        at_start = rules_.add(here);
        after = rules_.add(here_later);
      } else {
        at_start = rules_.add(here + " | " + (at_start.empty() ? "\"\"" : at_start));
        after = rules_.add(here_later + " | " + (after.empty() ? "\"\"" : after));
      }
    }
    return text_.open('{') + " " + (at_start.empty() ? "" : at_start + " ") + text_.close('}');
  }

  const Json& document_;
  GbnfRules& rules_;
  JsonTextRules text_;
  std::size_t conversions_ = 0;
  std::map<std::string, std::string> references_;  ///< $ref to its rule
};

}  // namespace

Result<std::string> json_schema_to_gbnf(const Json& schema, GbnfRules& rules) {
  return SchemaConverter(schema, rules).convert(schema, "", 0);
}

}  // namespace dynamo::engines::batching::grammar
