// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

/// Limits on what a peer may make us do. Each says where its number comes from.
namespace dynamo::base::limits {

/// Nesting of JSON (arrays and objects); serde_json's default.
inline constexpr std::size_t kJsonDepth = 128;
/// Values in one JSON text. Each takes 40 bytes in memory and may take two in the text, so that the
/// largest body of zeros would fill 900 MiB; the largest tokenizer.json has a million.
inline constexpr std::size_t kJsonValues = 5'000'000;
/// HTTP request head: start line and all header fields (nginx and Envoy use 32 to 60 KiB).
inline constexpr std::size_t kHttpHeadBytes = 64 * 1024;
inline constexpr std::size_t kHttpHeaderFields = 256;
/// Default of DYN_HTTP_BODY_LIMIT_MB, in MiB.
inline constexpr std::size_t kHttpBodyMib = 45;
/// Bytes of a response that may wait for one slow reader before its request is stopped from
/// producing more.
inline constexpr std::size_t kHttpWriteBacklogBytes = 256 * 1024;

}  // namespace dynamo::base::limits
