// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>

namespace dynamo::llm::http {

/// Whether the peer has sent its FIN or a reset, found without reading. False where the platform
/// cannot tell.
bool tcp_peer_has_closed(boost::asio::ip::tcp::socket& socket) noexcept;

}  // namespace dynamo::llm::http
