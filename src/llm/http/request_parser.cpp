// SPDX-License-Identifier: Apache-2.0
#include "llm/http/request_parser.h"

#include <array>

#include <boost/beast/http/basic_parser.hpp>

namespace dynamo::llm::http {
namespace {

namespace beast = boost::beast::http;
using boost::beast::error_code;
using BeastText = boost::beast::string_view;

// An unfinished chunk header or trailer may be this long; no client writes more than a few bytes.
constexpr std::size_t kChunkHeaderBytes = std::size_t{16} * 1024;

std::string_view view(BeastText text) {
  return {text.data(), text.size()};
}

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

Method method_from(std::string_view text) noexcept {
  constexpr std::array<std::pair<std::string_view, Method>, 7> kMethods{
      {{"POST", Method::post},
       {"GET", Method::get},
       {"HEAD", Method::head},
       {"PUT", Method::put},
       {"DELETE", Method::del},
       {"PATCH", Method::patch},
       {"OPTIONS", Method::options}}};
  for (const auto& [name, method] : kMethods)
    if (name == text) return method;
  return Method::other;
}

RequestDefect defect_of(const error_code& ec) {
  if (ec == beast::error::bad_version) return {505, "Only HTTP/1.1 and HTTP/1.0 are supported"};
  if (ec == beast::error::header_limit) return {431, "Request header fields are too large"};
  if (ec == beast::error::bad_method || ec == beast::error::bad_target)
    return {400, "Malformed request line: " + ec.message()};
  if (ec == beast::error::bad_chunk || ec == beast::error::bad_chunk_extension)
    return {400, "Malformed chunk in the request body"};
  return {400, "Malformed request head: " + ec.message()};
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

/// Beast's incremental grammar with the callbacks turned into members of the RequestParser.
class RequestParser::Grammar final : public beast::basic_parser<true> {
 public:
  explicit Grammar(RequestParser& owner) : owner_(owner) {
    header_limit(1u << 30);  // the head was bounded before it came here
    body_limit(boost::none);
  }
  std::string* body = nullptr;
  std::uint64_t body_bytes = 0;
  std::uint64_t body_limit_bytes = 0;
  std::string target;
  std::size_t hosts = 0;
  std::optional<RequestDefect> defect;

 private:
  void refuse(int status, std::string message, error_code& ec) {
    defect = RequestDefect{status, std::move(message)};
    ec = beast::error::bad_value;
  }
  void append(std::string_view bytes, error_code& ec) {
    body_bytes += bytes.size();
    if (body_bytes > body_limit_bytes)
      refuse(413, "Request body is too large", ec);
    else if (body != nullptr)
      body->append(bytes);
  }

  void on_request_impl(beast::verb, BeastText method, BeastText request_target, int version,
                       error_code&) override {
    owner_.method_text_ = view(method);
    owner_.method_ = method_from(owner_.method_text_);
    owner_.http11_ = version >= 11;
    target.assign(request_target.data(), request_target.size());
  }
  void on_field_impl(beast::field id, BeastText name, BeastText value, error_code& ec) override {
    if (in_trailer_) return;  // RFC 9110 section 6.5.1: a trailer must not change the head
    const std::string_view head = owner_.head_;
    if (!value.empty() && (value.data() < head.data() || value.data() >= head.data() + head.size()))
      return refuse(400, "Malformed request head: folded header lines are not accepted", ec);
    if (id == beast::field::host) ++hosts;
    if (id == beast::field::transfer_encoding) {
      if (!owner_.http11_) return refuse(400, "Transfer-Encoding is not part of HTTP/1.0", ec);
      if (!equals_ignoring_case(view(value), "chunked"))
        return refuse(501, "Only the chunked transfer coding is supported", ec);
    }
    if (id == beast::field::expect) {
      if (!equals_ignoring_case(view(value), "100-continue"))
        return refuse(417, "Only Expect: 100-continue is supported", ec);
      owner_.expects_continue_ = owner_.http11_;
    }
    owner_.fields_.emplace_back(view(name), view(value));
  }
  void on_header_impl(error_code&) override { in_trailer_ = true; }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(BeastText bytes, error_code& ec) override {
    append(view(bytes), ec);
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t size, BeastText, error_code& ec) override {
    // Refused by what is announced, before the bytes come.
    if (size > body_limit_bytes || body_bytes > body_limit_bytes - size)
      refuse(413, "Request body is too large", ec);
  }
  std::size_t on_chunk_body_impl(std::uint64_t, BeastText bytes, error_code& ec) override {
    append(view(bytes), ec);
    return bytes.size();
  }
  void on_finish_impl(error_code&) override {}
  void on_response_impl(int, BeastText, int, error_code&) override {}

  RequestParser& owner_;
  bool in_trailer_ = false;
};

RequestParser::RequestParser() = default;
RequestParser::~RequestParser() = default;

std::optional<RequestDefect> RequestParser::parse_head(std::string_view head) {
  head_.assign(head);
  decoded_path_.clear();
  fields_.clear();
  expects_continue_ = false;
  grammar_ = std::make_unique<Grammar>(*this);
  error_code ec;
  std::size_t used = grammar_->put(boost::asio::buffer(head_), ec);
  // The request line and the fields are two steps of the grammar only when bytes are missing.
  if (!ec && !grammar_->is_header_done())
    used += grammar_->put(boost::asio::buffer(head_) + used, ec);
  if (grammar_->defect) return std::move(grammar_->defect);
  if (ec && ec != beast::error::need_more) return defect_of(ec);
  if (!grammar_->is_header_done() || used != head_.size())
    return RequestDefect{400, "Malformed request head"};
  if (http11_ && grammar_->hosts != 1)
    return RequestDefect{
        400, grammar_->hosts == 0 ? "The Host header is missing" : "More than one Host header"};

  keep_alive_ = grammar_->keep_alive();
  content_length_ = 0;
  framing_ = Framing::none;
  if (grammar_->chunked()) {
    framing_ = Framing::chunked;
  } else if (const auto length = grammar_->content_length(); length && *length > 0) {
    framing_ = Framing::length;
    content_length_ = *length;
  }
  return split_target(grammar_->target);
}

std::optional<RequestDefect> RequestParser::split_target(std::string_view target) {
  // The text lives in head_, behind the method; grammar_->target is only a copy of it.
  std::string_view rest = std::string_view(head_).substr(method_text_.size() + 1, target.size());
  if (!rest.starts_with('/') && rest != "*") {
    const std::size_t scheme = rest.find("://");  // absolute form, RFC 9112 section 3.2.2
    if (scheme == std::string_view::npos) return RequestDefect{400, "Malformed request target"};
    const std::size_t slash = rest.find_first_of("/?", scheme + 3);
    rest = slash == std::string_view::npos ? std::string_view("/") : rest.substr(slash);
  }
  const std::size_t question = rest.find('?');
  query_ = question == std::string_view::npos ? std::string_view() : rest.substr(question + 1);
  path_ = rest.substr(0, question);
  if (path_.empty()) path_ = "/";
  if (path_.find('%') == std::string_view::npos) return std::nullopt;

  decoded_path_.reserve(path_.size());
  for (std::size_t i = 0; i < path_.size(); ++i) {
    if (path_[i] != '%') {
      decoded_path_.push_back(path_[i]);
      continue;
    }
    const int high = i + 2 < path_.size() ? hex_digit(path_[i + 1]) : -1;
    const int low = i + 2 < path_.size() ? hex_digit(path_[i + 2]) : -1;
    if (high < 0 || low < 0 || (high == 0 && low == 0))
      return RequestDefect{400, "Malformed percent escape in the request target"};
    decoded_path_.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  path_ = decoded_path_;
  return std::nullopt;
}

std::optional<std::string_view> RequestParser::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : fields_)
    if (equals_ignoring_case(key, name)) return value;
  return std::nullopt;
}

bool RequestParser::body_complete() const noexcept {
  return grammar_ && grammar_->is_done();
}

RequestParser::BodyStep RequestParser::parse_body(std::string_view input, std::string* out,
                                                  std::uint64_t limit_bytes) {
  BodyStep step;
  grammar_->body = out;
  grammar_->body_limit_bytes = limit_bytes;
  if (framing_ == Framing::length && content_length_ > limit_bytes) {
    step.defect = RequestDefect{413, "Request body is too large"};
    return step;
  }
  while (step.consumed < input.size() && !grammar_->is_done()) {
    error_code ec;
    const auto rest = input.substr(step.consumed);
    step.consumed += grammar_->put(boost::asio::buffer(rest.data(), rest.size()), ec);
    if (grammar_->defect) {
      step.defect = std::move(grammar_->defect);
      return step;
    }
    if (ec == beast::error::need_more) {
      if (input.size() - step.consumed > kChunkHeaderBytes)
        step.defect = RequestDefect{400, "Malformed chunk in the request body"};
      return step;
    }
    if (ec) {
      step.defect = defect_of(ec);
      return step;
    }
  }
  return step;
}

}  // namespace dynamo::llm::http
