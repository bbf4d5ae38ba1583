// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/error.h>
#include <dynamo/base/json.h>

#include <array>
#include <cstddef>

namespace dynamo::base {
namespace {

struct Row {
  std::string_view name;
  int http;
  int grpc;
};

// In the order of Errc. gRPC numbers are those of grpc::StatusCode. Overload is RESOURCE_EXHAUSTED
// in the reference's KServe service; what gRPC has no code for takes the nearest one that tells a
// client the same about retrying.
constexpr std::array<Row, 18> kRows{{
    {"invalid_argument", 400, 3},
    {"not_found", 404, 5},
    {"method_not_allowed", 405, 12},
    {"already_exists", 409, 6},
    {"payload_too_large", 413, 8},
    {"unsupported_media_type", 415, 3},
    {"unauthenticated", 401, 16},
    {"permission_denied", 403, 7},
    {"rate_limited", 429, 8},
    {"unimplemented", 501, 12},
    {"unavailable", 503, 14},
    {"overloaded", 529, 8},
    {"deadline_exceeded", 504, 4},
    {"cancelled", 499, 1},
    {"stream_incomplete", 502, 14},
    {"disconnected", 502, 14},
    {"protocol", 502, 13},
    {"internal", 500, 13},
}};
static_assert(kRows.size() == static_cast<std::size_t>(Errc::internal) + 1);

// A code from a newer peer or a bad cast reads as internal.
const Row& row(Errc code) noexcept {
  const auto index = static_cast<std::size_t>(code);
  return index < kRows.size() ? kRows[index] : kRows.back();
}

const std::string kNoText;
const Json kNoDetails;

}  // namespace

std::string_view to_string(Errc code) noexcept {
  return row(code).name;
}
int http_status(Errc code) noexcept {
  return row(code).http;
}
int grpc_status(Errc code) noexcept {
  return row(code).grpc;
}

struct Error::Extra {
  std::string param;
  std::string reason;
  Json details;
  std::optional<int> backend_status;
  std::optional<std::chrono::seconds> retry_after;
  std::optional<Error> cause;
};

Error::Error(Errc code, std::string message) : code_(code), message_(std::move(message)) {}

Error::Error(const Error& other)
    : code_(other.code_),
      message_(other.message_),
      extra_(other.extra_ ? std::make_unique<Extra>(*other.extra_) : nullptr) {}

Error& Error::operator=(const Error& other) {
  if (this != &other) *this = Error(other);
  return *this;
}

Error::Error(Error&&) noexcept = default;

// Safe against itself, as in `error = std::move(error).with("reading x")`.
Error& Error::operator=(Error&& other) noexcept {
  if (this != &other) {
    code_ = other.code_;
    message_ = std::move(other.message_);
    extra_ = std::move(other.extra_);
  }
  return *this;
}
Error::~Error() = default;

Error::Extra& Error::extra() {
  if (!extra_) extra_ = std::make_unique<Extra>();
  return *extra_;
}

Error&& Error::with(std::string_view where) && {
  std::string text;
  text.reserve(where.size() + 2 + message_.size());
  text.append(where).append(": ").append(message_);
  message_ = std::move(text);
  return std::move(*this);
}

const std::string& Error::param() const noexcept {
  return extra_ ? extra_->param : kNoText;
}
Error&& Error::with_param(std::string path) && {
  extra().param = std::move(path);
  return std::move(*this);
}

const std::string& Error::reason() const noexcept {
  return extra_ ? extra_->reason : kNoText;
}
Error&& Error::with_reason(std::string reason) && {
  extra().reason = std::move(reason);
  return std::move(*this);
}

const Json& Error::details() const noexcept {
  return extra_ ? extra_->details : kNoDetails;
}
Error&& Error::with_details(Json details) && {
  extra().details = std::move(details);
  return std::move(*this);
}

std::optional<int> Error::backend_status() const noexcept {
  return extra_ ? extra_->backend_status : std::nullopt;
}
Error&& Error::with_backend_status(int status) && {
  extra().backend_status = status;
  return std::move(*this);
}

std::optional<std::chrono::seconds> Error::retry_after() const noexcept {
  return extra_ ? extra_->retry_after : std::nullopt;
}
Error&& Error::with_retry_after(std::chrono::seconds wait) && {
  extra().retry_after = wait;
  return std::move(*this);
}

const Error* Error::cause() const noexcept {
  if (!extra_) return nullptr;
  const std::optional<Error>& cause = extra_->cause;
  return cause ? &*cause : nullptr;
}
Error&& Error::with_cause(Error cause) && {
  extra().cause = std::move(cause);
  return std::move(*this);
}

bool Error::any_is(Errc code) const noexcept {
  for (const Error* error = this; error != nullptr; error = error->cause()) {
    if (error->code_ == code) return true;
  }
  return false;
}

std::string Error::describe() const {
  std::string text;
  std::size_t open = 0;
  for (const Error* error = this; error != nullptr; error = error->cause()) {
    if (error != this) {
      text += " (caused by ";
      ++open;
    }
    text.append(to_string(error->code_)).append(": ").append(error->message_);
  }
  text.append(open, ')');
  return text;
}

}  // namespace dynamo::base
