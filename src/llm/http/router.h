// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/llm/http/exchange.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace dynamo::llm::http {

/// Families of routes that come and go while the service runs, as bits.
enum class Gate : std::uint32_t { always = 0, chat = 1, completions = 2 };

/// Who may use a route when there are API keys.
enum class Access : std::uint8_t { everyone, key };

/// What the API document says about a route.
struct RouteDoc {
  std::string_view summary;
  std::string_view tag;
  std::string_view request_schema;  ///< name of a schema, or empty
};

struct Route {
  Method method;
  /// "/v1/models", or "/v1/models/{*id}", whose handler gets what stands for the braces.
  std::string path;
  Gate gate = Gate::always;
  Access access = Access::key;
  std::function<boost::asio::awaitable<void>(Exchange&, std::string_view rest)> handler;
  RouteDoc doc;
};

/// The table of routes: matching, gates, the 404 and 405 answers and the API document all come
/// from it. Filled before it is used; then const and thread-safe, except for the gates.
class Router {
 public:
  void add(Route route);

  /// A path can be matched by a wildcard and a name: the name wins, then the longer wildcard.
  struct Match {
    const Route* route = nullptr;  ///< null: see `error`
    std::string_view rest;
    std::string allow;  ///< methods that the path has, when only the method does not fit
  };
  /// HEAD is served by GET's route. Routes behind a closed gate do not exist.
  Match match(Method method, std::string_view path) const;
  /// A route of this path and method exists, but its gate is closed.
  bool gated(Method method, std::string_view path) const;

  void open(Gate gate, bool on) noexcept;
  bool is_open(Gate gate) const noexcept;

  /// OpenAPI 3 document of the routes that are open now.
  std::string openapi(std::string_view title, std::string_view version) const;

 private:
  std::span<const Route> at(std::string_view path, std::string_view& rest) const;
  std::map<std::string, std::vector<Route>, std::less<>> exact_;
  std::map<std::string, std::vector<Route>, std::less<>> wildcard_;  ///< by the path before "{*"
  std::atomic<std::uint32_t> open_{0};
};

}  // namespace dynamo::llm::http
