// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/fwd.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace dynamo::base {

/// Kinds of failure a correct program meets. Each maps to one HTTP and one gRPC status.
enum class Errc : std::uint8_t {
  invalid_argument,        ///< the request itself is wrong; retrying it cannot help
  not_found,               ///< no such model, route, key or file
  method_not_allowed,      ///< the resource exists but not with this method
  already_exists,          ///< a name, port or id is taken
  payload_too_large,       ///< a body or message over its limit
  unsupported_media_type,  ///< content type is not the one expected
  unauthenticated,         ///< no or wrong credentials
  permission_denied,       ///< credentials are good but do not allow it
  rate_limited,            ///< a per-client limit; retry_after says when
  unimplemented,           ///< known but not offered
  unavailable,             ///< nobody can serve it at the moment (starting, draining, no worker)
  overloaded,              ///< refused to keep the rest working; retry_after says when
  deadline_exceeded,       ///< its Deadline passed
  cancelled,               ///< the client left or the caller asked to stop
  stream_incomplete,       ///< a stream ended before its terminal event
  disconnected,            ///< the peer closed the connection
  protocol,                ///< the peer broke the wire protocol
  internal,                ///< everything else; a defect of ours until shown otherwise
};

/// The enumerator's name, e.g. "invalid_argument".
std::string_view to_string(Errc code) noexcept;

/// HTTP status of a failure: 400, 404, 405, 409, 413, 415, 401, 403, 429, 501, 503, 529, 504, 499,
/// 502, 502, 502, 500 in the order of Errc. (529 is the reference's overload status.)
int http_status(Errc code) noexcept;

/// gRPC status code (the numbers of grpc::StatusCode) of a failure.
int grpc_status(Errc code) noexcept;

/// A failure: what kind, what was expected and what came, and where it happened.
///
/// The message names the field, peer or key concerned; it never holds a secret or a whole prompt.
/// A value type; moving is cheap. Optional parts cost nothing when absent.
class [[nodiscard]] Error {
 public:
  Error(Errc code, std::string message);
  Error(const Error& other);
  Error& operator=(const Error& other);
  Error(Error&&) noexcept;
  Error& operator=(Error&&) noexcept;
  ~Error();

  Errc code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }

  /// Prefixes context on the way up: "reading config.json: <message>".
  Error&& with(std::string_view where) &&;

  /// Path of the request field that is wrong, e.g. "messages[0].content"; empty when none.
  const std::string& param() const noexcept;
  Error&& with_param(std::string path) &&;

  /// OpenAI's machine-readable reason, e.g. "context_length_exceeded"; empty when none.
  const std::string& reason() const noexcept;
  Error&& with_reason(std::string reason) &&;

  /// Further facts for the client, a JSON object; null when none.
  const Json& details() const noexcept;
  Error&& with_details(Json details) &&;

  /// Status that a backend answered with, when the failure came from one.
  std::optional<int> backend_status() const noexcept;
  Error&& with_backend_status(int status) &&;

  /// How long the client should wait before it tries again.
  std::optional<std::chrono::seconds> retry_after() const noexcept;
  Error&& with_retry_after(std::chrono::seconds wait) &&;

  /// The failure that led to this one, or null.
  const Error* cause() const noexcept;
  Error&& with_cause(Error cause) &&;

  /// Whether this failure or any of its causes has the code.
  bool any_is(Errc code) const noexcept;

  /// "invalid_argument: message (caused by …)", for logs.
  std::string describe() const;

 private:
  struct Extra;
  Extra& extra();
  Errc code_;
  std::string message_;
  std::unique_ptr<Extra> extra_;
};

template <class T>
using Result = std::expected<T, Error>;

/// Shorthand for `std::unexpected(Error(code, message))`.
inline std::unexpected<Error> fail(Errc code, std::string message) {
  return std::unexpected<Error>(Error(code, std::move(message)));
}
inline std::unexpected<Error> fail(Error error) {
  return std::unexpected<Error>(std::move(error));
}

}  // namespace dynamo::base

namespace dynamo {
using base::Errc;
using base::Error;
using base::fail;
using base::Result;
}  // namespace dynamo

#define DYN_DETAIL_CONCAT2(a, b) a##b
#define DYN_DETAIL_CONCAT(a, b) DYN_DETAIL_CONCAT2(a, b)

/// `DYN_TRY(const auto n, parse(s));` declares n from the result, or returns its error.
#define DYN_TRY(declaration, ...) \
  DYN_DETAIL_TRY(DYN_DETAIL_CONCAT(dyn_try_, __COUNTER__), return, declaration, __VA_ARGS__)
/// The same in a coroutine: `DYN_CO_TRY(auto frame, co_await read());`
#define DYN_CO_TRY(declaration, ...) \
  DYN_DETAIL_TRY(DYN_DETAIL_CONCAT(dyn_try_, __COUNTER__), co_return, declaration, __VA_ARGS__)
#define DYN_DETAIL_TRY(temporary, leave, declaration, ...)             \
  auto temporary = (__VA_ARGS__);                                      \
  if (!temporary) leave std::unexpected(std::move(temporary).error()); \
  declaration = *std::move(temporary)

/// `DYN_CHECK(validate(x));` returns the error of a Result<void> or of a result nobody needs.
#define DYN_CHECK(...)                                      \
  do {                                                      \
    if (auto dyn_check = (__VA_ARGS__); !dyn_check)         \
      return std::unexpected(std::move(dyn_check).error()); \
  } while (false)
#define DYN_CO_CHECK(...)                                      \
  do {                                                         \
    if (auto dyn_check = (__VA_ARGS__); !dyn_check)            \
      co_return std::unexpected(std::move(dyn_check).error()); \
  } while (false)
