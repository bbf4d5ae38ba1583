// SPDX-License-Identifier: Apache-2.0
#include "llm/http/socket_state.h"

#if defined(__linux__)
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#endif

namespace dynamo::llm::http {

bool tcp_peer_has_closed(boost::asio::ip::tcp::socket& socket) noexcept {
#if defined(__linux__)
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return true;
  return info.tcpi_state != TCP_ESTABLISHED;
#else
  static_cast<void>(socket);
  return false;
#endif
}

}  // namespace dynamo::llm::http
