// SPDX-License-Identifier: Apache-2.0
#include "llm/http/router.h"

#include <dynamo/base/json.h>

#include <utility>

#include "llm/http/api_schemas.h"

namespace dynamo::llm::http {
namespace {

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return out;
}

/// "/v1/models/{*id}" in OpenAPI's terms: "/v1/models/{id}".
std::string documented_path(std::string_view path) {
  std::string out(path);
  if (const auto star = out.find('*'); star != std::string::npos) out.erase(star, 1);
  return out;
}

void write_operation(JsonWriter& out, const Route& route) {
  out.key(lower_case(to_string(route.method))).begin_object();
  out.member("summary", route.doc.summary);
  out.key("tags").begin_array().value(route.doc.tag).end_array();
  if (const auto open = route.path.find("{*"); open != std::string::npos) {
    const auto close = route.path.find('}', open);
    out.key("parameters").begin_array().begin_object();
    out.member("name", std::string_view(route.path).substr(open + 2, close - open - 2));
    out.member("in", "path").member("required", true);
    out.key("schema").begin_object().member("type", "string").end_object();
    out.end_object().end_array();
  }
  if (!route.doc.request_schema.empty()) {
    out.key("requestBody").begin_object().member("required", true);
    out.key("content")
        .begin_object()
        .key("application/json")
        .begin_object()
        .key("schema")
        .begin_object();
    out.member("$ref", "#/components/schemas/" + std::string(route.doc.request_schema));
    out.end_object().end_object().end_object().end_object();
  }
  out.key("responses").begin_object();
  out.key("200").begin_object().member("description", "success").end_object();
  out.key("default").begin_object().member("description", "failure");
  out.key("content")
      .begin_object()
      .key("application/json")
      .begin_object()
      .key("schema")
      .begin_object();
  out.member("$ref", "#/components/schemas/Error");
  out.end_object().end_object().end_object().end_object().end_object();
  if (route.access == Access::key) {
    out.key("security").begin_array();
    out.begin_object().key("bearer").begin_array().end_array().end_object();
    out.begin_object().end_object().end_array();
  }
  out.end_object();
}

}  // namespace

void Router::add(Route route) {
  const auto star = route.path.find("{*");
  auto& table = star == std::string::npos ? exact_ : wildcard_;
  table[route.path.substr(0, star)].push_back(std::move(route));
}

void Router::open(Gate gate, bool on) noexcept {
  const auto bit = static_cast<std::uint32_t>(gate);
  if (on)
    open_.fetch_or(bit, std::memory_order_relaxed);
  else
    open_.fetch_and(~bit, std::memory_order_relaxed);
}

bool Router::is_open(Gate gate) const noexcept {
  const auto bit = static_cast<std::uint32_t>(gate);
  return (open_.load(std::memory_order_relaxed) & bit) == bit;
}

std::span<const Route> Router::at(std::string_view path, std::string_view& rest) const {
  if (const auto found = exact_.find(path); found != exact_.end()) return found->second;
  // Longest prefix first: the table is ordered, so prefixes of `path` come in reverse order.
  for (auto entry = wildcard_.rbegin(); entry != wildcard_.rend(); ++entry) {
    if (path.size() <= entry->first.size() || !path.starts_with(entry->first)) continue;
    rest = path.substr(entry->first.size());
    return entry->second;
  }
  return {};
}

Router::Match Router::match(Method method, std::string_view path) const {
  Match match;
  const Method wanted = method == Method::head ? Method::get : method;
  for (const Route& route : at(path, match.rest)) {
    if (!is_open(route.gate)) continue;
    if (route.method == wanted) {
      match.route = &route;
      return match;
    }
    if (!match.allow.empty()) match.allow += ", ";
    match.allow += to_string(route.method);
    if (route.method == Method::get) match.allow += ", HEAD";
  }
  return match;
}

bool Router::gated(Method method, std::string_view path) const {
  std::string_view rest;
  for (const Route& route : at(path, rest))
    if (route.method == method && !is_open(route.gate)) return true;
  return false;
}

std::string Router::openapi(std::string_view title, std::string_view version) const {
  std::string text;
  JsonWriter out(text);
  out.begin_object().member("openapi", "3.1.0");
  out.key("info").begin_object().member("title", title).member("version", version).end_object();
  out.key("paths").begin_object();
  for (const auto* table : {&exact_, &wildcard_}) {
    for (const auto& [path, routes] : *table) {
      bool begun = false;
      for (const Route& route : routes) {
        if (!is_open(route.gate)) continue;
        if (!std::exchange(begun, true)) out.key(documented_path(route.path)).begin_object();
        write_operation(out, route);
      }
      if (begun) out.end_object();
    }
  }
  out.end_object();
  out.key("components").begin_object().key("schemas").raw(kApiSchemas);
  out.key("securitySchemes").begin_object().key("bearer").begin_object();
  out.member("type", "http").member("scheme", "bearer").end_object().end_object();
  out.end_object().end_object();
  return text;
}

}  // namespace dynamo::llm::http
