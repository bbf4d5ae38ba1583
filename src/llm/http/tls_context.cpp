// SPDX-License-Identifier: Apache-2.0
#include "llm/http/tls_context.h"

#include <string>

#include <openssl/ssl.h>

namespace dynamo::llm::http {
namespace {

namespace ssl = boost::asio::ssl;

int choose_http11(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                  unsigned in_size, void*) {
  static constexpr unsigned char kOurs[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kOurs, sizeof kOurs - 1, in, in_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Result<std::unique_ptr<ssl::context>> make_tls_context(const TlsFiles& files) {
  if (files.certificate.empty() != files.key.empty())
    return fail(Errc::invalid_argument,
                "--tls-cert-path and --tls-key-path must be provided together");
  auto context = std::make_unique<ssl::context>(ssl::context::tls_server);
  boost::system::error_code ec;
  context->set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 |
                           ssl::context::no_tlsv1_1 | ssl::context::no_compression,
                       ec);
  context->use_certificate_chain_file(files.certificate.string(), ec);
  if (ec)
    return fail(Errc::invalid_argument,
                "TLS certificate " + files.certificate.string() + ": " + ec.message());
  context->use_private_key_file(files.key.string(), ssl::context::pem, ec);
  if (ec)
    return fail(Errc::invalid_argument, "TLS key " + files.key.string() + ": " + ec.message());
  if (SSL_CTX_check_private_key(context->native_handle()) != 1)
    return fail(Errc::invalid_argument, "TLS key " + files.key.string() +
                                            " does not belong to certificate " +
                                            files.certificate.string());
  SSL_CTX_set_alpn_select_cb(context->native_handle(), choose_http11, nullptr);
  return context;
}

}  // namespace dynamo::llm::http
